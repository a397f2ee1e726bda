"""`max.toml`: what is refused, with file and line, and what was probably meant."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rig.clients.configuration import LIMIT, load_configuration, parse_configuration
from rig.contract.configuration import AppTable, Configuration
from rig.kernel.errors import RigError

WHOLE = """
network = "demo"
[env]
REGION = "eu"
[secrets]
DB_URL = ""
[apps.empty]
[apps.shop.env]
COLOR = "blue"
[apps.shop.secrets]
KEY = "digest:0123abcd"
[apps.shop.processes]
web = 2
"""


def test_what_a_file_may_say() -> None:
    assert parse_configuration(WHOLE.encode(), "max.toml") == Configuration(
        network="demo",
        env={"REGION": "eu"},
        secrets={"DB_URL": ""},
        apps={
            "empty": AppTable(),
            "shop": AppTable(env={"COLOR": "blue"}, secrets={"KEY": "digest:0123abcd"}, processes={"web": 2}),
        },
    )


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ("[aps.shop]", 2, "Did you mean `apps`?"),
        ("[apps.shop.proceses]\nweb = 2", 2, "Did you mean `processes`?"),
        ("[apps.shop.env]\nSIZE = 2", 3, 'Write it in quotes: `SIZE = "2"`'),
        ('[apps.shop.processes]\nweb = "2"', 3, "`web` in [apps.shop.processes]: expected a whole number"),
        ("[apps.shop.processes]\nweb = 101", 3, "<= 100"),
        ('[apps.shop]\nmemory = "much"', 3, "a size as 512M or 1G"),
        ("[apps.shop.memory]\nweb = 512", 3, 'Write it in quotes: `web = "512"`'),
        ("[apps.Shop]", 2, "`Shop` in [apps]"),
        ('[env]\n"my-name" = "1"', 3, "no digit first"),
        ('[env]\nA = "1"\nPORT = "80"', 4, "a port of its own"),
        ('[apps.shop.env]\nA = "1"\n[apps.shop.secrets]\nA = ""', 3, "a variable and a secret at once"),
        ('[apps.shop.secrets]\nKEY = "digest:hunter2"', 3, "the beginning of a digest"),
        ("[env", 2, "toml.io"),
        ("[apps.shop.env]\n[apps.shop.env]", 3, "cannot declare `apps.shop.env` twice"),
        ("[env]\n[env]", 3, "cannot declare `env` twice"),
    ],
)
def test_what_is_wrong_with_it_and_where(line: str, place: int, said: str) -> None:
    with pytest.raises(RigError) as refused:
        parse_configuration(f'network = "demo"\n{line}\n'.encode(), "max.toml")
    assert refused.value.code == "bad_config"
    assert f"max.toml, line {place}: " in refused.value.message
    assert said in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "value", ['"hunter2"', '"0123456789abcdef"', "123456", "[1, 2, 123456]", "true", '{a = "hunter2"}']
)
def test_a_secret_that_stands_in_it_is_not_repeated(value: str) -> None:
    with pytest.raises(RigError) as refused:
        parse_configuration(f'network = "demo"\n[secrets]\nKEY = {value}\n'.encode(), "max.toml")
    assert "max.toml, line 3: `KEY` in [secrets] is not empty, or `digest:`" in refused.value.message
    told = f"{refused.value.message}{refused.value.hint}{refused.value.details}"
    assert not any(part in told for part in ("hunter2", "0123456789abcdef", "123456"))


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"[env]\nA = '1'\n", "bad_config", "does not name its network"),
        (b"network = 'demo'\nx = '" + b"x" * LIMIT + b"'\n", "too_large", "larger than"),
        (b"network = '\xff'\n", "bad_config", "UTF-8"),
    ],
)
def test_what_is_no_such_file(data: bytes, code: str, said: str) -> None:
    with pytest.raises(RigError) as refused:
        parse_configuration(data, "max.toml")
    assert (refused.value.code, said in refused.value.message) == (code, True)


def test_it_comes_from_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max.toml").write_text(WHOLE)
    found = load_configuration(str(tmp_path / "max.toml"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(WHOLE.encode())))
    assert load_configuration("-") == found
    for path, code in (("nothing.toml", "not_found"), (".", "bad_config")):
        with pytest.raises(RigError) as refused:
            load_configuration(str(tmp_path / path))
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("{a=" * 50_000 + "1" + "}" * 50_000, "nested too deeply"),
        ("9" * 5_000, "too many digits"),
        ("1\n" + ".".join(["a"] * 200_000) + " = 1", "nested too deeply"),
        ('1\n["a". ' + ".".join(["'b c'"] * 100_000) + "]", "nested too deeply"),
    ],
)
def test_a_file_that_is_made_to_break_its_reader_is_refused(value: str, said: str) -> None:
    with pytest.raises(RigError) as refused:
        parse_configuration(f'network = "demo"\nx = {value}\n'.encode(), "max.toml")
    assert refused.value.code == "bad_config"
    assert said in refused.value.message
