"""A rebuild that is divided comes to what one that is not comes to, wherever the parts meet."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.app import AppCreated
from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Draft
from storage.journal import Journal
from storage.migrate import statements
from storage.projections import beside, folding, runner
from storage.projections.base import Divisible, Projection
from tests.storage.records import PROJECTIONS, open_record
from tests.storage.support import completed, received, stamp
from tests.storage.test_projections import dump


class Here(Executor):
    """Runs each part at once, in this process."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done


NAMES = [f"{number}" for number in range(9)]
COMMANDS = st.sampled_from(NAMES)
CORRELATIONS = st.sampled_from(["", *NAMES])
HAPPENED = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "fact"]),
        COMMANDS,
        CORRELATIONS,
        st.sampled_from(["success", "unknown", "failure"]),
        st.sampled_from(["", "production", "staging"]),
        st.sampled_from(["", "1:1"]),
    ),
    min_size=2,
    max_size=40,
)


def draft_of(kind: str, command: str, outcome: str, env: str, process: str) -> Draft:
    stream, caus = f"command:{command}", command
    match kind:
        case "begin":
            fact: Any = CommandReceived(command="deploy", arguments={"env": env}, process=process)
        case "end":
            fact = CommandCompleted(command="deploy", exit=0, message="m")
        case _:
            stream, fact = "app:demo/a", AppCreated(name="demo/a")
    return Draft(stream=stream, fact=fact, target="demo/a", outcome=outcome, caus=caus)


@settings(max_examples=60, deadline=None)
@given(HAPPENED, st.integers(2, 5), st.integers(1, 9))
def test_parts_come_to_the_whole(happened: list[tuple[str, ...]], parts: int, page: int) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        pytest.MonkeyPatch.context() as patch,
        open_record(Path(name)) as journal,
    ):
        for kind, command, corr, *told in happened:
            asked = msgspec.structs.replace(stamp(id=command), corr=corr)
            journal.append([draft_of(kind, command, *told)], asked)
        inline = dump(journal.path)
        patch.setattr(runner, "PAGE", 1)
        patch.setattr(folding, "PAGE", page)
        patch.setattr(beside, "processes_for", lambda records: min(parts, records))
        patch.setattr(beside, "start", lambda processes: Here())
        empty(journal)
        journal.rebuild(PROJECTIONS)
        assert dump(journal.path) == inline


def empty(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        for projection in PROJECTIONS:
            for table in projection.tables:
                connection.execute(f'DELETE FROM "{table}"')


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Twenty commands, each one correlation; the eleventh goes on to the end."""
    monkeypatch.setattr(runner, "PAGE", 1)
    with open_record(tmp_path) as journal:
        for number in range(20):
            journal.append([received(f"command:{number}")], stamp(id=f"c{number}"))
            journal.append([completed(f"command:{number}")] if number != 10 else [received("command:x")], stamp(id="x"))
        journal.append([completed("command:10")], stamp(id="c10"))
        yield journal


def crossing(journal: Journal, *bounds: int) -> list[int]:
    with closing(sqlite3.connect(journal.path)) as connection:
        return beside.crossing(connection, bounds)


def test_what_crosses_is_what_belongs_together(tmp_path: Path) -> None:
    with open_record(tmp_path) as journal:
        for command, corr in (("a", "1"), ("b", "2"), ("a", "1"), ("c", "3"), ("d", "4"), ("c", "5"), ("e", "5")):
            journal.append([received(f"command:{command}")], msgspec.structs.replace(stamp(id=command), corr=corr))
        assert crossing(journal, 1) == [0, 2]
        assert crossing(journal, 2) == [0, 2]
        assert crossing(journal, 3) == []
        assert crossing(journal, 4) == [3, 5, 6], "the correlation of a command that goes on has another one"
        assert crossing(journal, 2, 4) == [0, 2, 3, 5, 6]


def test_processes_of_its_own_fold_the_parts(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    inline = dump(journal.path)
    monkeypatch.setattr(beside, "processes_for", lambda records: 2)
    made = []
    fold = beside.fold_beside

    def watched(*arguments: Any) -> beside.Beside:
        made.append(fold(*arguments))
        return made[-1]

    monkeypatch.setattr(beside, "fold_beside", watched)
    empty(journal)
    journal.rebuild(PROJECTIONS)
    assert dump(journal.path) == inline
    ((*parts, rest),) = [each.files for each in made]
    assert [[each.name for each in of] for _, of in parts] == [["audit"], ["audit"]]
    assert [each.name for each in rest[1]] == [each.name for each in PROJECTIONS if each.name != "audit"]


@pytest.mark.parametrize("trouble", ["too much crosses", "a part fails"])
def test_where_dividing_does_not_help_it_is_done_at_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    inline = dump(journal.path)
    monkeypatch.setattr(beside, "processes_for", lambda records: 2)
    monkeypatch.setattr(beside, "start", lambda processes: Here())
    if trouble == "a part fails":
        monkeypatch.setattr(beside, "fold_part", lambda *_: 1 / 0)
    else:
        monkeypatch.setattr(beside, "MAX_AGAIN", 0)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        made = beside.fold_beside(connection, journal.path, PROJECTIONS, 0, 41)
        assert [[each.name for each in of] for _, of in made.files] == [[each.name for each in PROJECTIONS]]
        beside.remove(journal.path)
    empty(journal)
    journal.rebuild(PROJECTIONS)
    assert dump(journal.path) == inline


def test_what_is_archived_meanwhile_is_not_brought_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = beside.fold_beside

    def overtaken(connection: sqlite3.Connection, *arguments: Any) -> beside.Beside:
        made = fold(connection, *arguments)
        connection.execute("UPDATE head SET min_pos = 20")
        connection.execute("DELETE FROM event WHERE pos < 20")
        return made

    monkeypatch.setattr(beside, "fold_beside", overtaken)
    journal.rebuild(PROJECTIONS)
    assert next(journal.rows("SELECT min(pos) AS first FROM audit"))["first"] == 20


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_rows_and_keys_are_taken_over_as_they_are(tmp_path: Path, projection: Projection) -> None:
    """A table that SQLite takes over row by row, because of how it is made, takes four times as long."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("ATTACH DATABASE ? AS part", (str(tmp_path / "part"),))
        for statement in statements(projection.ddl):
            connection.execute(statement)
            connection.execute(re.sub(r"(TABLE|INDEX) ", r"\1 part.", statement, count=1))
        for table in projection.tables:
            plan = connection.execute(f'EXPLAIN INSERT INTO main."{table}" SELECT * FROM part."{table}"')
            steps = {step[1] for step in plan}
            assert "RowData" in steps
            if isinstance(projection, Divisible):
                assert "MakeRecord" not in steps, "the second part comes to rows that are there"


@pytest.mark.parametrize(("processors", "processes"), [(None, 1), (1, 1), (4, 4), (64, beside.MAX_PROCESSES)])
def test_a_short_journal_is_worth_no_processes(
    processors: int | None, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert beside.processes_for(beside.WORTH_PROCESSES - 1) == 1
    assert beside.processes_for(beside.WORTH_PROCESSES) == processes
