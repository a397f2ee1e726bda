"""Which records of the node's journal somebody gets to see."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.contract.replica import ListRecords
from rig.node.accounts.principal import Principal
from rig.node.handlers.list_records import Header, handle, visible
from storage.checkpoint import parse_verifier_key
from storage.evidence import Evidence
from storage.heartbeat import QUIET, SECOND
from storage.replica import Replica
from storage.witness import cosigned_at
from tests.storage.records import PROJECTIONS, context, open_record
from tests.storage.support import FakeClock, open_journal, received, stamp

PEOPLE = {
    "owner": Principal(actor="user:owner", name="owner", owner=True),
    "auditor": Principal(actor="user:audit", name="audit", roles={"*": "auditor"}),
    "demo-auditor": Principal(actor="user:demo-audit", name="demo-audit", roles={"demo": "auditor"}),
    "viewer": Principal(actor="user:vera", name="vera", roles={"demo": "viewer"}),
    "stranger": Principal(actor="user:eve", name="eve", roles={"other": "owner"}),
}
RECORDS = {
    "app": Header("app:demo/shop", "user:ana", "demo/shop"),
    "network": Header("network:demo", "user:ana", "demo"),
    "command": Header("command:1", "user:ana", "demo/shop"),
    "network command": Header("command:2", "user:ana", "demo"),
    "account": Header("account:ana", "user:ana", "ana"),
    "account by the name of the network": Header("account:demo", "user:ana", "demo"),
    "node": Header("node", "system:node", "node"),
    "witness": Header("witness:rig/client/1", "user:ana", "rig/client/1"),
    "witness by the name of the network": Header("witness:demo/x", "user:ana", "demo/x"),
    "their own": Header("command:3", "user:vera", ""),
}
HISTORY = {"app", "network"}
SEES: dict[str, set[str]] = {
    "owner": set(RECORDS),
    "auditor": set(RECORDS),
    "demo-auditor": HISTORY | {"command", "network command"},
    "viewer": HISTORY | {"their own"},
    "stranger": set(),
}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("who", PEOPLE)
def test_who_sees_what(who: str, record: str) -> None:
    assert visible(RECORDS[record], PEOPLE[who]) == (record in SEES[who])


def test_a_replica_begins_behind_what_was_archived(tmp_path: Path) -> None:
    with open_record(tmp_path, "node") as journal:
        for number in range(9):
            journal.append([received(f"command:{number}", "app.create", "demo/shop")], stamp(id=f"c{number}"))
        fifth = next(journal.rows("SELECT at FROM event WHERE pos = 5"))["at"]
        Evidence(lambda: journal).archive(fifth, str(tmp_path / "archive.jsonl"), stamp())
        ports: Any = SimpleNamespace(principal=PEOPLE["owner"])
        page = handle(ListRecords(), context(journal, ports))
        assert (page.first, len(page.records), page.size) == (5, journal.info().size - 5, journal.info().size)
        replica = Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)
        assert not replica.extend(page, asked=0, at=1)
        assert replica.verify() == []
        assert handle(ListRecords(after=page.size - 1), context(journal, ports)).records == []
        replica.close()


def test_a_page_is_whole_whatever_is_appended_while_it_is_read(tmp_path: Path) -> None:
    with open_record(tmp_path, "node") as journal:

        class Busy:
            """Somebody appends a record, which replaces the newest checkpoint, at every step."""

            def __getattr__(self, name: str) -> Any:
                journal.append([received(f"command:{journal.info().size}", "app.create", "demo/shop")], stamp())
                return getattr(journal, name)

        busy: Any = Busy()
        page = handle(ListRecords(), context(busy, SimpleNamespace(principal=PEOPLE["owner"])))
    assert (page.first, len(page.records)) == (0, page.size)
    with closing(Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)) as replica:
        assert not replica.extend(page, asked=0, at=1)
        assert replica.verify() == []


def test_who_keeps_the_newest_page_keeps_when_nothing_had_happened(tmp_path: Path) -> None:
    """The time of a heartbeat is in the note, so the platform cannot take it back."""
    clock = FakeClock()
    with open_journal(tmp_path, *PROJECTIONS, clock=clock) as journal:
        journal.append([received("command:1", "app.create", "demo/shop")], stamp())
        clock.at += QUIET * SECOND
        assert journal.beat()
        page = handle(ListRecords(), context(journal, SimpleNamespace(principal=PEOPLE["owner"])))
    with closing(Replica(str(tmp_path / "replica.sqlite"), PROJECTIONS)) as replica:
        assert not replica.extend(page, asked=0, at=1)
        assert replica.verify() == []
        (kept,) = replica.rows("SELECT note FROM head")
    name, public = parse_verifier_key(page.verifier)
    assert cosigned_at(kept["note"], name, public) == clock.at // SECOND
