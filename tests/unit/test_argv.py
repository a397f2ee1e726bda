"""Reading a command line: plain ones without typer and to the same result, everything else by typer."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.cli.adapter import parse_with_typer
from rig.cli.argv import Parsed, parse, read
from rig.cli.fields import Field, convert, fields_of
from rig.cli.globals import PREFIX, GlobalOptions, take_word, wanted_format
from rig.contract.accounts import Login
from rig.contract.apps import CreateApp, ListApps, UpdateApp
from rig.contract.base import Command
from rig.contract.deploy import Deploy
from rig.contract.releases import Rollback
from rig.contract.review import ListAudit
from rig.contract.secrets import CreateSecret
from rig.contract.settings import SetSetting
from rig.contract.variables import CreateVars, DeleteVars
from rig.kernel.errors import RigError

COMMANDS: tuple[type[Command], ...] = (
    CreateApp,
    CreateSecret,
    CreateVars,
    DeleteVars,
    Deploy,
    ListApps,
    ListAudit,
    Login,
    Rollback,
    SetSetting,
    UpdateApp,
)


def everything(command: type[Command]) -> dict[str, Field]:
    globals_ = {PREFIX + field.name: field for field in fields_of(GlobalOptions)}
    return {field.name: field for field in fields_of(command)} | globals_


def flags_of(fields: dict[str, Field]) -> list[str]:
    return [part for f in fields.values() if not f.option.positional for flag in f.flags for part in flag.split("/")]


values = st.sampled_from(["demo/hello", "web=2", "json", "1", "", "-", "--", "-x", "--json", "a b", "é"])


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[type[Command], list[str]]:
    command = draw(st.sampled_from(COMMANDS))
    flags = st.sampled_from(flags_of(everything(command)))
    joined = st.builds(lambda flag, value: flag + ("=" if flag.startswith("--") else "") + value, flags, values)
    return command, draw(st.lists(st.one_of(flags, values, joined, st.just("--bogus")), max_size=6))


@settings(deadline=None)  # the first line pays for the import of typer
@given(command_lines())
def test_what_is_read_without_typer_is_what_typer_reads(line: tuple[type[Command], list[str]]) -> None:
    command, argv = line
    fields = everything(command)
    plain = read(fields, argv)
    if plain is not None:
        assert plain == parse_with_typer(command, fields, "rig", argv)


def parsed(command: type[Command], *argv: str, confirms: bool = False) -> Parsed:
    found = parse(command, "rig verb", list(argv), confirms=confirms)
    assert found is not None
    return found


def refused(command: type[Command], *argv: str) -> RigError:
    with pytest.raises(RigError) as caught:
        parse(command, "rig verb", list(argv), confirms=False)
    assert caught.value.exit == 64
    return caught.value


@pytest.mark.parametrize(
    ("command", "argv", "given_fields"),
    [
        (Deploy, [], {}),
        (Deploy, ["src", "--app", "demo/hello", "--create"], {"path": "src", "app": "demo/hello", "create": True}),
        (Deploy, ["-ademo/hello", "--message=why"], {"app": "demo/hello", "message": "why"}),
        (Deploy, ["--message", "--create"], {"message": "--create"}),
        (Deploy, ["--allow-secret", "a", "--allow-secret=b"], {"allow_secret": ["a", "b"]}),
        (Deploy, ["--", "--odd-folder"], {"path": "--odd-folder"}),
        (Login, ["--no-browser"], {"browser": False}),
        (Login, ["--browser", "https://max.example.com"], {"browser": True, "url": "https://max.example.com"}),
        (SetSetting, ["output", "json"], {"key": "output", "value": "json"}),
    ],
)
def test_fields(command: type[Command], argv: list[str], given_fields: dict[str, Any]) -> None:
    assert parsed(command, *argv).given == given_fields
    assert read(everything(command), argv) == given_fields


def test_an_option_that_was_switched_off_stays_off() -> None:
    assert convert(Login, parsed(Login, "--no-browser").given, "rig login") == Login(browser=False)


def test_global_options_and_yes_stand_anywhere() -> None:
    found = parsed(CreateApp, "-o", "json", "demo/hello", "-y", "--query=name", "-v", confirms=True)
    assert found.given == {"app": "demo/hello"}
    assert found.options == GlobalOptions(output="json", query="name", verbose=True)
    assert found.sure


def test_yes_is_no_option_of_what_asks_nothing() -> None:
    assert "--yes" in refused(ListApps, "--yes").message


@pytest.mark.parametrize(
    ("command", "argv", "said"),
    [
        (ListApps, ["--bogus"], "--bogus"),
        (ListApps, ["--limit"], "--limit"),
        (ListApps, ["one", "two"], "takes no arguments"),
        (SetSetting, [], "KEY"),
        (Deploy, ["--create=yes"], "--create"),
        (ListApps, ["-o", "xml"], "--output"),
    ],
)
def test_a_mistake_names_what_is_wrong_and_where_help_is(command: type[Command], argv: list[str], said: str) -> None:
    error = refused(command, *argv)
    assert said in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("command", "values", "message", "hint"),
    [
        (ListApps, {"limit": "many"}, "--limit cannot be `many`.", "It is a whole number."),
        (ListApps, {"limit": "0"}, "--limit cannot be `0`.", "It is a whole number of at least 1."),
        (ListApps, {"limit": "9999"}, "--limit cannot be `9999`.", "It is a whole number of at most 1000."),
        (UpdateApp, {"app": "a/b", "scale": ["web=x"]}, "--scale cannot be `web=x`.", "It is a whole number."),
        (UpdateApp, {"app": "a/b", "scale": ["web=-1"]}, "--scale cannot be `web=-1`.", "number of at least 0."),
        (ListAudit, {"outcome": "good"}, "--outcome cannot be `good`.", "It is one of: success, failure, denied"),
        (ListAudit, {"since": "tomorrow"}, "--since cannot be `tomorrow`.", "2h for two hours ago."),
        (Rollback, {"app": "a/b", "version": "one"}, "VERSION cannot be `one`.", "A release, as v3."),
        (CreateApp, {"app": "no"}, "APP cannot be `no`.", "network/app"),
    ],
)
def test_a_wrong_value_names_its_option_and_says_what_it_may_be(
    command: type[Command], values: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(RigError) as caught:
        convert(command, values, "rig verb")
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_pairs_become_a_map() -> None:
    assert convert(UpdateApp, {"app": "demo/hello", "scale": ["web=2", "worker=0"]}, "rig").scale == {
        "web": 2,
        "worker": 0,
    }
    for wrong in ("web", "=2"):
        with pytest.raises(RigError, match="TYPE=N"):
            convert(UpdateApp, {"app": "demo/hello", "scale": [wrong]}, "rig")


@pytest.mark.parametrize(
    ("argv", "split"),
    [
        (["list", "apps"], ([], "list", ["apps"])),
        (["-o", "json", "list"], (["-o", "json"], "list", [])),
        (["-ojson", "--query=a", "-v", "list", "-q"], (["-ojson", "--query=a", "-v"], "list", ["-q"])),
        (["--json"], (["--json"], "", [])),
        (["--no-color", "--help", "deploy"], (["--no-color"], "", ["--help", "deploy"])),
        ([], ([], "", [])),
    ],
)
def test_the_verb_is_the_first_word(argv: list[str], split: tuple[list[str], str, list[str]]) -> None:
    assert take_word(argv) == split


def test_an_option_before_the_verb_is_a_global_one() -> None:
    with pytest.raises(RigError, match="--app"):
        take_word(["--app", "demo/hello", "deploy"])


@pytest.mark.parametrize(
    ("argv", "environment", "wanted"),
    [
        (["foo", "--json"], "", "json"),
        (["-o", "jsonl", "foo"], "", "jsonl"),
        (["foo", "-oyaml"], "json", "yaml"),
        (["foo", "--output=csv"], "", "csv"),
        (["foo", "--", "--json"], "", "table"),
        (["foo", "-o"], "", "table"),
        (["foo"], "json", "json"),
        (["foo", "-o", "table"], "json", "table"),
        (["foo"], "nonsense", "table"),
    ],
)
def test_a_command_line_that_cannot_be_understood_is_answered_in_the_format_it_asks_for(
    argv: list[str], environment: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIG_OUTPUT", environment)
    assert wanted_format(argv) == wanted


def test_plain_command_lines_do_without_typer() -> None:
    code = (
        "import sys; from rig.cli.argv import parse; from rig.contract.deploy import Deploy;"
        "parse(Deploy, 'rig deploy', ['src', '--app', 'demo/hello', '-o', 'json'], confirms=False);"
        "print(sorted({'typer', 'rich', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
