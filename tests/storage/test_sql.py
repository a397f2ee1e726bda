"""`rig audit --sql`: questions, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from storage import sql
from tests.storage.records import open_record
from tests.storage.support import received, stamp


@pytest.fixture
def path(tmp_path: Path) -> str:
    with open_record(tmp_path) as journal:
        for number in range(3):
            journal.append([received(f"command:{number}")], stamp(f"user:p{number % 2}"))
        return journal.path


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT count(*) AS n FROM audit", [{"n": 3}]),
        (
            "SELECT actor, count(*) AS n FROM audit GROUP BY 1 ORDER BY 1",
            [{"actor": "user:p0", "n": 2}, {"actor": "user:p1", "n": 1}],
        ),
        ("WITH x AS (SELECT pos FROM event) SELECT max(pos) AS top FROM x", [{"top": 2}]),
        ("SELECT json_extract(rec, '$.type') AS type FROM event LIMIT 1", [{"type": "command.received"}]),
        ("SELECT x'00ff' AS bytes", [{"bytes": "00ff"}]),
        ("SELECT app FROM releases", []),
        ("SELECT key FROM configuration", []),
    ],
)
def test_questions_are_answered(path: str, query: str, rows: list[dict[str, object]]) -> None:
    assert sql.ask(path, query) == rows


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ATTACH 'x.sqlite' AS x", "--sql: it asks for no rows."),
        ("SELECT 1; SELECT 2", "--sql: You can only execute one statement at a time."),
        ("SELECT nope", "--sql: no such column: nope."),
        ("DELETE FROM audit", "--sql: not authorized."),
    ],
)
def test_a_refusal_is_in_words_for_whoever_asks(path: str, query: str, message: str) -> None:
    with pytest.raises(RigError) as refused:
        sql.ask(path, query)
    assert (refused.value.message, "SELECT from audit" in refused.value.hint) == (message, True)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'x'",
        "INSERT INTO audit(pos) VALUES (9) RETURNING pos",
        "DROP TABLE audit",
        "CREATE TABLE x(y)",
        "ATTACH '{folder}/other.sqlite' AS other",
        "PRAGMA user_version = 9",
        "PRAGMA table_info(audit)",
        "SELECT * FROM pragma_table_info('audit')",
        "SELECT * FROM outbox",
        "SELECT wrapped FROM subject_key",
        "SELECT load_extension('x')",
        "SELECT writefile('{folder}/x', 'y')",
        "VACUUM INTO '{folder}/x.sqlite'",
        "SELECT 1; DELETE FROM audit",
        "SELEC",
        "",
    ],
)
def test_anything_else_is_refused_and_changes_nothing(path: str, query: str, tmp_path: Path) -> None:
    before = whole(path), sorted(tmp_path.iterdir())
    with pytest.raises(RigError) as refused:
        sql.ask(path, query.format(folder=tmp_path))
    assert refused.value.code == "usage"
    assert refused.value.message.startswith("--sql: ")
    assert (whole(path), sorted(tmp_path.iterdir())) == before


def whole(path: str) -> list[str]:
    """All that is in a database, and its version."""
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


def test_an_answer_has_its_limits(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_ROWS", 2)
    with pytest.raises(RigError) as refused:
        sql.ask(path, "SELECT pos FROM audit")
    assert refused.value.code == "too_large"
    monkeypatch.setattr(sql, "SECONDS", -1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(RigError, match="interrupted"):
        sql.ask(path, endless)
