"""`rig.toml`: what it means, and what is said about its mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from rig.clients.project import SIZE_LIMIT, load_project, parse_project
from rig.clients.tomlfile import line_of
from rig.contract.project import AppConfig, BuildConfig, DeployConfig, HealthConfig, ProcessConfig, ProjectFile
from rig.kernel.errors import RigError

WHOLE = """\
network = "demo"
app = "shop"

[build]
command = "make assets"
timeout = 100

[processes]
web = "gunicorn app:app"
worker = { command = "python work.py", count = 2 }

[env]
COLOR = "blue"
SIZE = "1"

[environments.prod]
network = "live"

[environments.prod.build]
timeout = 900

[environments.prod.processes.web]
count = 3

[environments.prod.env]
COLOR = "green"
"""


def refused(text: str) -> RigError:
    with pytest.raises(RigError) as caught:
        parse_project(text.encode())
    assert caught.value.code == "bad_config"
    return caught.value


def test_a_file_and_its_short_forms() -> None:
    project = parse_project(WHOLE.encode())
    assert project.app == "demo/shop"
    assert project.config.processes == {
        "web": ProcessConfig(command="gunicorn app:app"),
        "worker": ProcessConfig(command="python work.py", count=2),
    }
    assert project.config.build.timeout == 100
    assert project.config.env == {"COLOR": "blue", "SIZE": "1"}


def test_an_environment_is_laid_over_key_by_key() -> None:
    project = parse_project(WHOLE.encode(), environment="prod")
    assert project.app == "live/shop"
    assert project.config.build.command == "make assets"
    assert project.config.build.timeout == 900, "a value that is the default counts, since it was written"
    assert project.config.processes["web"] == ProcessConfig(command="gunicorn app:app", count=3)
    assert project.config.processes["worker"].count == 2
    assert project.config.env == {"COLOR": "green", "SIZE": "1"}


def test_an_unknown_environment_names_those_there_are() -> None:
    with pytest.raises(RigError) as caught:
        parse_project(WHOLE.encode(), environment="staging")
    assert caught.value.code == "not_found"
    assert caught.value.details["environments"] == ["prod"]


def test_a_folder_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    assert (project.path, project.app, project.config) == ("", "", AppConfig())
    with pytest.raises(RigError) as caught:
        load_project(tmp_path, "prod")
    assert caught.value.code == "not_found"


def test_only_the_given_folder_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text('app = "above"')
    (tmp_path / "below").mkdir()
    assert load_project(tmp_path / "below").app == ""
    assert load_project(tmp_path).app == "above"
    assert load_project(tmp_path / "rig.toml").app == "above"
    (tmp_path / "README.md").write_text("# Above\n")
    with pytest.raises(RigError, match=r"README.md` is a file") as refused:
        load_project(tmp_path / "README.md")
    assert refused.value.exit == 64


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(RigError) as caught:
        load_project(tmp_path / "other.toml")
    assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('app = "x"\n[build]\ntimout = 3', 3, "`timout` in [build] is not known", "Did you mean `timeout`?"),
        ("timeout = 3", 1, "`timeout` is not known", "Did you mean `timeout` in [build]?"),
        ("[helth]", 1, "`helth` is not known", "Did you mean `health`?"),
        ("[processes.web]\ncomand = 'a'", 2, "`comand` in [processes.web] is not known", "`command`"),
        ("[processes]\nweb = {comand = 'a'}", 2, "`comand` in [processes.web] is not known", "`command`"),
        ('[build]\ntimeout = "3"', 2, "`timeout` in [build]: expected a whole number, got a text", ""),
        ("[build]\ntimeout = 0", 2, "`timeout` in [build]: expected a whole number >= 1", ""),
        ("[env]\nA = 3", 2, "`A` in [env]: expected a text", 'A = "3"'),
        ('[env]\n"a-b" = "x"', 2, "`a-b` in [env] cannot be `a-b`", "no digit first"),
        ('app = "Shop"', 1, "`app` cannot be `Shop`", "lower-case"),
        ('[health]\npath = "up"', 2, "`path` in [health] cannot be `up`", "begins with `/`"),
        ('[build]\nbuilder = "ruby"', 2, "`builder` in [build] cannot be `ruby`", "`static`"),
        ("build = 3", 1, "`build`: expected a table", ""),
        ("[environments.prod.health]\npth = 1", 2, "`pth` in [environments.prod.health] is not known", "`path`"),
        ("[build]\n\nx = [", 3, "invalid value", "toml.io"),
        ("a = 1\na = 2", 2, "cannot overwrite a value", "toml.io"),
    ],
)
def test_a_mistake_is_shown_with_its_line_and_what_was_meant(text: str, line: int, message: str, hint: str) -> None:
    error = refused(text)
    assert error.message.startswith(f"rig.toml, line {line}: {message}")
    assert hint in error.hint
    assert error.details["line"] == line


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(RigError, match=r"rig\.toml, line 2: it is not UTF-8"):
        parse_project(b"# fine\n# \xff\n")
    with pytest.raises(RigError, match="larger"):
        parse_project(b"#" * (SIZE_LIMIT + 1))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    code = ""
    try:
        parse_project(text.encode("utf-8", "surrogatepass"))
    except RigError as error:
        code = error.code
    assert code in ("", "bad_config")


def test_lines_are_found_behind_strings_of_many_lines() -> None:
    text = 'env.A = """\n[build]\ntimeout = 1\n"""\n[build] # here\ntimeout = 2\n'
    assert line_of(text, ("build", "timeout")) == 6
    assert line_of(text, ("build", "command")) == 5
    assert line_of(text, ("env", "A")) == 1
    assert line_of(text, ("deploy",)) == 0


def test_loading_is_cheap() -> None:
    script = (
        "import sys; before = set(sys.modules); import rig.clients.project\n"
        # Whoever measures coverage has imported some of them before.
        "new = set(sys.modules) - before\n"
        "heavy = {'asyncio', 'tomlkit', 'tomllib', 'difflib', 'pathlib', 'rich', 'typer'} & new\n"
        "print(*heavy)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "rig-toml.md").read_text()
    tables: dict[str, type[msgspec.Struct]] = {
        "build": BuildConfig,
        "health": HealthConfig,
        "deploy": DeployConfig,
        "processes.NAME": ProcessConfig,
    }
    for table, config in tables.items():
        section = page.split(f"[{table}]", 2)[-1]
        missing = [field.name for field in fields(config) if f"| `{field.name}` |" not in section]
        assert not missing, (table, missing)
    for field in fields(ProjectFile):
        assert f"[{field.name}" in page or f"| `{field.name}` |" in page
