"""A replica that somebody changed who can write to its file: each kind of change is found, and named."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handlers.verify_journal import with_any
from rig.contract.verification import Verification
from rig.kernel.errors import RigError
from tests.storage.records import Ports, context, open_record, replica_of
from tests.storage.support import received, stamp

WITHHELD = "rec = NULL, id = NULL, stream = NULL, ver = NULL, type = NULL, corr = NULL"
HIDDEN_FROM_AN_INDEX = """
DROP INDEX event_stream;
CREATE INDEX event_stream ON event(stream, ver) WHERE stream IS NOT NULL AND pos <> 2;
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql = replace(sql, ' AND pos <> 2', '') WHERE name = 'event_stream';
"""


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE event SET rec = replace(rec, 'demo/shop', 'demo/sham') WHERE pos = 2", "EDITED"),
        ("UPDATE event SET leaf = zeroblob(32) WHERE pos = 2", "EDITED"),
        (f"UPDATE event SET {WITHHELD}, leaf = zeroblob(32) WHERE pos = 4", "ROOT_MISMATCH"),
        (f"UPDATE event SET {WITHHELD} WHERE pos = 4", "PROJECTION_MISMATCH"),
        ("DELETE FROM event WHERE pos = 2", "GAP"),
        ("DELETE FROM event WHERE pos = 4", "TRUNCATED"),
        ("UPDATE event SET rec = '{}' WHERE pos = 1", "EDITED"),
        ("UPDATE head SET note = replace(note, '5', '6')", "BAD_SIGNATURE"),
        ("UPDATE head SET forked = 'it lied'", "FORKED"),
        ("UPDATE event SET pos = -pos WHERE pos = 3", "GAP"),
        ("UPDATE event SET stream = 'app:demo/other' WHERE pos = 2", "COLUMN_MISMATCH"),
        ("UPDATE event SET corr = 'another' WHERE pos = 2", "COLUMN_MISMATCH"),
        ("UPDATE event SET stream = 'command:2' WHERE pos = 3", "COLUMN_MISMATCH"),
        ("UPDATE audit SET outcome = 'success' WHERE pos = 2", "PROJECTION_MISMATCH"),
        ("DELETE FROM audit WHERE pos = 2", "PROJECTION_MISMATCH"),
        ("UPDATE projection SET pos = 4 WHERE name = 'audit'", "PROJECTION_MISMATCH"),
        ("UPDATE projection SET code_version = 99 WHERE name = 'audit'", "PROJECTION_UNKNOWN"),
        (HIDDEN_FROM_AN_INDEX, "DAMAGED"),
        ("UPDATE head SET note = 'nothing of the kind'", "DAMAGED"),
    ],
)
def test_a_replica_that_was_changed_does_not_verify(tmp_path: Path, statement: str, code: str) -> None:
    """Of its five records the fourth is withheld."""
    with open_record(tmp_path / "node", "node") as node:
        for number in range(5):
            node.append([received(f"command:{number}", "app.create", "demo/shop")], stamp(id=f"c{number}"))
        replica = replica_of(tmp_path, node, shown=lambda rec: json.loads(rec)["pos"] != 3)
    assert replica.verify() == []
    replica.close()
    with closing(sqlite3.connect(replica.path)) as connection:
        connection.executescript(statement)
    assert [finding.code for finding in replica.verify()] == [code]
    replica.close()


def test_a_file_that_is_no_database_is_a_finding_and_can_be_fetched_again(tmp_path: Path) -> None:
    with open_record(tmp_path / "node", "node") as node:
        replica = replica_of(tmp_path, node)
        replica.close()
        Path(replica.path).write_bytes(b"x" * 9000)
        report = with_any(Verification(verdict="verified", path="x"), replica, context(node, Ports(tmp_path, replica)))
        assert (report.verdict, [finding.code for finding in report.findings]) == ("tampered", ["DAMAGED"])
        with pytest.raises(RigError, match=f"{replica.path}, is damaged") as told:
            replica.size()
        assert "`rig audit --sync` fetches it again" in told.value.hint
