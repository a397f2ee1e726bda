"""Journals to test with."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from events.command import CommandCompleted, CommandReceived
from rig.contract.verification import Verification
from rig.kernel.ports import Draft, Stamp
from storage import migrate
from storage.journal import Journal
from storage.pin import Pin
from storage.projections.audit import AuditProjection
from storage.projections.base import Projection
from storage.verify import verify

START = 1_780_000_000_000_000_000


class FakeClock:
    """Time that goes on by a second with every look at it, or as it is told."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def now(self) -> int:
        self.at += 1_000_000_000
        return self.at


def stamp(actor: str = "user:ana", id: str = "cmd-1") -> Stamp:
    return Stamp(id=id, actor=actor, at=START, src="laptop", corr=id, client="rig/0")


def received(stream: str = "command:1", command: str = "network.create", target: str = "demo") -> Draft:
    return Draft(stream=stream, fact=CommandReceived(command=command), target=target, outcome="unknown")


def completed(stream: str = "command:1", command: str = "network.create", outcome: str = "success") -> Draft:
    fact = CommandCompleted(command=command, exit=0 if outcome == "success" else 1)
    return Draft(stream=stream, fact=fact, target="demo", outcome=outcome)


def fingerprint(fact: CommandReceived) -> str:
    """What the bus makes of a command without secrets; see `rig.kernel.bus.fingerprint`."""
    return sha256(msgspec.json.encode({"type": fact.command, **fact.arguments}, order="sorted")).hexdigest()


def open_journal(folder: Path, *projections: Projection, **options: Any) -> Journal:
    options.setdefault("clock", FakeClock())
    return Journal.open(
        folder / "journal.sqlite", origin="client", projections=projections or (AuditProjection(),), **options
    )


def fill(folder: Path, count: int) -> None:
    """A journal of ``count`` records, closed again."""
    with open_journal(folder) as journal:
        for number in range(count):
            journal.append([received(f"command:{number}")], stamp(id=f"cmd-{number}"))


def tamper(folder: Path, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
    """Change the file as somebody would who can write it: past the triggers, which are put back as they were."""
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for trigger, _ in triggers:
            connection.execute(f'DROP TRIGGER "{trigger}"')
        for statement in statements:
            sql, parameters = statement if isinstance(statement, tuple) else (statement, ())
            connection.execute(sql, parameters)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for trigger, sql in triggers:
            if trigger.partition("_")[0] in tables:
                connection.execute(sql)


def make_older(folder: Path) -> None:
    """Take the file back to the first schema, as a version of rig that knows no other has left it."""
    first = Path(migrate.scripts(migrate.folder())[0][1]).read_text()
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
        for statement in migrate.statements(first):
            made = re.search(r"CREATE (?:UNIQUE )?INDEX (\w+)", statement)
            if made and made[1] not in there:
                connection.execute(statement)
        connection.execute("DROP TABLE heartbeat")
        connection.execute("PRAGMA user_version=1")


def verification(folder: Path, *kept: Path) -> Verification:
    """What checking the journal has shown."""
    return verify(
        str(folder / "journal.sqlite"),
        str(folder / "journal.key"),
        Pin(str(folder / "pins"), "client"),
        projections=(AuditProjection(),),
        kept=[str(checkpoint) for checkpoint in kept],
    )


def findings(folder: Path, *kept: Path) -> tuple[str, list[str]]:
    """Verdict and codes of `verify`."""
    report = verification(folder, *kept)
    return report.verdict, [finding.code for finding in report.findings]
