"""Settling what was cut off while others are at it: an end is recorded once, whoever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated
from events.command import CommandCompleted, CommandReceived
from handlers.reconcile import decide, reconcile, settle, unsettled
from rig.contract.intents import Intent
from rig.kernel.ports import Draft, OutboxRow, Settled, Stamp
from storage.journal import Journal
from tests.storage.support import START, open_journal, stamp

GONE = "0:1"
"""A process that does not run: none has this number."""
STREAM = "command:change-1"
ASKING = msgspec.structs.replace(stamp(id="asking"), context="local")


class Platform:
    """Says that every change succeeded. ``meanwhile`` is done before it answers."""

    def __init__(self, meanwhile: Any = None, state: Any = "succeeded") -> None:
        self.meanwhile = meanwhile
        self.state = state
        self.asked = 0

    def call(self, command: Any, reply: Any, *, key: str = "", corr: str = "") -> Any:
        self.asked += 1
        if self.meanwhile:
            self.meanwhile()
        return Intent(key=command.key, state=self.state)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path) as journal:
        yield journal


def begin(journal: Journal, process: str = GONE, command: str = "network.create", **arguments: Any) -> None:
    fact = CommandReceived(command=command, arguments=arguments, context="local", process=process)
    row = OutboxRow(idem="change-1", key="demo", fingerprint="00" * 32, body=b"{}")
    draft = Draft(stream=STREAM, fact=fact, target="demo", outcome="unknown")
    journal.append([draft], change(), outbox=row)


def end(journal: Journal, state: str = "delivered") -> None:
    draft = Draft(stream=STREAM, fact=CommandCompleted(command="network.create"), target="demo")
    journal.append([draft], change(), settle=Settled(idem="change-1", state=state))


def change() -> Stamp:
    return msgspec.structs.replace(stamp(id="change-1"), context="local")


def ends(journal: Journal) -> int:
    return sum(isinstance(record.fact, CommandCompleted) for record in journal.stream(STREAM))


def test_a_change_that_was_cut_off_is_settled_once(journal: Journal) -> None:
    begin(journal)
    platform = Platform()
    (said,) = reconcile(journal, platform, ASKING)
    assert "network.create" in said
    assert "succeeded" in said
    assert reconcile(journal, platform, ASKING) == []
    assert (ends(journal), platform.asked) == (1, 1)


def test_what_came_of_a_change_belongs_to_it_and_not_to_the_command_that_asked(journal: Journal) -> None:
    begin(journal, command="deploy")
    (found,) = unsettled(journal, "local", START)
    drafts = decide(found, Intent(key="change-1", state="succeeded"), [AppCreated(name="demo")])
    assert [(draft.stream, draft.caus) for draft in drafts] == [("app:demo", "change-1"), (STREAM, "")]


@pytest.mark.parametrize("resume", [True, False])
def test_one_that_only_watched_another_is_settled_without_a_word(journal: Journal, resume: bool) -> None:
    begin(journal, command="deploy", resume=resume)
    said = reconcile(journal, Platform(state="none"), ASKING)
    assert bool(said) is not resume
    assert ends(journal) == 1


def test_a_change_whose_process_ends_it_while_we_look_is_left_alone(journal: Journal) -> None:
    """The rows were read while it was still pending, its records after its end."""
    begin(journal)

    class Late:
        """A journal whose rows are those of a moment ago."""

        def __init__(self) -> None:
            self.before = list(journal.rows("SELECT idem, state FROM outbox"))
            end(journal)

        def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
            return iter(self.before)

        def __getattr__(self, name: str) -> Any:
            return getattr(journal, name)

    assert unsettled(Late(), "local", START) == []


def test_two_that_settle_the_same_change_record_one_end(journal: Journal) -> None:
    begin(journal)
    (found,) = unsettled(journal, "local", START)
    other = Platform(meanwhile=lambda: end(journal))
    assert settle(found, journal, other, ASKING) == ""
    assert ends(journal) == 1


def test_an_end_that_is_not_known_is_asked_for(journal: Journal) -> None:
    begin(journal)
    end(journal, state="unknown")
    assert len(reconcile(journal, Platform(), ASKING)) == 1
    assert reconcile(journal, Platform(), ASKING) == []
