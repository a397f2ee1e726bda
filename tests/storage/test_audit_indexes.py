"""Every question to the audit log is answered by an index, however long the record is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handlers import audit_answer, audit_changes, audit_stats, inverse_settings, list_audit, undo
from handlers.audit_answer import answer, everything
from handlers.audit_query import question
from rig.contract.review import AuditFilter, ListAudit
from storage.journal import Journal
from storage.migrate import statements
from storage.projections import audit
from storage.projections.audit import AuditProjection
from storage.projections.folding import is_index
from tests.storage.records import Ports, context, open_record
from tests.storage.support import completed, received, stamp

NOW = 1_800_000_000_000_000_000
SINGLE: dict[str, list[Any]] = {
    "actor": ["user:ana", "user:*"],
    "target": ["demo/shop", "demo/*"],
    "action": ["deploy", "app.*"],
    "outcome": ["success", "failure", "denied", "unknown"],
    "since": ["2h"],
    "until": ["2h"],
    "env": ["production", "prod*"],
    "src": ["laptop", "10.0.*"],
    "session": ["one", "o*"],
    "corr": ["two", "t*"],
    "denied": [True],
    "privileged": [True],
}
"""The filters, without words, which have an index of their own; and without the record that is asked."""
TOGETHER: list[dict[str, Any]] = [
    {},
    {"actor": "user:ana", "since": "2h"},
    {"target": "demo/*", "since": "9d", "until": "2h"},
    {"actor": "user:ana", "target": "demo/shop", "action": "app.*", "outcome": "denied"},
]
ASKED = [*TOGETHER, *({name: value} for name, values in SINGLE.items() for value in values)]


class Planned:
    """A record that notes how SQLite finds what it is asked for."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.plans: list[tuple[str, list[str]]] = []

    def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
        steps = [row["detail"] for row in self._journal.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        self.plans.append((sql, steps))
        return iter(list(self._journal.rows(sql, parameters)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def scans(self) -> list[tuple[str, str]]:
        """Queries that look at rows of the table in no order that an index gives."""
        return [(sql, step) for sql, steps in self.plans for step in steps if step == "SCAN audit"]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with open_record(tmp_path_factory.mktemp("planned")) as journal:
        for number in range(40):
            who, corr = ("user:ana", "user:ben")[number % 2], f"c{number}"
            journal.append([received(f"command:{number}", "app.create", f"demo/app{number}")], stamp(who, corr))
            outcome = "denied" if number % 7 == 0 else "success"
            journal.append([completed(f"command:{number}", "app.create", outcome)], stamp(who, corr))
        yield journal


def test_the_filters_of_this_test_are_all_that_there_are() -> None:
    assert {*SINGLE, "text", "source"} == set(AuditFilter.__struct_fields__)


@pytest.mark.parametrize("rare", [2_000, 3])
@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("filters", ASKED, ids=str)
def test_a_filter_is_answered_by_an_index(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any], changes: bool, rare: int
) -> None:
    monkeypatch.setattr(audit_answer, "RARE", rare)
    planned, texts = Planned(journal), Ports(tmp_path).texts
    asked = question(AuditFilter(**filters), NOW, changes=changes)
    answer(planned, asked, 51, texts)
    list(everything(planned, asked, texts))
    assert planned.plans
    assert planned.scans() == []
    for name in SINGLE.keys() & filters.keys() & {"actor", "target", "action", "env", "src", "session", "corr"}:
        steps = [step for _, steps in planned.plans for step in steps]
        assert any(step.startswith("SEARCH audit") and f" audit_{name} ({name}" in step for step in steps)


def test_what_both_records_have_is_found_by_an_index(journal: Journal, tmp_path: Path) -> None:
    """One record stands for both: whatever is asked of the other one is found there."""
    planned, everybody = Planned(journal), question(AuditFilter(), NOW)
    log = list_audit.handle(ListAudit(all_records=True), context(journal, Ports(tmp_path)))
    assert list_audit.merged(log.entries, planned) == []
    assert len(list(audit_stats.twins(journal, planned, everybody, ["actor"]))) == 40
    (change,) = audit_changes.of_rows(journal, "local", journal.rows("SELECT * FROM audit WHERE pos = 0"))
    change.head["key"] = "laptop/0"
    assert len(audit_changes.joined([change], [], planned)) == 1
    assert audit_changes.told_in(planned, change, question(AuditFilter(actor="user:ana"), NOW))
    assert len(planned.plans) >= 5
    assert planned.scans() == []


def test_what_is_to_be_taken_back_is_found_without_a_scan(journal: Journal, tmp_path: Path) -> None:
    planned = Planned(journal)
    ctx = context(planned, Ports(tmp_path), stamp("user:ben"))
    found = undo.newest(ctx)
    assert (found.target, found.inverse.typed) == ("demo/app39", "rig delete app demo/app39")
    assert inverse_settings.setting_before("output", "json", 2 * 39, ctx) == ""
    assert len(planned.plans) == 3
    assert planned.scans() == []


def test_what_folding_looks_up_has_an_index() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(AuditProjection.ddl):
            if not is_index(statement) or any(f" {name} " in statement for name in AuditProjection.sought_by):
                connection.execute(statement)
        for sql, asked in ((audit.OPEN, ("a", "deploy")), (audit.ENVS, ('["a"]',))):
            (step, *_) = connection.execute(f"EXPLAIN QUERY PLAN {sql}", asked)
            assert step[3].startswith("SEARCH audit USING INDEX")
