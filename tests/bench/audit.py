"""`rig audit` at a million events: each filter alone, and several together, in SQLite."""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from handlers.audit_answer import answer
from handlers.audit_query import question
from rig.contract.review import AuditFilter
from storage.projections.audit import AuditProjection
from storage.projections.audit_rows import privileged
from storage.texts import TextIndex
from tests.bench.harness import Figure, seconds
from tests.support import Silence

EVENTS = 1_000_000
START = 1_700_000_000_000_000_000
DAY = 86_400_000_000_000
RUNS = 9
SHOWN = 50
BUDGET = "≤ 10 ms"

ACTIONS = {
    "audit.list": 200, "release.list": 150, "app.show": 200, "deploy": 100, "deploy.started": 100,
    "deploy.succeeded": 95, "deploy.failed": 5, "app.update": 30, "app.scaled": 30, "session.started": 40,
    "session.ended": 40, "account.login": 20, "auth.failed": 3, "role.granted": 1, "app.delete": 3, "settings.set": 5,
}  # fmt: skip
OUTCOMES = {"success": 960, "failure": 25, "denied": 10, "error": 2, "unknown": 3}

SINGLE: list[dict[str, Any]] = [
    {}, {"actor": "user:p3"}, {"actor": "user:p150"}, {"target": "net3/app7"}, {"action": "deploy"},
    {"action": "role.granted"}, {"outcome": "denied"}, {"outcome": "success"}, {"outcome": "unknown"}, {"denied": True},
    {"privileged": True}, {"env": "production"}, {"src": "laptop3"}, {"session": "s100"}, {"corr": "c77777"},
    {"since": "10d"}, {"until": "200d"}, {"since": "200d", "until": "199d"},
]  # fmt: skip
PREFIXES: list[dict[str, Any]] = [
    {"actor": "user:*"}, {"actor": "user:p1*"}, {"target": "net3/*"}, {"target": "net*"}, {"target": "net29/*"},
    {"action": "deploy*"}, {"action": "session.*"}, {"action": "role.*"}, {"env": "prod*"}, {"src": "laptop*"},
]  # fmt: skip
SEVERAL: list[dict[str, Any]] = [
    {"actor": "user:p3", "action": "session.*"},
    {"actor": "user:p3", "outcome": "failure"},
    {"target": "net3/*", "action": "deploy*", "until": "150d"},
    {"actor": "user:p3", "target": "net3/*", "since": "30d", "outcome": "denied", "action": "session.*"},
    {"target": "net3/app7", "action": "deploy*"},
]
WORDS: list[dict[str, Any]] = [
    {"text": "seldom"}, {"text": "session started"}, {"text": "deploy", "actor": "user:p3"}, {"text": "nowhere"},
]  # fmt: skip


class Million:
    """A record of a million events, as `rig.kernel.ports.Record`."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def rows(self, sql: str, parameters: Any = ()) -> Iterator[dict[str, Any]]:
        cursor = self._connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return iter([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

    def stream(self, name: str, after: int = 0) -> list[Any]:
        return []

    def close(self) -> None:
        self._connection.close()


def make(path: Path) -> None:
    """The audit table and the records of a made-up year: few people do most, some things hardly ever happen."""
    chance = random.Random(1)
    actions = chance.choices(list(ACTIONS), list(ACTIONS.values()), k=EVENTS)
    outcomes = chance.choices(list(OUTCOMES), list(OUTCOMES.values()), k=EVENTS)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    tables, _, indexes = AuditProjection.ddl.partition(") STRICT;")
    connection.execute(tables + ") STRICT")
    connection.execute("CREATE TABLE head(origin TEXT, size INTEGER)")
    connection.execute("INSERT INTO head VALUES ('rig/bench/1', ?)", (EVENTS,))
    connection.execute("CREATE TABLE event(pos INTEGER PRIMARY KEY, rec TEXT, stream TEXT, type TEXT)")

    def rows() -> Iterator[tuple[Any, ...]]:
        at = START
        for pos in range(EVENTS):
            at += chance.randrange(1, 60) * 1_000_000_000
            action = actions[pos]
            actor = f"user:p{min(int(chance.expovariate(0.1)), 199)}"
            target = f"net{min(int(chance.expovariate(0.3)), 29)}/app{chance.randrange(200)}"
            env = ("production" if pos % 3 else "staging") if action == "deploy" else ""
            session = f"s{pos // 200}" if pos % 20 == 0 else ""
            yield (
                pos, at, at, f"{pos:032x}", f"command:{pos}", actor, action, target, outcomes[pos], "", "",
                f"laptop{chance.randrange(40)}", session, f"c{pos // 3}", "work", env, privileged(action), 0, "", "",
                None if action.endswith((".list", ".show")) else pos - pos % 3,
            )  # fmt: skip

    connection.executemany(f"INSERT INTO audit VALUES ({', '.join('?' * 21)})", rows())
    for statement in indexes.split(";"):
        connection.execute(statement)
    reader = connection.execute("SELECT pos, actor, action, target, src FROM audit")
    connection.executemany("INSERT INTO event VALUES (?, ?, 'x', 'x')", ((row[0], record(row)) for row in reader))
    connection.execute("COMMIT")
    connection.close()


def record(row: tuple[Any, ...]) -> str:
    """What of a record words are found in."""
    pos, actor, action, target, src = row
    body = {"message": "seldom" if pos % 9_999 == 0 else f"number {pos}"}
    return msgspec.json.encode(
        {"type": action, "actor": actor, "target": target, "src": src, "body": body, "stream": "x"}
    ).decode()


def figures(folder: Path) -> Iterator[Figure]:
    """The slowest question of each kind."""
    path = folder / "million.sqlite"
    make(path)
    million, texts = Million(path), TextIndex(str(folder / "words"), Silence())
    now = next(million.rows("SELECT max(at) AS at FROM audit"))["at"]
    taken_in = seconds(lambda: texts.find(million, "seldom", 1 << 62, 1))
    try:
        for kind, filters in (
            ("one filter", SINGLE), ("`x*`", PREFIXES), ("several filters", SEVERAL), ("`--text`", WORDS),
        ):  # fmt: skip
            took = {str(each): median(million, texts, each, now) for each in filters}
            slowest = max(took, key=lambda name: took[name])
            what = f"audit at 1 M events, {kind}: the slowest of {len(took)}, {slowest.replace('|', '')}"
            yield Figure(what=what, ours=took[slowest], budget=BUDGET)
        yield Figure(what="words of 1 M events taken in, once", ours=taken_in)
    finally:
        million.close()


def median(million: Million, texts: TextIndex, filters: dict[str, Any], now: int) -> float:
    """Seconds of the processor: what others do on the machine meanwhile is no part of an answer."""
    asked, took = question(AuditFilter(**filters), now), []
    for _ in range(RUNS):
        began = time.process_time()
        answer(million, asked, SHOWN + 1, texts)
        took.append(time.process_time() - began)
    return statistics.median(took)
