"""Checks what stands beside the records: the schema, the outbox, and the projections.

Queries read the projections, so a record that cannot be changed unseen is worth little where the row that is made from
it can. They are folded anew and compared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Any

import msgspec

from events.command import CommandCompleted, CommandReceived
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from storage import migrate, record
from storage.database import connect
from storage.projections import runner
from storage.projections.base import Projection
from storage.projections.shadow import Shadow
from storage.schema import APPLICATION_ID
from storage.verify_records import Found

READ_OUTBOX = """
SELECT o.idem, o.key, o.fingerprint, o.body, o.state, intent.rec, (
    SELECT rec FROM event WHERE stream = 'command:' || o.idem AND type = 'command.completed' ORDER BY ver DESC LIMIT 1
) FROM outbox o LEFT JOIN event intent ON intent.stream = 'command:' || o.idem AND intent.ver = 1"""


RESERVED = "subject_key"
"""A table of the format that is empty: no fact is encrypted under a key of its own yet."""


def check_application(connection: sqlite3.Connection) -> Iterator[Found]:
    """Whether the file says that it is a journal."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        yield "SCHEMA_MISMATCH", "the file says that it is a database of another program", -1, -1


def check_schema(connection: sqlite3.Connection, projections: Sequence[Projection]) -> Iterator[Found]:
    """Whether tables, indexes and triggers are those that this version of rig makes. None may be there besides."""
    known = runner.states(connection)
    ours = [each for each in projections if each.name in known and known[each.name].version == each.version]
    foreign = tuple(f"{name}_" for name in known if name not in {each.name for each in ours})
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    expected, found = _expected(ours, version), _schema(connection)
    for name in sorted(expected.keys() | found.keys()):
        if name in found and name not in expected and f"{name}_".startswith(foreign):
            continue  # of a projection that another version of rig keeps
        if expected.get(name) != found.get(name):
            change = "is missing" if name not in found else "was changed" if name in expected else "was added"
            yield "SCHEMA_MISMATCH", f"`{name}` of the schema {change}", -1, -1
    if RESERVED in found and connection.execute(f"SELECT 1 FROM {RESERVED} LIMIT 1").fetchone():  # noqa: S608
        yield "SCHEMA_MISMATCH", f"`{RESERVED}` holds rows, and no rig has written any yet", -1, -1


def _expected(projections: Sequence[Projection], version: int) -> dict[str, str]:
    """The schema of this version: a file that cannot be written stays at the one that it has."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate.migrate(connection, ":memory:", until=version)
        for projection in projections:
            for statement in migrate.statements(projection.ddl):
                connection.execute(statement)
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Name → statement, white space aside. Indexes that SQLite makes by itself have none."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    return {name: " ".join((sql or "").split()) for name, sql in rows.fetchall()}


def check_outbox(connection: sqlite3.Connection) -> Iterator[Found]:
    """Whether what waits to be sent is what was recorded as intended. When it is tried next is nobody's evidence."""
    for idem, key, fingerprint, body, state, intent, end in connection.execute(READ_OUTBOX).fetchall():
        reason = "nothing on the record intended it"
        if intent is not None:
            reason = _outbox_differs(record.recorded(intent), key, fingerprint, body)
            if not reason and state not in _states(record.recorded(end) if end else None):
                reason = f"it is {state}, and the record says otherwise"
        if reason:
            yield "OUTBOX_MISMATCH", f"the outbox row {idem} is not as it was recorded: {reason}", -1, -1


def _outbox_differs(intent: Recorded, key: str, fingerprint: bytes, body: str) -> str:
    fact = intent.fact
    if not isinstance(fact, CommandReceived):
        return "the record is no intent"
    if key != intent.target:
        return "it is about something else"
    if msgspec.json.decode(body) != {"command": fact.command, **fact.arguments}:
        return "it would send another command"
    public = msgspec.json.encode({"type": fact.command, **fact.arguments}, order="sorted")
    if fingerprint != sha256(public).digest() and not _holds_secrets(fact.command):
        return "its fingerprint is another one"
    return ""


def _holds_secrets(tag: str) -> bool:
    """Whether a command has fields that are not on the record, but in its fingerprint; true of unknown commands."""
    from typing import get_type_hints

    from rig.contract.base import option_of, tag_of
    from rig.contract.schemas import all_commands

    for command in all_commands():
        if tag_of(command) == tag:
            hints = get_type_hints(command, include_extras=True)
            return any(option_of(hints[field]).secret for field in command.__struct_fields__)
    return True


def _states(end: Recorded | None) -> frozenset[str]:
    """The states that a row can have, by the end of its command; see `rig.kernel.bus.delivery_of`."""
    if end is None:
        return frozenset({"pending", "leased"})
    assert isinstance(end.fact, CommandCompleted)
    if end.outcome == "success":
        return frozenset({"delivered"})
    given_up = frozenset({"dead", "expired"})
    if end.outcome in {"unknown", "error"}:
        return given_up | {"unknown", "delivered"}
    if end.fact.reconciled:
        return given_up | {"delivered", "refused"}
    return given_up | ({"delivered"} if end.fact.exit in {1, 8} else {"refused"})


def check_streams(path: str, first: int, timeout: float) -> list[Found]:
    """Whether each stream of the records from ``first`` on has its versions one after the other."""
    query = (
        "SELECT stream, count(*), min(ver), max(ver) FROM event GROUP BY stream "
        "HAVING max(ver) - min(ver) + 1 <> count(*) OR (min(ver) <> 1 AND ? = 0) LIMIT 20"
    )  # behind a cut a stream may begin anywhere
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        return [
            ("STREAM_GAP", f"the stream {stream} has {count} records with versions {low} to {high}", -1, -1)
            for stream, count, low, high in connection.execute(query, (first,)).fetchall()
        ]


def check_projections(path: str, projections: Sequence[Projection], timeout: float) -> list[Found]:
    """Whether the tables that queries read are what the records come to."""
    found: list[Found] = []
    with closing(connect(path, read_only=True, timeout=timeout)) as connection:
        known = runner.states(connection)
    ours: list[Projection] = []
    for projection in projections:
        state = known.get(projection.name)
        version: Any = state.version if state else 0
        if not isinstance(version, int):  # of a page that is damaged
            found.append(("DAMAGED", f"which version of `{projection.name}` is in the file cannot be read", -1, -1))
            continue
        if version < projection.version:
            continue  # not made yet: it will be, from the records
        if version > projection.version:
            message = f"the tables of `{projection.name}` were made by a newer rig, which has to check them"
            found.append(("PROJECTION_UNKNOWN", message, -1, -1))
            continue
        ours.append(projection)
    try:
        found += _compare(path, ours, timeout)
    except (RigError, sqlite3.Error):
        # What one of them cannot fold says nothing about the others.
        for projection in ours:
            try:
                found += _compare(path, [projection], timeout)
            except (RigError, sqlite3.Error) as error:
                found.append(("PROJECTION_UNKNOWN", f"`{projection.name}` cannot be folded anew: {error}", -1, -1))
    return found


def _compare(path: str, projections: Sequence[Projection], timeout: float) -> list[Found]:
    """Fold them in one pass, and compare. Raises `RigError` or `sqlite3.Error` where one cannot be folded."""
    if not projections:
        return []
    found: list[Found] = []
    with closing(Shadow(path, projections, timeout)) as shadow:
        for projection in projections:
            if difference := shadow.difference(projection):
                message = f"the tables of `{projection.name}` are not what the records come to: {difference}"
                found.append(("PROJECTION_MISMATCH", message, -1, -1))
    return found
