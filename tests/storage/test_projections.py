"""Projections that are rebuilt are those that were committed with the records, over random histories."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.app import (
    AppCreated,
    AppDeleted,
    AppScaled,
    AppScaleReset,
    DeployBuilt,
    DeployFailed,
    DeployStarted,
    DeploySucceeded,
)
from events.command import CommandCompleted, CommandReceived
from events.config import SecretRef, SecretsChanged, VarsChanged
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Recorded
from storage import record
from storage.projections import audit_rows, folding, runner
from storage.projections.audit_rows import Shown, row_of, shown, shown_of
from storage.replica import Replica
from tests.storage import golden
from tests.storage.records import PROJECTIONS, follow, open_record
from tests.storage.support import stamp

UNSHOWN = ("caus", "type", "ver")
"""What is not in a row, and decides to which one it belongs."""
TABLES = [table for projection in PROJECTIONS for table in projection.tables]
APPS = st.sampled_from(["demo/a", "demo/b"])
VALUES = st.sampled_from(["1", "2", "three"])
SMALL = st.integers(1, 3)
CONFIG = st.fixed_dictionaries({}, optional={"env": st.dictionaries(st.sampled_from("XYZ"), VALUES)})

FACTS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    APPS.map(lambda app: (app, AppCreated(name=app))),
    APPS.map(lambda app: (app, AppDeleted(name=app))),
    st.builds(lambda app, n: (app, AppScaled(name=app, scale={"web": n})), APPS, SMALL),
    APPS.map(lambda app: (app, AppScaleReset(name=app, processes=["web"]))),
    st.builds(lambda app, v: (app, VarsChanged(scope=app, set={"X": v}, removed=["Y"])), APPS, VALUES),
    st.builds(lambda app, v: (app, VarsChanged(scope=app, set={"Y": v})), APPS, VALUES),
    st.builds(
        lambda app, n: (app, SecretsChanged(scope=app, set={"Z": SecretRef(version=n, digest="d")})), APPS, SMALL
    ),
    st.builds(lambda app, v: (app, DeployBuilt(app=app, version=v, build="b")), APPS, SMALL),
    st.builds(lambda app, v: (app, DeploySucceeded(app=app, version=v)), APPS, SMALL),
    st.builds(lambda app, v: (app, DeployFailed(app=app, version=v, code="c", reason="r")), APPS, SMALL),
)
TAGS = st.sampled_from(["deploy", "app.delete"])
ENVS = st.one_of(VALUES, st.just(""), st.just(7))
COMMANDS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.builds(
        lambda tag, env, process: ("", CommandReceived(command=tag, arguments={"env": env}, process=process)),
        TAGS,
        ENVS,
        st.sampled_from(["", "1:1"]),
    ),
    st.builds(
        lambda tag, env, code: ("", CommandCompleted(command=tag, arguments={"env": env}, exit=code, message="m")),
        TAGS,
        ENVS,
        st.sampled_from([0, 1]),
    ),
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
@given(histories(), st.lists(st.integers(1, 5), min_size=1, max_size=10), st.integers(1, 7), st.data())
def test_rebuilt_is_inline_is_replicated(
    history: list[tuple[str, Any, int]], batches: list[int], page: int, data: st.DataObject
) -> None:
    """However the records are cut into appends and pages; rebuilt in place, and beside the journal."""
    outcomes, correlations = st.sampled_from(["success", "unknown", "failure"]), st.sampled_from(["", "c1", "c2", "c3"])
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        with open_record(folder) as journal:
            rest, turn = list(history), 0
            while rest:
                size = batches[turn % len(batches)]
                group, rest, turn = rest[:size], rest[size:], turn + 1
                command = group[0][2]
                drafts = [
                    Draft(
                        stream=f"app:{app}" if app else f"command:c{cause}",
                        fact=fact,
                        target=app,
                        outcome=data.draw(outcomes),
                        caus=f"c{cause}",
                    )
                    for app, fact, cause in group
                ]
                asked = msgspec.structs.replace(stamp(id=f"c{command}"), corr=data.draw(correlations))
                journal.append(drafts, asked, idem=data.draw(st.sampled_from(["", f"key{turn}"])))
            path = journal.path
            replica = Replica(str(folder / "replica.sqlite"), PROJECTIONS)
            follow(replica, journal)
            replica.close()
            inline = dump(path)
            if history:
                assert dump(replica.path) == inline
            patch.setattr(folding, "PAGE", page)
            for beside in (len(history), page):
                patch.setattr(runner, "PAGE", beside)
                with closing(sqlite3.connect(path)) as connection:
                    for table in TABLES:
                        connection.execute(f'DELETE FROM "{table}"')
                    connection.commit()
                assert not any(dump(path).values())
                journal.rebuild(PROJECTIONS)
                assert dump(path) == inline
            assert [finding.code for finding in journal.verify().findings] in ([], ["NO_PIN"])


@pytest.mark.parametrize("path", sorted(golden.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_decoded_in_part_is_what_is_decoded_whole(path: Path) -> None:
    """Every shape ever written, old ones and those whose fields have another meaning included."""
    written = path.read_text()
    (in_part,), whole = shown_of(written, 1), shown(record.recorded(written))
    assert row_of(in_part) == row_of(whole)
    assert [getattr(in_part, name) for name in UNSHOWN] == [getattr(whole, name) for name in UNSHOWN]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"type":"command.received"', '"type":"mystery.happened"', "no fact `mystery.happened`"),
        ('"sv":1', '"sv":99', "version 99 of `command.received` is not known here"),
        ('"command":"a command"', '"command":7', "holds a damaged record"),
        ('"ver":1', '"ver":1,', "holds a damaged record"),
    ],
)
def test_what_cannot_be_read_is_told_and_not_skipped(before: str, after: str, message: str) -> None:
    written = golden.path_of("command.received", 1).read_text()
    assert before in written
    with pytest.raises(RigError, match=message):
        shown_of(written.replace(before, after), 1)


def test_a_record_that_was_emptied_is_told_and_not_skipped() -> None:
    written = golden.path_of("command.received", 1).read_text()
    with pytest.raises(RigError, match="holds a damaged record"):
        shown_of(f"{written}\n\n{written}", 3)


def test_an_old_shape_among_new_ones_is_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [golden.path_of(kind, 1) for kind in ("command.received", "command.completed", "app.created")]
    written = "\n".join(path.read_text() for path in paths)
    rows = list(map(row_of, shown_of(written, len(paths))))
    whole: list[str] = []

    def watched(recorded: Recorded) -> Shown:
        whole.append(recorded.fact.type)
        return shown(recorded)

    monkeypatch.setattr(audit_rows, "shown", watched)
    monkeypatch.setitem(audit_rows._versions, "command.completed", 0)
    assert list(map(row_of, shown_of(written, len(paths)))) == rows
    assert whole == ["command.completed"]
