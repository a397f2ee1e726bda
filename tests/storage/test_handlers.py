"""`rig journal verify`, `rig journal info`, `rig audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers import journal_info, list_audit, verify_journal
from rig.contract.audit import JournalInfo, VerifyJournal
from rig.contract.review import ListAudit
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Draft, Progress
from storage.journal import Journal
from tests.storage.support import START, completed, open_journal, received, stamp, tamper


def context(journal: Journal) -> Context[Any]:
    silent: Any = None
    progress: Progress = silent
    return Context(stamp(), journal, None, progress)


def audit(journal: Journal, **filters: Any) -> list[tuple[str, str]]:
    command = msgspec.convert(filters, ListAudit)
    return [(entry.action, entry.target) for entry in list_audit.handle(command, context(journal)).entries]


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with open_journal(tmp_path) as journal:
        journal.append([received("command:1", "network.create", "demo")], stamp("user:ana"))
        journal.append([completed("command:1", "network.create")], stamp("user:ana"))
        journal.append([received("command:2", "app.create", "demo/shop")], stamp("token:ci"))
        journal.append([completed("command:2", "app.create", "denied")], stamp("token:ci"))
        journal.append([received("command:3", "app.delete", "demo/shop")], stamp("user:ana"))
        yield journal


ALL = [("app.delete", "demo/shop"), ("app.create", "demo/shop"), ("network.create", "demo")]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ALL),
        ({"limit": 2}, ALL[:2]),
        ({"actor": "token:ci"}, ALL[1:2]),
        ({"actor": "user:*"}, [ALL[0], ALL[2]]),
        ({"target": "demo"}, ALL[2:]),
        ({"target": "demo/*"}, ALL[:2]),
        ({"action": "app.create"}, ALL[1:2]),
        ({"action": "app.*"}, ALL[:2]),
        ({"outcome": "denied"}, ALL[1:2]),
        ({"outcome": "unknown"}, ALL[:1]),
        ({"since": rfc3339(START + 3_000_000_000)}, ALL[:2]),
        ({"until": rfc3339(START + 3_000_000_000)}, ALL[2:]),
        ({"since": "1h"}, ALL),
        ({"until": "1h"}, []),
        ({"actor": "' OR 1 --"}, []),
        ({"actor": "user:ana", "action": "network.*", "outcome": "success"}, ALL[2:]),
    ],
    ids=str,
)
def test_the_audit_log_is_filtered_newest_first(
    journal: Journal, filters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert audit(journal, **filters) == expected


def test_the_answer_says_whose_record_it_is_and_how_much_there_is(journal: Journal) -> None:
    log = list_audit.handle(ListAudit(limit=1), context(journal))
    assert (log.record, log.more, len(log.entries)) == ("local", True, 1)
    assert not list_audit.handle(ListAudit(limit=3), context(journal)).more
    (entry,) = log.entries
    assert (entry.outcome, entry.ended_at, entry.actor, entry.src) == ("unknown", "", "user:ana", "laptop")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "2026-11-01T25:00:00", "2 h"])
def test_a_time_that_is_none_is_refused(journal: Journal, text: str) -> None:
    with pytest.raises((RigError, msgspec.ValidationError)):
        audit(journal, since=text)


def test_other_facts_are_entries_too(journal: Journal) -> None:
    from events.network import NetworkCreated

    journal.append([Draft(stream="network:x", fact=NetworkCreated(name="x"), target="x")], stamp())
    assert audit(journal, limit=1) == [("network.created", "x")]


def test_a_whole_journal_verifies(journal: Journal) -> None:
    report = verify_journal.handle(VerifyJournal(), context(journal))
    assert (report.verdict, report.size, report.findings) == ("verified", 5, [])


@pytest.mark.parametrize(
    ("damage", "code", "exit"),
    [("UPDATE event SET actor = 'x' WHERE pos = 1", "tampered", 1), (None, "unverifiable", 65)],
)
def test_one_that_does_not_is_a_failure_with_the_report(
    journal: Journal, tmp_path: Path, damage: str | None, code: str, exit: int
) -> None:
    if damage:
        tamper(tmp_path, damage)
    else:
        (tmp_path / "journal.key").unlink()
    with pytest.raises(RigError) as raised:
        verify_journal.handle(VerifyJournal(), context(journal))
    assert (raised.value.code, raised.value.exit) == (code, exit)
    assert raised.value.details["verification"]["verdict"] == code
    assert raised.value.hint


def test_a_pin_that_lags_is_a_warning(journal: Journal) -> None:
    Path(f"{journal.pin.path}.new").mkdir()
    journal.append([received("command:4")], stamp())
    asked = context(journal)
    report = journal_info.handle(JournalInfo(), asked)
    assert (report.size, report.pinned) == (6, 5)
    assert "could not be pinned" in asked.warnings[0]
