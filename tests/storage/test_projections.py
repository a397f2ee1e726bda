"""Projections that are rebuilt are those that were committed with the records, over random histories."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from events.app import AppCreated, AppDeleted, AppScaled, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Draft
from storage.replica import Replica
from tests.storage.records import PROJECTIONS, follow, open_record
from tests.storage.support import stamp

TABLES = [table for projection in PROJECTIONS for table in projection.tables]
APPS = st.sampled_from(["demo/a", "demo/b"])
VALUES = st.sampled_from(["1", "2", "three"])
SMALL = st.integers(1, 3)
CONFIG = st.fixed_dictionaries({}, optional={"env": st.dictionaries(st.sampled_from("XYZ"), VALUES)})

FACTS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    APPS.map(lambda app: (app, AppCreated(name=app))),
    APPS.map(lambda app: (app, AppDeleted(name=app))),
    st.builds(lambda app, n: (app, AppScaled(name=app, scale={"web": n})), APPS, SMALL),
    st.builds(lambda app, v: (app, DeployBuilt(app=app, version=v, build="b")), APPS, SMALL),
    st.builds(lambda app, v: (app, DeploySucceeded(app=app, version=v)), APPS, SMALL),
    st.builds(lambda app, v: (app, DeployFailed(app=app, version=v, code="c", reason="r")), APPS, SMALL),
)
COMMANDS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.builds(lambda env: ("", CommandReceived(command="deploy", arguments={"env": env})), VALUES),
    st.builds(lambda code: ("", CommandCompleted(command="deploy", exit=code)), st.sampled_from([0, 1])),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any, int]]:
    """What happened, to which app, in which command. The number of a release is given once."""
    events = draw(st.lists(st.one_of(FACTS, COMMANDS, st.tuples(APPS, CONFIG)), max_size=40))
    told, last = [], {"demo/a": 0, "demo/b": 0}
    for app, event in events:
        fact = event
        if isinstance(event, dict):
            last[app] += 1
            fact = DeployStarted(app=app, version=last[app], bundle="f" * 64, config=event)
        told.append((app, fact, draw(SMALL)))
    return told


def dump(path: str) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr) for table in TABLES}


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(st.integers(1, 5), min_size=1, max_size=10))
def test_rebuilt_is_inline_is_replicated(history: list[tuple[str, Any, int]], batches: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_record(folder) as journal:
            rest, turn = list(history), 0
            while rest:
                size = batches[turn % len(batches)]
                group, rest, turn = rest[:size], rest[size:], turn + 1
                command = group[0][2]
                drafts = [
                    Draft(
                        stream=f"app:{app}" if app else f"command:{command}", fact=fact, target=app, outcome="unknown"
                    )
                    for app, fact, _ in group
                ]
                journal.append(drafts, msgspec.structs.replace(stamp(id=f"c{command}")))
            path = journal.path
            replica = Replica(str(folder / "replica.sqlite"), PROJECTIONS)
            follow(replica, journal)
            replica.close()
        inline = dump(path)
        if history:
            assert dump(replica.path) == inline
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE projection SET code_version = 0")
            connection.commit()
        with open_record(folder) as journal:
            assert list(journal.rows("SELECT DISTINCT code_version = 0 AS old FROM projection")) == [{"old": 0}]
        assert dump(path) == inline
