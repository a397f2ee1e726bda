"""Tables and indexes as SQLite keeps them, in one go and slice by slice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from storage import verify_indexes
from storage.verify_indexes import check_table
from tests.storage.support import fill, findings, open_journal, received, stamp
from tests.storage.tampering import replace_index

COUNT = 20


def messages(folder: Path, table: str = "audit") -> list[str]:
    return [message for _, message, _, _ in check_table(str(folder / "journal.sqlite"), table, 1.0)]


@pytest.fixture(params=["in one go", "in slices"])
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A journal of some records, which is checked as a short one or as a long one."""
    if request.param == "in slices":
        monkeypatch.setattr(verify_indexes, "LONG", 1)
        monkeypatch.setattr(verify_indexes, "SLICE", 6)
    fill(tmp_path, COUNT)
    return tmp_path


def test_what_was_left_alone_is_whole(folder: Path) -> None:
    path = str(folder / "journal.sqlite")
    tables = verify_indexes.tables_of(path, 1.0)
    assert {"event", "audit", "head"} <= set(tables)
    assert [found for table in tables for found in check_table(path, table, 1.0)] == []


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("audit_actor", "CREATE INDEX audit_actor ON audit(actor, at) WHERE pos <> 13"),
        ("event_stream", "CREATE UNIQUE INDEX event_stream ON event(stream, ver) WHERE pos <> 13"),
        ("event_corr", "CREATE INDEX event_corr ON event(corr) WHERE corr IS NOT NULL AND pos <> 13"),
        ("audit_actor", "CREATE INDEX audit_actor ON audit(target, at)"),
        ("event_idem", "CREATE UNIQUE INDEX event_idem ON event(id)"),
    ],
    ids=["a row hidden", "a record hidden", "hidden from some only", "other columns", "rows that it is not about"],
)
def test_an_index_that_leads_to_other_rows_is_found(folder: Path, name: str, made: str) -> None:
    replace_index(folder, name, made)
    found = messages(folder, name.partition("_")[0])
    assert found
    assert all(name in message for message in found)
    assert findings(folder)[0] == "tampered"


@pytest.mark.parametrize("kind", ["STRICT", "STRICT, WITHOUT ROWID"])
def test_entries_for_rows_that_a_partial_index_is_not_about(folder: Path, kind: str) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        connection.execute(f"CREATE TABLE door (name TEXT PRIMARY KEY, state TEXT NOT NULL) {kind}")
        connection.executemany("INSERT INTO door VALUES (?, ?)", [("front", "open"), ("back", "shut")])
        connection.execute("CREATE INDEX door_open ON door(name) WHERE state = 'open'")
    assert messages(folder, "door") == []
    replace_index(folder, "door_open", "CREATE INDEX door_open ON door(name)")
    assert any("door_open" in message for message in messages(folder, "door"))


@pytest.mark.parametrize(
    ("name", "columns"), [("event_id", "id"), ("event_stream", "stream, ver"), ("event_idem", "idem")]
)
def test_a_key_that_may_be_there_once_only(folder: Path, name: str, columns: str) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        connection.execute(f"DROP INDEX {name}")
        connection.execute("DROP TRIGGER event_is_never_changed")
        connection.execute("UPDATE event SET idem = 'once' WHERE pos = 2")
        connection.execute(f"UPDATE event SET ({columns}) = (SELECT {columns} FROM event WHERE pos = 2) WHERE pos = 3")
        connection.execute(made.replace("UNIQUE ", ""))
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (made, name))
    assert any(name in message for message in messages(folder, "event"))


def test_the_place_is_named(folder: Path) -> None:
    replace_index(folder, "audit_actor", "CREATE INDEX audit_actor ON audit(actor, at) WHERE pos <> 13")
    sliced = verify_indexes.LONG == 1
    where = "from 12 on" if sliced else "row 14"
    assert any(where in message for message in messages(folder))


@pytest.mark.parametrize("far", [-(2**62), 2**63 - 1])
def test_a_row_very_far_away_is_reached(folder: Path, far: int) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(audit)") if row[1] != "pos"]
        names = ", ".join(columns)
        connection.execute(f"INSERT INTO audit(pos, {names}) SELECT ?, {names} FROM audit WHERE pos = 0", (far,))
    assert messages(folder) == []
    replace_index(folder, "audit_actor", f"CREATE INDEX audit_actor ON audit(actor, at) WHERE pos <> {far}")
    assert messages(folder)


def test_a_table_that_is_no_tree_any_more_is_not_walked(folder: Path) -> None:
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_actor'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(path.read_bytes())
    data[(root - 1) * size + 3] ^= 0x10  # the number of cells on the page
    path.write_bytes(data)
    assert findings(folder)[0] == "tampered"


def test_others_append_between_two_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that does not wait at all gets in, and what it changes meanwhile is no finding."""
    fill(tmp_path, COUNT)
    monkeypatch.setattr(verify_indexes, "LONG", 1)
    monkeypatch.setattr(verify_indexes, "SLICE", 6)
    look = verify_indexes._not_led_to
    appended: list[int] = []
    with open_journal(tmp_path, timeout=0.0) as writer:

        def and_append(
            connection: sqlite3.Connection, table: str, indexes: Sequence[verify_indexes._Index], first: int, last: int
        ) -> int:
            found = look(connection, table, indexes, first, last)
            (recorded,) = writer.append([received(f"command:{table}-{first}")], stamp())
            appended.append(recorded.pos)
            return found

        monkeypatch.setattr(verify_indexes, "_not_led_to", and_append)
        for table in ("event", "audit"):
            assert messages(tmp_path, table) == []
    assert appended == list(range(COUNT, COUNT + len(appended)))
    assert len(appended) > 2 * COUNT / 6
