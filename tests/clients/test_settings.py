"""Settings: who has the last word, and what is said about a file that is wrong."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from rig.clients.home import find_home, make_folder
from rig.clients.settings import FileSettings
from rig.contract.settings import SETTINGS
from rig.kernel.errors import RigError


def settings(folder: Path, text: str = "", environ: dict[str, str] | None = None, **flags: str) -> FileSettings:
    path = folder / "settings.toml"
    if text:
        path.write_text(text)
    return FileSettings(str(path), environ or {}, flags)


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    text, environ = 'color = "auto"\noutput = "csv"\n', {"RIG_OUTPUT": "yaml"}
    path = tmp_path / "settings.toml"
    seen = [
        settings(tmp_path).show("output"),
        settings(tmp_path, text).show("output"),
        settings(tmp_path, text, environ).show("output"),
        settings(tmp_path, text, environ, output="json").show("output"),
    ]
    assert [(one.value, one.origin, one.where) for one in seen] == [
        ("table", "default", ""),
        ("csv", "file", f"{path}:2"),
        ("yaml", "environment", "RIG_OUTPUT"),
        ("json", "flag", "--output"),
    ]


@pytest.mark.parametrize(
    ("environ", "value", "where"),
    [
        ({"NO_COLOR": "1"}, "never", "NO_COLOR"),
        ({"NO_COLOR": ""}, "auto", ""),
        ({"NO_COLOR": "1", "RIG_COLOR": "always"}, "never", "NO_COLOR"),
        ({"RIG_COLOR": "always"}, "always", "RIG_COLOR"),
    ],
)
def test_no_color_is_obeyed(tmp_path: Path, environ: dict[str, str], value: str, where: str) -> None:
    shown = settings(tmp_path, environ=environ).show("color")
    assert (shown.value, shown.where) == (value, where)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('\n\noutptu = "json"\n', "settings.toml:3: there is no setting `outptu`", "Did you mean `output`?"),
        ('# hi\noutput = "jsno"\n', "settings.toml:2: `output` cannot be `jsno`", "Did you mean `json`?"),
        ("output = 3\n", "settings.toml:1: `output` cannot be `3`", "It is table, json"),
        ("[output]\nx = 1\n", "settings.toml:1: `output` cannot be", "It is table, json"),
        ("output = \n", "is not TOML", "Correct it"),
        ("output = '\xff'\n", "is not TOML", "Correct it"),
        (f"output = {'[' * 100_000}", "nested too deeply", "Correct it"),
        (f"{'.'.join(['output'] * 100_000)} = 1", "too many parts", "Correct it"),
        (f"output = {'9' * 5_000}", "is not TOML", "Correct it"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_suggestion(tmp_path: Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "settings.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(RigError) as refused:
        settings(tmp_path).get("output")
    assert (refused.value.code, refused.value.exit) == ("bad_config", 78)
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="RIG_OUTPUT: `output` cannot be `xml`"):
        settings(tmp_path, environ={"RIG_OUTPUT": "xml"}).get("output")


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigError) as refused:
        settings(tmp_path).set("colour", "never")
    assert (refused.value.code, refused.value.hint) == ("usage", "Did you mean `color`?")


def test_to_set_keeps_comments_and_order(tmp_path: Path) -> None:
    mine = settings(tmp_path, '# mine\ncolor = "never" # dark room\noutput = "csv"\n')
    assert mine.set("output", "json").value == "json"
    assert mine.set("network", "demo").origin == "file"
    assert (tmp_path / "settings.toml").read_text() == (
        '# mine\ncolor = "never" # dark room\noutput = "json"\nnetwork = "demo"\n'
    )
    assert mine.set("output", "").origin == "default"
    assert "output" not in (tmp_path / "settings.toml").read_text()
    with pytest.raises(RigError) as refused:
        mine.set("output", "xml")
    assert refused.value.code == "invalid_data"


def test_to_set_what_the_environment_overrides_says_so(tmp_path: Path) -> None:
    mine = settings(tmp_path, environ={"RIG_OUTPUT": "yaml"})
    assert mine.set("output", "json").origin == "environment"
    assert mine.stored("output") == "json"


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "settings.toml"
    real.write_text('color = "never"\n')
    (tmp_path / "settings.toml").symlink_to(real)
    settings(tmp_path).set("output", "json")
    assert (tmp_path / "settings.toml").is_symlink()
    assert "json" in real.read_text()


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    values = {"network": "demo", "output": "json", "color": "never", "keychain": "off"}
    threads = [threading.Thread(target=settings(tmp_path).set, args=item) for item in values.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: settings(tmp_path).get(key) for key in values} == values


def test_keychain_may_be_a_boolean(tmp_path: Path) -> None:
    assert settings(tmp_path, "keychain = false\n").get("keychain") == "off"


def test_every_setting_has_a_valid_default_and_a_description(tmp_path: Path) -> None:
    rows = settings(tmp_path).rows()
    assert [row.key for row in rows] == list(SETTINGS)
    assert all(row.origin == "default" and row.description.endswith(".") for row in rows)


def test_reading_needs_no_tomlkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    assert settings(tmp_path, 'output = "csv"\n').get("output") == "csv"


def test_rig_home_holds_everything(tmp_path: Path) -> None:
    home = find_home({"RIG_HOME": str(tmp_path)})
    for path in (home.settings, home.contexts, home.tokens, home.node, home.cache, home.runtime):
        assert Path(path).is_relative_to(tmp_path)
    assert home.single
    assert not find_home({}).single


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RigError, match="cannot be made") as refused:
        make_folder(str(tmp_path / "file" / "config"))
    assert refused.value.code == "bad_config"
