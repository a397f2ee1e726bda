"""Which change a record belongs to, whichever way the audit table is folded."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from events.app import AppCrashed, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Recorded
from storage.migrate import statements
from storage.projections.audit import AuditProjection

SHOP = "demo/shop"


def record(pos: int, stream: str, fact: Fact, corr: str, caus: str, **fields: Any) -> Recorded:
    defaults = {
        "ver": 1,
        "at": pos,
        "actor": "user:ana",
        "outcome": "success",
        "target": SHOP,
        "src": "",
        "session": "",
    }
    return Recorded(
        pos=pos, id=f"r{pos}", stream=stream, fact=fact, corr=corr, caus=caus, **{"idem": "", **defaults, **fields}
    )


def begun(pos: int, name: str, corr: str = "", process: str = "7:1", **fields: Any) -> Recorded:
    fact = CommandReceived(command="deploy", process=process)
    return record(pos, f"command:{name}", fact, corr or name, name, outcome="unknown", **fields)


def ended(pos: int, name: str, corr: str = "", outcome: str = "success") -> Recorded:
    return record(pos, f"command:{name}", CommandCompleted(command="deploy"), corr or name, name, outcome=outcome)


def started(pos: int, corr: str, caus: str) -> Recorded:
    return record(pos, f"app:{SHOP}", DeployStarted(app=SHOP, version=3, bundle=""), corr, caus)


def succeeded(pos: int, corr: str, caus: str) -> Recorded:
    return record(pos, f"app:{SHOP}", DeploySucceeded(app=SHOP, version=3), corr, caus)


def folded(records: list[Recorded], sizes: Sequence[int]) -> list[tuple[Any, ...]]:
    """The table, when as many records come at once as ``sizes`` say, over and over."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    projection = AuditProjection()
    for statement in statements(projection.ddl):
        connection.execute(statement)
    versions: Counter[str] = Counter()
    for number, one in enumerate(records):
        versions[one.stream] += 1
        records[number] = msgspec.structs.replace(one, ver=versions[one.stream])
    first, turn = 0, 0
    while first < len(records):
        size = sizes[turn % len(sizes)]
        projection.apply_all(connection, records[first : first + size])
        first, turn = first + size, turn + 1
    rows = connection.execute("SELECT * FROM audit ORDER BY pos").fetchall()
    connection.close()
    return rows


def leads(*records: Recorded) -> dict[int, int | None]:
    """Position → lead; the same however many records come at once."""
    rows = folded(list(records), [1])
    assert rows == folded(list(records), [len(records)]) == folded(list(records), [2, 1])
    return {row[0]: row[-1] for row in rows}


def test_what_a_command_caused_belongs_to_it() -> None:
    assert leads(begun(0, "a"), started(1, "a", "a"), succeeded(2, "a", "r1"), ended(3, "a")) == {0: 0, 1: 0, 2: 0}


def test_what_comes_after_the_end_belongs_to_it_too() -> None:
    """As on a platform, which answers when the release is begun."""
    asked = {"corr": "client", "process": "", "idem": "client"}
    found = leads(
        begun(0, "a", **asked),
        started(1, "client", "a"),
        ended(2, "a", "client"),
        begun(3, "b", **{**asked, "idem": "other"}),
        ended(4, "b", "client"),
        succeeded(5, "client", "r1"),
    )
    assert found == {0: 0, 1: 0, 3: 3, 5: 0}


def test_a_command_that_another_one_has_carried_out_belongs_to_it() -> None:
    assert leads(begun(0, "a"), begun(1, "b", "a"), ended(2, "b", "a"), ended(3, "a")) == {0: 0, 1: 0}


def test_commands_of_one_correlation_that_follow_each_other_are_changes_of_their_own() -> None:
    assert leads(begun(0, "a", "ci"), ended(1, "a", "ci"), begun(2, "b", "ci"), ended(3, "b", "ci")) == {0: 0, 2: 2}


def test_commands_of_one_correlation_in_two_processes_are_changes_of_their_own() -> None:
    assert leads(begun(0, "a", "ci"), begun(1, "b", "ci", "8:1"), ended(2, "a", "ci")) == {0: 0, 1: 1}


def test_another_try_belongs_to_the_first() -> None:
    again = {"corr": "client", "process": ""}
    assert leads(begun(0, "a", **again, idem="k"), ended(1, "a", "client", "unknown"), begun(2, "a", **again)) == {
        0: 0,
        2: 0,
    }


@pytest.mark.parametrize(
    ("tag", "outcome", "told"),
    [
        ("app.list", "success", False),
        ("app.list", "unknown", False),
        ("app.list", "failure", False),
        ("app.list", "denied", True),
        ("app.list", "error", True),
        ("journal.verify", "success", False),
        ("journal.verify", "failure", True),
    ],
)
def test_a_look_up_belongs_to_no_change_and_what_a_reviewer_has_to_know_of_is_told(
    tag: str, outcome: str, told: bool
) -> None:
    query = record(0, "command:q", CommandCompleted(command=tag), "q", "q", outcome=outcome)
    assert leads(query) == {0: 0 if told else None}


def test_what_nobody_asked_for_leads_itself() -> None:
    """With a correlation of its own, what followed from it is a part of it."""
    crash = AppCrashed(name=SHOP, instance="web.1", version=3, reason="exit 1")
    found = leads(
        record(0, f"app:{SHOP}", crash, "", "x", outcome="failure"),
        record(1, f"app:{SHOP}", crash, "n", "n", outcome="failure"),
        started(2, "m", "m"),
        record(3, f"app:{SHOP}", DeployFailed(app=SHOP, version=3, code="c", reason="r"), "m", "r2"),
    )
    assert found == {0: 0, 1: 1, 2: 2, 3: 2}


def test_the_table_tells_the_release_and_what_went_wrong() -> None:
    failed = DeployFailed(app=SHOP, version=3, code="health_failed", reason="It does not answer.")
    (row,) = folded([record(0, f"app:{SHOP}", failed, "", "x", outcome="failure")], [1])
    assert row[9:11] == ("health_failed", "It does not answer.")
    assert 3 in row


@pytest.mark.parametrize("seed", range(12))
def test_the_table_is_the_same_however_many_records_come_at_once(seed: int) -> None:
    chance = random.Random(seed)
    names, own = [f"c{number}" for number in range(8)], ["c0"]
    records: list[Recorded] = []
    for pos in range(150):
        name, corr = chance.choice(names), chance.choice([*names[:3], ""])
        caus = chance.choice([name, corr or name, f"r{chance.randrange(pos + 1)}"])
        made = chance.choice(["begun on a platform", "begun on a client", "ended", "fact"])
        if made == "begun on a platform":
            again = any(one.stream == f"command:{name}" for one in records)  # which has no key any more
            records.append(begun(pos, name, corr, "", idem="" if again else name))
        elif made == "begun on a client":
            own.append(f"own{pos}")  # which is begun once
            records.append(begun(pos, own[-1], chance.choice([corr, own[-1]]), chance.choice(["7:1", "8:1"])))
        elif made == "ended":
            records.append(
                ended(pos, chance.choice([*names, *own]), corr, chance.choice(["success", "unknown", "denied"]))
            )
        else:
            records.append(started(pos, corr, caus))
    whole = folded(records, [150])
    assert folded(records, [1]) == whole
    assert folded(records, [chance.randrange(1, 9) for _ in range(5)]) == whole
