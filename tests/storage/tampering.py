"""What can be done to a journal by somebody who can write its file, and what `rig journal verify` has to say to it.

The table of docs/journal.md is made from :data:`MATRIX`; tests/storage/test_verify.py carries out every row.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from events.command import CommandReceived
from rig.kernel.ports import Draft, OutboxRow
from storage import keys
from storage.checkpoint import sign
from storage.merkle import Frontier, leaf_hash
from tests.storage.support import completed, fill, fingerprint, open_journal, stamp, tamper

COUNT = 8
ALL_ELSE = ("DELETE FROM outbox", "DELETE FROM projection", "DROP TABLE audit")
"""What is made of records, and would be made anew."""
NOTHING: tuple[str, ...] = ()


class Row(NamedTuple):
    """One way to tamper, and what is found: the codes in their order, and the first bad position."""

    what: str
    do: Callable[[Path], None]
    found: tuple[str, ...]
    first: int = -1
    without_pin: tuple[str, ...] | None = None
    """Where it differs: what is found when the pin is gone too."""


def make(folder: Path) -> None:
    """The journal that is tampered with: eight intents, the last one on its way to the platform."""
    fill(folder, COUNT - 1)
    with open_journal(folder) as journal:
        fact = CommandReceived(command="app.create", arguments={"app": "demo/shop"})
        body = b'{"command":"app.create","app":"demo/shop"}'
        row = OutboxRow(idem="shop", key="demo/shop", fingerprint=fingerprint(fact), body=body)
        draft = Draft(stream="command:shop", fact=fact, target="demo/shop", outcome="unknown")
        journal.append([draft], stamp(id="shop"), outbox=row)


def records(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        return [rec for (rec,) in connection.execute("SELECT rec FROM event ORDER BY pos")]


def rewrite(folder: Path, recs: list[str], *, sign_again: bool = False) -> None:
    """Replace all records, with leaves, chain, columns, head and audit log made anew: all that needs no key."""
    frontier, previous = Frontier(), b"\x00" * 32
    statements: list[str | tuple[str, tuple[object, ...]]] = [*ALL_ELSE, "DELETE FROM event"]
    for pos, rec in enumerate(recs):
        fields = json.loads(rec) | {"prev": previous.hex(), "pos": pos}
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        previous = leaf_hash(text.encode())
        frontier.append(previous)
        row = (
            pos, text, previous, fields["id"], fields["stream"], fields["ver"], fields["type"], int(fields["at"]),
            fields["actor"], fields["outcome"], fields["target"], fields["session"] or None, fields["corr"],
            fields["src"], fields["idem"] or None,
        )  # fmt: skip
        statements.append((f"INSERT INTO event VALUES ({','.join('?' * 15)})", row))
    head = (frontier.size, previous, frontier.pack())
    statements.append(("UPDATE head SET size = ?, tip = ?, frontier = ?", head))
    if sign_again:
        signer = keys.load(str(folder / "journal.key"))
        assert signer is not None
        note = sign(signer.private, signer.public, signer.origin, frontier.size, frontier.root()).note
        statements += ["DELETE FROM checkpoint", ("INSERT INTO checkpoint VALUES (?, ?)", (frontier.size, note))]
    tamper(folder, *statements)


def edited(recs: list[str], pos: int) -> list[str]:
    return [rec.replace("user:ana", "user:eve") if n == pos else rec for n, rec in enumerate(recs)]


def new_record(recs: list[str]) -> str:
    return json.dumps(json.loads(recs[0]) | {"id": "new", "stream": "command:new"})


def sql(*statements: str) -> Callable[[Path], None]:
    return lambda folder: tamper(folder, *statements)


def rewritten(change: Callable[[list[str]], list[str]], *, sign_again: bool = False) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder, change(records(folder)), sign_again=sign_again)


def own_leaf_fixed(folder: Path) -> None:
    rec = edited(records(folder), 3)[3]
    change = "UPDATE event SET rec = ?, leaf = ?, actor = 'user:eve' WHERE pos = 3"
    tamper(folder, (change, (rec, leaf_hash(rec.encode()))), "UPDATE audit SET actor = 'user:eve' WHERE pos = 3")


def older_copy(folder: Path) -> None:
    old = (folder / "journal.sqlite").read_bytes()
    with open_journal(folder) as journal:
        journal.append([completed("command:0")], stamp())
    (folder / "journal.sqlite").write_bytes(old)


def another_journal(folder: Path) -> None:
    fill(folder / "other", COUNT + 1)
    for name in ("journal.sqlite", "journal.key"):
        shutil.copy(folder / "other" / name, folder / name)


def another_s_database(folder: Path) -> None:
    fill(folder / "other", COUNT)
    shutil.copy(folder / "other" / "journal.sqlite", folder / "journal.sqlite")


def drop_triggers(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        connection.execute("DROP TRIGGER event_is_never_changed")


def replace_index(folder: Path, name: str, made: str) -> None:
    """Make an index by another statement than the schema goes on to say it was made by."""
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        connection.execute(f'DROP INDEX "{name}"')
        connection.execute(made)
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def hidden_from_an_index(folder: Path) -> None:
    replace_index(folder, "event_stream", "CREATE UNIQUE INDEX event_stream ON event(stream, ver) WHERE pos <> 3")


def copied_to(pos: int) -> str:
    columns = "'far', 'far', 1, type, at, actor, outcome, target, session, corr, src, NULL"
    return f"INSERT INTO event SELECT {pos}, rec, leaf, {columns} FROM event WHERE pos = 3"


def forged_cut(folder: Path) -> None:
    """The older records are gone, and the file says that they were archived; all that can be computed is right."""
    frontier = Frontier()
    for rec in records(folder)[:4]:
        frontier.append(leaf_hash(rec.encode()))
    segment = "INSERT INTO segment SELECT 0, 3, ?, note, 'gone.jsonl', zeroblob(32) FROM checkpoint"
    tamper(
        folder,
        *ALL_ELSE,
        (segment, (frontier.pack(),)),
        "UPDATE head SET min_pos = 4",
        "DELETE FROM event WHERE pos < 4",
    )


EDIT = "UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve'), actor = 'user:eve' WHERE pos = 3"
MATRIX: list[Row] = [
    Row("a record edited", sql(EDIT), ("EDITED", "PROJECTION_MISMATCH"), 3),
    Row("… and its own hash made to fit", own_leaf_fixed, ("CHAIN_BREAK", "HEAD_MISMATCH", "ROOT_MISMATCH"), 0),
    Row(
        "… and all hashes behind it",
        rewritten(lambda recs: edited(recs, 3)),
        ("ROOT_MISMATCH",),
        0,
    ),
    Row(
        "a record deleted",
        sql("DELETE FROM event WHERE pos = 3"),
        ("GAP", "PROJECTION_MISMATCH"),
        3,
    ),
    Row(
        "a record deleted, the rest moved up and rehashed",
        rewritten(lambda recs: recs[:3] + recs[4:]),
        ("ROLLED_BACK", "TRUNCATED"),
        7,
        ("TRUNCATED",),
    ),
    Row("two records exchanged and rehashed", rewritten(lambda r: [*r[:3], r[4], r[3], *r[5:]]), ("ROOT_MISMATCH",), 0),
    Row("a record inserted and rehashed", rewritten(lambda r: [*r[:3], new_record(r), *r[3:]]), ("ROOT_MISMATCH",), 0),
    Row("records added without a signature", rewritten(lambda r: [*r, new_record(r)]), ("UNSIGNED",), 8),
    Row("the last records cut off", rewritten(lambda r: r[:5]), ("ROLLED_BACK", "TRUNCATED"), 5, ("TRUNCATED",)),
    Row(
        "all records deleted",
        sql("DELETE FROM event", *ALL_ELSE),
        ("ROLLED_BACK", "TRUNCATED"),
        0,
        ("TRUNCATED",),
    ),
    Row(
        "cut off, the checkpoints deleted, signed anew with the stolen key",
        rewritten(lambda r: r[:5], sign_again=True),
        ("ROLLED_BACK",),
        5,
        NOTHING,
    ),
    Row(
        "rewritten, and signed anew with the stolen key",
        rewritten(lambda r: edited(r, 3), sign_again=True),
        ("ROOT_MISMATCH",),
        0,
        NOTHING,
    ),
    Row("an older copy put back", older_copy, ("ROLLED_BACK",), 8, NOTHING),
    Row("the file deleted", lambda f: (f / "journal.sqlite").unlink(), ("ROLLED_BACK",), 0, ("UNREADABLE",)),
    Row(
        "the database of another journal in its place",
        another_s_database,
        ("ROOT_MISMATCH", "WRONG_ORIGIN"),
        0,
        ("WRONG_ORIGIN",),
    ),
    Row(
        "another journal with its key in its place",
        another_journal,
        ("BAD_SIGNATURE", "ROOT_MISMATCH"),
        0,
        NOTHING,
    ),
    Row("a query column edited", sql("UPDATE event SET actor = 'user:eve' WHERE pos = 3"), ("COLUMN_MISMATCH",), 3),
    Row("the time in a query column", sql("UPDATE event SET at = at + 1 WHERE pos = 3"), ("COLUMN_MISMATCH",), 3),
    Row(
        "a record moved to another stream, in its column",
        sql("UPDATE event SET stream = 'x' WHERE pos = 3"),
        ("COLUMN_MISMATCH",),
        3,
    ),
    Row(
        "a row of the audit log edited",
        sql("UPDATE audit SET actor = 'user:eve' WHERE pos = 3"),
        ("PROJECTION_MISMATCH",),
    ),
    Row("a row of the audit log deleted", sql("DELETE FROM audit WHERE pos = 3"), ("PROJECTION_MISMATCH",)),
    Row("the audit log said to lag", sql("UPDATE projection SET pos = 3"), ("PROJECTION_MISMATCH",)),
    Row("the audit log said to be ahead", sql("UPDATE projection SET pos = 1 << 50"), ("PROJECTION_MISMATCH",)),
    Row("a trigger removed", drop_triggers, ("SCHEMA_MISMATCH",)),
    Row(
        "a trigger added",
        sql("CREATE TRIGGER quiet AFTER INSERT ON audit BEGIN DELETE FROM audit WHERE pos = NEW.pos; END"),
        ("SCHEMA_MISMATCH",),
    ),
    Row("an index removed", sql("DROP INDEX event_corr"), ("SCHEMA_MISMATCH",)),
    Row("a record hidden from an index", hidden_from_an_index, ("DAMAGED",)),
    Row(
        "a record put very far away",
        sql(copied_to(1 << 60)),
        ("COLUMN_MISMATCH", "GAP", "HEAD_MISMATCH", "UNSIGNED"),
        COUNT,
    ),
    Row("a record put before the first", sql(copied_to(-1)), ("HEAD_MISMATCH",), -1),
    Row("a checkpoint deleted", sql("DELETE FROM checkpoint"), ("UNSIGNED",), 0),
    Row(
        "a checkpoint's signature edited",
        sql(
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 5)"
            " || iif(substr(note, -5, 1) = 'A', 'B', 'A') || substr(note, -4)"
        ),
        ("BAD_SIGNATURE",),
    ),
    Row("the head deleted", sql("DELETE FROM head"), ("HEAD_MISMATCH", "PROJECTION_MISMATCH")),
    Row("the size in the head", sql("UPDATE head SET size = 7"), ("HEAD_MISMATCH", "PROJECTION_MISMATCH")),
    Row("… said to be far greater", sql("UPDATE head SET size = 1 << 60"), ("TRUNCATED",), 8),
    Row("the newest hash in the head", sql("UPDATE head SET tip = zeroblob(32)"), ("HEAD_MISMATCH",)),
    Row("the origin in the head", sql("UPDATE head SET origin = 'rig/client/0'"), ("WRONG_ORIGIN",)),
    Row("older records taken out as if archived", forged_cut, ("BAD_CUT",), 0),
    Row(
        "what waits to be sent edited",
        sql("UPDATE outbox SET body = replace(body, 'shop', 'bank')"),
        ("OUTBOX_MISMATCH",),
    ),
    Row(
        "something put among what waits to be sent",
        sql("INSERT INTO outbox(key, idem, fingerprint, body, state) VALUES ('demo', 'x', x'00', '{}', 'pending')"),
        ("OUTBOX_MISMATCH",),
    ),
    Row("its fingerprint edited", sql("UPDATE outbox SET fingerprint = zeroblob(32)"), ("OUTBOX_MISMATCH",)),
    Row("said to be sent", sql("UPDATE outbox SET state = 'delivered'"), ("OUTBOX_MISMATCH",)),
    Row(
        "a record that is no text",
        sql("UPDATE event SET rec = CAST(x'ff' AS TEXT) WHERE pos = 0"),
        ("EDITED", "PROJECTION_UNKNOWN"),
        0,
    ),
    Row(
        "a record that is no record",
        sql("UPDATE event SET rec = '[]' WHERE pos = 0"),
        ("EDITED", "PROJECTION_UNKNOWN"),
        0,
    ),
    Row("a table dropped", sql("DROP TABLE checkpoint"), ("DAMAGED",)),
    Row(
        "a row put into a table that stays empty",
        sql("INSERT INTO subject_key VALUES ('x', x'00', NULL)"),
        ("SCHEMA_MISMATCH",),
    ),
    Row("the file called that of another program", sql("PRAGMA application_id = 1"), ("SCHEMA_MISMATCH",)),
]


def table() -> str:
    """The rows as Markdown."""
    lines = ["| what was done | reported as | without a pin |", "|---|---|---|"]
    for row in MATRIX:
        found = ", ".join(f"`{code}`" for code in row.found)
        without = found if row.without_pin is None else ", ".join(f"`{code}`" for code in row.without_pin)
        lines.append(f"| {row.what} | {found} | {without or '**not noticed**: `NO_PIN`, exit 65'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table())
