"""The help page of a command: everything that can be given, in the width of the terminal."""

from __future__ import annotations

import pytest

from rig.cli.argv import parse
from rig.cli.fields import fields_of
from rig.cli.run import find_verbs, nouns_help
from rig.contract.base import Command
from rig.contract.deploy import Deploy
from rig.contract.members import CreateMember
from rig.contract.review import ListAudit
from rig.verbs import VERBS


@pytest.fixture(autouse=True)
def usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the terminal is in which the tests run."""
    monkeypatch.setenv("COLUMNS", "80")


def page(command: type[Command], capsys: pytest.CaptureFixture[str]) -> str:
    assert parse(command, "rig verb", ["--help"], confirms=False) is None
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_page_fits_and_names_all_that_can_be_given(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for name in VERBS:
        for verb in find_verbs(name).values():
            shown = page(verb.command, capsys)
            flags = [flag for f in fields_of(verb.command) if not f.option.positional for flag in f.flags]
            assert all(part in shown for flag in flags for part in flag.split("/")), name
            text = [line for line in shown.splitlines() if not line.lstrip().startswith("-")]
            assert max(map(len, text)) <= min(width, 100), name


def test_what_stands_in_brackets_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`[environments.NAME]`" in page(Deploy, capsys)


def test_values_are_named_for_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    deploy, audit, member = page(Deploy, capsys), page(ListAudit, capsys), page(CreateMember, capsys)
    assert "--create  " in deploy, "a flag takes no value"
    assert "FOLDER  The folder to deploy. [default: .]" in deploy
    assert "--since TIME" in audit
    assert "--limit N  " in audit
    assert "--role owner|deployer|operator|viewer|auditor" in member
    assert "Usage: rig verb NETWORK NAME [OPTIONS]" in member


def test_a_verb_that_stands_alone_names_those_below_it() -> None:
    assert "rig audit export" in nouns_help("audit", find_verbs("audit"))
