"""Migrations and projections."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from events.app import DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Recorded
from storage import migrate
from storage.database import connect
from storage.journal import Journal
from storage.projections import runner
from storage.projections.audit import AuditProjection
from storage.projections.releases import ReleasesProjection
from storage.schema import SCHEMA_VERSION
from tests.storage.support import completed, fill, findings, make_older, open_journal, received, stamp, tamper


def test_the_schema_version_is_that_of_the_newest_migration() -> None:
    assert migrate.scripts(migrate.folder())[-1][0] == SCHEMA_VERSION


def test_a_script_is_split_into_its_statements() -> None:
    sql = "CREATE TABLE a(x); -- one; two\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n SELECT 1;\n SELECT 2;\nEND;\n"
    assert [s.split()[1] for s in migrate.statements(sql)] == ["TABLE", "TRIGGER"]
    with pytest.raises(ValueError, match="middle of a statement"):
        list(migrate.statements("CREATE TABLE a(x)"))


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_a_gap_in_the_numbers_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="without gaps"):
        migrate.scripts(str(tmp_path))


def test_a_migration_that_fails_half_way_has_not_begun(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE one(x);\n")
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE two(x);\nINSERT INTO missing VALUES (1);\n")
    path = str(tmp_path / "db.sqlite")
    with closing(connect(path)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="missing"):
            migrate.migrate(connection, path, str(tmp_path))
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        (tmp_path / "0002_b.sql").write_text("CREATE TABLE two(x);\n")
        migrate.migrate(connection, path, str(tmp_path))
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (2,)


def test_a_file_of_an_older_rig_is_verified_as_it_is_and_brought_up_to_date(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    make_older(tmp_path)
    assert findings(tmp_path) == ("verified", [])
    with open_journal(tmp_path) as journal:
        assert journal.info().schema_version == SCHEMA_VERSION
        journal.append([received("command:after")], stamp())
        indexes = [row["name"] for row in journal.rows("PRAGMA index_list(event)")]
    assert "event_stream" in indexes
    assert "event_actor" not in indexes
    assert findings(tmp_path) == ("verified", [])


@pytest.mark.parametrize("change", ["PRAGMA user_version = 2", "DROP TABLE head"])
def test_tables_that_are_not_those_of_the_files_version_can_be_verified_and_nothing_else(
    tmp_path: Path, change: str
) -> None:
    """Otherwise a check would end where a projection is to be brought up to date, or a migration fails."""
    fill(tmp_path, 3)
    tamper(tmp_path, change)
    with open_journal(tmp_path) as journal:
        assert journal.verify().verdict == "tampered"
        with pytest.raises(RigError) as refused:
            journal.append([received("command:after")], stamp())
        assert refused.value.code == "journal_unavailable"


def test_a_file_of_a_newer_rig_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    tamper(tmp_path, f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    with pytest.raises(RigError, match="newer rig") as raised:
        open_journal(tmp_path)
    assert "upgrade rig" in raised.value.hint


class Count:
    """How many records each actor has; ``factor`` stands for a change in the code."""

    name = "count"
    tables = ("count",)
    ddl = "CREATE TABLE count(actor TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;\n"

    def __init__(self, version: int = 1, factor: int = 1) -> None:
        self.version = version
        self.factor = factor

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        sql = "INSERT INTO count VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
        connection.execute(sql, (recorded.actor, self.factor))


def counted(journal: Journal) -> int:
    rows = list(journal.rows("SELECT n FROM count"))
    return int(rows[0]["n"]) if rows else 0


def append(journal: Journal, name: str) -> None:
    journal.append([received(f"command:{name}")], stamp())


def test_a_projection_commits_with_the_records(tmp_path: Path) -> None:
    class Broken(Count):
        def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
            super().apply(connection, recorded)
            if recorded.stream == "command:bad":
                raise RuntimeError("a projection that fails")

    with open_journal(tmp_path, Broken()) as journal:
        append(journal, "good")
        with pytest.raises(RuntimeError):
            append(journal, "bad")
        assert (counted(journal), len(journal.read())) == (1, 1)


@pytest.mark.parametrize("page", [2, 2000])
def test_a_new_code_version_makes_the_tables_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(runner, "PAGE", page)
    with open_journal(tmp_path, Count()) as old:
        for number in range(5):
            append(old, f"{number}")
        assert counted(old) == 5
        with open_journal(tmp_path, Count(2, factor=10)) as new:
            assert counted(new) == 50
            # The old code still runs: it leaves tables of a newer version alone, and the new code catches up.
            append(old, "by-old")
            assert counted(new) == 60
            append(old, "by-old-again")
            append(new, "by-new")
            assert counted(new) == 80
    assert findings(tmp_path) == ("verified", [])
    assert not list(tmp_path.glob("*.shadow"))


def test_a_projection_that_is_added_later_knows_the_past(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with open_journal(tmp_path, AuditProjection(), Count()) as journal:
        assert counted(journal) == 3


def test_what_a_killed_rebuild_left_behind_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PAGE", 2)
    fill(tmp_path, 5)
    (tmp_path / "journal.sqlite.shadow").write_bytes(b"half a database")
    with open_journal(tmp_path, Count()) as journal:
        assert counted(journal) == 5


def entries(journal: Journal) -> list[tuple[str, str, str, int]]:
    query = "SELECT action, target, outcome, ended_at IS NOT NULL AS ended FROM audit ORDER BY pos"
    return [(row["action"], row["target"], row["outcome"], row["ended"]) for row in journal.rows(query)]


def test_a_command_is_one_entry_and_unknown_until_its_end(tmp_path: Path) -> None:
    with open_journal(tmp_path, AuditProjection()) as journal:
        journal.append([received()], stamp())
        assert entries(journal) == [("network.create", "demo", "unknown", 0)]
        journal.append([completed(outcome="denied")], stamp())
        assert entries(journal) == [("network.create", "demo", "denied", 1)]
        journal.append([completed("command:2", "app.list")], stamp())
        assert entries(journal)[1:] == [("app.list", "demo", "success", 1)]


def test_another_try_at_an_intent_is_ended_by_itself(tmp_path: Path) -> None:
    with open_journal(tmp_path, AuditProjection()) as journal:
        journal.append([received()], stamp())
        journal.append([received()], stamp())
        journal.append([completed()], stamp())
        assert [outcome for _, _, outcome, _ in entries(journal)] == ["unknown", "success"]


def deploy(fact: Fact) -> Draft:
    return Draft(stream="app:demo/hello", fact=fact, target="demo/hello")


def test_releases_are_folded(tmp_path: Path) -> None:
    app = "demo/hello"
    with open_journal(tmp_path, ReleasesProjection()) as journal:
        journal.append([deploy(DeployStarted(app=app, version=1, bundle="b1", message="first"))], stamp())
        journal.append([deploy(DeployBuilt(app=app, version=1, build="x1"))], stamp())
        journal.append([deploy(DeploySucceeded(app=app, version=1))], stamp())
        journal.append([deploy(DeployStarted(app=app, version=2, bundle="b2", previous=1))], stamp())
        journal.append([deploy(DeployFailed(app=app, version=2, code="unhealthy", reason="no answer"))], stamp())
        journal.append([deploy(DeployStarted(app=app, version=3, bundle="b1", rollback_of=1))], stamp())
        query = "SELECT version, outcome, bundle, build, code, rollback_of FROM releases ORDER BY version"
        assert [tuple(row.values()) for row in journal.rows(query)] == [
            (1, "succeeded", "b1", "x1", "", 0),
            (2, "failed", "b2", "", "unhealthy", 0),
            (3, "pending", "b1", "", "", 1),
        ]
