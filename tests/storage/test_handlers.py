"""`rig journal verify`, `rig journal info`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handlers import journal_info, verify_journal
from rig.contract.evidence import JournalInfo, VerifyJournal
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.evidence import TOLD
from rig.kernel.ports import Progress
from storage.evidence import Evidence
from storage.journal import Journal
from tests.storage.support import completed, open_journal, received, stamp, tamper


def context(journal: Journal) -> Context[Any]:
    silent: Any = None
    progress: Progress = silent
    return Context(stamp(), journal, SimpleNamespace(evidence=Evidence(lambda: journal), replica=None), progress)


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with open_journal(tmp_path) as journal:
        journal.append([received("command:1", "network.create", "demo")], stamp("user:ana"))
        journal.append([completed("command:1", "network.create")], stamp("user:ana"))
        journal.append([received("command:2", "app.create", "demo/shop")], stamp("token:ci"))
        journal.append([completed("command:2", "app.create", "denied")], stamp("token:ci"))
        journal.append([received("command:3", "app.delete", "demo/shop")], stamp("user:ana"))
        yield journal


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


def test_what_has_a_place_is_said_first_and_of_each_kind_a_few_are_told(journal: Journal, tmp_path: Path) -> None:
    for number in range(10, 14):
        journal.append([received(f"command:{number}")], stamp("user:ana"))
    tamper(tmp_path, "UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve')")
    with pytest.raises(RigError) as raised:
        verify_journal.handle(VerifyJournal(), context(journal))
    error = raised.value
    findings = error.details["verification"]["findings"]
    first = next(finding for finding in findings if finding["first"] >= 0)
    assert f"{first['code']}, {first['message']} ({len(findings) - 1} more findings)." in error.message
    told = error.details["output"]
    assert f"{first['code']}: {first['message']}" in told
    edited = [finding["message"] for finding in findings if finding["code"] == "EDITED"]
    assert len(edited) == 2 + TOLD
    assert [line for line in told if line.startswith("EDITED")] == [
        *(f"EDITED: {message}" for message in edited[:TOLD]),
        "EDITED: and 2 more",
    ]


def test_a_pin_that_lags_is_a_warning(journal: Journal) -> None:
    Path(f"{journal.pin.path}.new").mkdir()
    journal.append([received("command:4")], stamp())
    asked = context(journal)
    report = journal_info.handle(JournalInfo(), asked)
    assert (report.size, report.pinned) == (6, 5)
    assert "could not be pinned" in asked.warnings[0]
