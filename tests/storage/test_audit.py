"""`rig audit` with its filters, whatever way to the answer they take; `stats`, `show`, and words."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated
from events.command import CommandCompleted, CommandReceived
from events.network import NetworkCreated
from handlers import audit_answer, audit_stats, export_audit, list_audit, show_audit
from handlers.audit_answer import answer, everything
from handlers.audit_query import question
from rig.contract.review import AuditFilter, AuditStats, ExportAudit, ListAudit, ShowAudit
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Draft
from storage.journal import Journal
from tests.storage.records import PROJECTIONS, Ports, context, open_record, replica_of
from tests.storage.support import START, FakeClock, completed, received, stamp


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path) as journal:
        journal.append([received("command:1", "network.create", "demo")], stamp("user:ana", "one"))
        journal.append([completed("command:1", "network.create")], stamp("user:ana", "one"))
        journal.append([received("command:2", "app.create", "demo/shop")], stamp("token:ci", "two"))
        journal.append([completed("command:2", "app.create", "denied")], stamp("token:ci", "two"))
        journal.append([received("command:3", "app.delete", "demo/shop")], stamp("user:ana", "three"))
        yield journal


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return Ports(tmp_path)


def audit(journal: Journal, ports: Ports, **filters: Any) -> list[tuple[str, str]]:
    command = msgspec.convert(filters, ListAudit)
    return [(entry.action, entry.target) for entry in list_audit.handle(command, context(journal, ports)).entries]


ALL = [("app.delete", "demo/shop"), ("app.create", "demo/shop"), ("network.create", "demo")]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ALL),
        ({"limit": 2}, ALL[:2]),
        ({"actor": "token:ci"}, ALL[1:2]),
        ({"actor": "ana"}, [ALL[0], ALL[2]]),
        ({"actor": "an*"}, [ALL[0], ALL[2]]),
        ({"actor": "token:*"}, ALL[1:2]),
        ({"actor": "ci"}, []),
        ({"actor": "node"}, []),
        ({"actor": "user:*"}, [ALL[0], ALL[2]]),
        ({"actor": "*"}, ALL),
        ({"target": "demo"}, ALL[2:]),
        ({"target": "demo/*"}, ALL[:2]),
        ({"action": "app.create"}, ALL[1:2]),
        ({"action": "app.*"}, ALL[:2]),
        ({"outcome": "denied"}, ALL[1:2]),
        ({"outcome": "success"}, ALL[2:]),
        ({"outcome": "unknown"}, ALL[:1]),
        ({"denied": True}, ALL[1:2]),
        ({"privileged": True}, ALL[:1]),
        ({"src": "laptop"}, ALL),
        ({"src": "elsewhere"}, []),
        ({"session": "none"}, []),
        ({"corr": "two"}, ALL[1:2]),
        ({"text": "shop"}, ALL[:2]),
        ({"text": "sho* dem*"}, ALL[:2]),
        ({"text": "sho"}, []),
        ({"text": "demo/shop"}, ALL[:2]),
        ({"text": "shop", "actor": "user:ana"}, ALL[:1]),
        ({"text": "%"}, []),
        ({"text": "*"}, []),
        ({"text": '"'}, []),
        ({"text": "NOT shop"}, []),
        ({"after_pos": 0}, [ALL[1], ALL[0]]),
        ({"since": rfc3339(START + 3_000_000_000)}, ALL[:2]),
        ({"until": rfc3339(START + 3_000_000_000)}, ALL[2:]),
        ({"since": "1h"}, ALL),
        ({"until": "1h"}, []),
        ({"actor": "' OR 1 --"}, []),
        ({"actor": "user:ana", "action": "network.*", "outcome": "success"}, ALL[2:]),
    ],
    ids=str,
)
def test_the_audit_log_is_filtered_newest_first(
    journal: Journal, ports: Ports, filters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert audit(journal, ports, **filters) == expected


def test_the_answer_says_whose_record_it_is_and_how_much_there_is(journal: Journal, ports: Ports) -> None:
    log = list_audit.handle(ListAudit(limit=1, actor="user:*"), context(journal, ports))
    assert (log.record, log.more, len(log.entries), log.matched, log.excluded) == ("local", True, 1, 2, 1)
    (entry,) = log.entries
    assert (entry.outcome, entry.ended_at, entry.actor, entry.src) == ("unknown", "", "user:ana", "laptop")


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01T00:00:00Z", "2026-11-01T25:00:00", "2 h"])
def test_a_time_that_is_none_is_refused(journal: Journal, ports: Ports, text: str) -> None:
    with pytest.raises((RigError, msgspec.ValidationError)):
        audit(journal, ports, since=text)


def test_filters_that_exclude_each_other_are_refused(journal: Journal, ports: Ports) -> None:
    with pytest.raises(RigError, match="exclude each other"):
        audit(journal, ports, denied=True, outcome="success")


def test_other_facts_are_entries_too(journal: Journal, ports: Ports) -> None:
    journal.append([Draft(stream="network:x", fact=NetworkCreated(name="x"), target="x")], stamp())
    assert audit(journal, ports, limit=1) == [("network.created", "x")]


def test_what_follows_from_a_command_was_done_for_its_environment(journal: Journal, ports: Ports) -> None:
    fact = CommandReceived(command="deploy", arguments={"env": "production"})
    journal.append([Draft(stream="command:9", fact=fact, target="demo/shop")], stamp("user:ana", "nine"))
    journal.append([Draft(stream="app:demo/shop", fact=AppCreated(name="demo/shop"))], stamp("user:ana", "nine"))
    found = audit(journal, ports, env="production", all_records=True)
    assert [action for action, _ in found] == ["app.created", "deploy"]
    assert audit(journal, ports, env="prod*") == audit(journal, ports, env="production")
    assert audit(journal, ports, env="staging") == []


@pytest.mark.parametrize("together", [False, True])
def test_a_command_that_learns_on_its_way_what_it_is_about_is_found_by_that(
    journal: Journal, ports: Ports, together: bool
) -> None:
    begin, end = received("command:9", "config.apply", ""), completed("command:9", "config.apply")
    for drafts in [[begin, end]] if together else [[begin], [end]]:
        journal.append(drafts, stamp("user:ana", "nine"))
    assert audit(journal, ports, target="demo")[0] == ("config.apply", "demo")
    assert audit(journal, ports, target="demo", outcome="success")[0] == ("config.apply", "demo")


def test_words_of_the_end_find_the_row_of_the_beginning(journal: Journal, ports: Ports) -> None:
    end = CommandCompleted(command="app.delete", exit=1, code="conflict", message="It still has a subscription.")
    journal.append([Draft(stream="command:3", fact=end, outcome="failure")], stamp("user:ana", "three"))
    assert audit(journal, ports, text="subscription") == [ALL[0]]
    # The index goes on from where it was.
    journal.append([received("command:4", "app.create", "demo/subscription")], stamp())
    assert audit(journal, ports, text="subscr*") == [("app.create", "demo/subscription"), ALL[0]]


# -- however many there are -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """Rows enough that, with the bounds of these tests, each way to an answer is taken."""
    chance = random.Random(7)
    with open_record(tmp_path_factory.mktemp("many")) as journal:
        for number in range(600):
            actor = f"user:p{chance.randrange(4)}"
            target = f"net{chance.randrange(3)}/app{chance.randrange(40)}"
            action = chance.choice(["deploy", "deploy.started", "app.update", "role.granted"])
            draft = received(f"command:{number}", action, target)
            journal.append(
                [msgspec.structs.replace(draft, outcome=chance.choice(["success", "success", "denied"]))],
                msgspec.structs.replace(stamp(actor, f"c{number // 3}"), src=f"host{chance.randrange(5)}"),
            )
        yield journal


FILTERS: list[dict[str, Any]] = [
    {},
    {"actor": "user:p1"},
    {"actor": "user:*"},
    {"target": "net1/app3"},
    {"target": "net1/*"},
    {"target": "net*"},
    {"action": "deploy*"},
    {"outcome": "denied"},
    {"outcome": "success", "actor": "user:p2"},
    {"privileged": True},
    {"src": "host*", "action": "deploy"},
    {"actor": "user:p3", "target": "net2/*", "outcome": "denied"},
    {"action": "deploy*", "target": "net0/*"},
    {"corr": "c7"},
    {"text": "deploy"},
    {"text": "deploy", "actor": "user:p0"},
    {"actor": "user:nobody"},
]


@pytest.mark.parametrize("bounds", [(10_000, 10_000, 64), (5, 20, 64), (5, 20, 2)], ids=str)
@pytest.mark.parametrize("limit", [1, 7, 1_000])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_every_way_to_an_answer_gives_the_same_rows(
    many: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, Any],
    limit: int,
    bounds: tuple[int, int, int],
) -> None:
    """Against a scan of all rows, with the times of the middle half of them."""
    monkeypatch.setattr(audit_answer, "RARE", bounds[0])
    monkeypatch.setattr(audit_answer, "COUNTED", bounds[1])
    monkeypatch.setattr(audit_answer, "COUNTED_BY_INDEX", bounds[1])
    monkeypatch.setattr(audit_answer, "DISTINCT", bounds[2])
    texts = Ports(tmp_path).texts
    rows = list(many.rows("SELECT * FROM audit ORDER BY at DESC, pos DESC"))
    since, until = rows[450]["at"], rows[150]["at"]
    for span in ({}, {"since": rfc3339(since), "until": rfc3339(until)}):
        asked = msgspec.convert({**filters, **span}, AuditFilter)
        expected = [row for row in rows if fits(row, filters) and (not span or since <= row["at"] < until)]
        found = answer(many, question(asked, START), limit, texts)
        assert [row["pos"] for row in found.rows] == [row["pos"] for row in expected][:limit]
        assert found.matched == len(expected) if found.exact else found.matched <= len(expected)
        assert found.total == len(rows)
        forward = [row["pos"] for row in everything(many, question(asked, START), texts, page=50)]
        assert forward == sorted(row["pos"] for row in expected)


def fits(row: dict[str, Any], filters: dict[str, Any]) -> bool:
    for name, wanted in filters.items():
        if name == "text":
            if wanted not in row["action"]:
                return False
        elif name == "privileged":
            if not row["privileged"]:
                return False
        elif not (row[name].startswith(wanted[:-1]) if wanted.endswith("*") else row[name] == wanted):
            return False
    return True


def test_a_collector_that_goes_on_behind_a_position_misses_nothing(many: Journal, tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    seen: list[int] = []
    after = 0
    while page := list_audit.handle(ListAudit(after_pos=after, limit=70), context(many, ports)).entries:
        seen += [entry.pos for entry in page]
        after = page[-1].pos
    assert seen == list(range(1, 600))


# -- both records ---------------------------------------------------------------------------------------------------


def test_what_both_records_have_is_one_entry(journal: Journal, tmp_path: Path) -> None:
    with open_record(tmp_path / "node", "node") as node:
        node.append([received("command:n", "app.create", "demo/shop")], stamp("token:ci", "two"))
        node.append([received("command:o", "role.granted", "demo")], stamp("user:bea", "other"))
        replica = replica_of(tmp_path, node)
        log = list_audit.handle(ListAudit(), context(journal, Ports(tmp_path, replica)))
        told = {(entry.action, entry.source, entry.pos, entry.observed_pos) for entry in log.entries}
        assert told == {
            ("network.create", "local", 0, -1),
            ("app.create", "both", 2, 0),
            ("app.delete", "local", 4, -1),
            ("role.granted", "observed", 1, -1),
        }
        assert (log.record, log.replica and log.replica.size) == ("local+observed", 2)
        for asked, size in ((ListAudit(source="local"), 3), (ListAudit(source="observed"), 2)):
            only = list_audit.handle(asked, context(journal, Ports(tmp_path, replica)))
            assert (only.record, len(only.entries)) == (asked.source, size)
        replica.close()


def test_an_export_of_two_records_is_in_the_order_of_time(tmp_path: Path) -> None:
    clock = FakeClock()
    local, node = (
        Journal.open(tmp_path / f"{name}.sqlite", origin=name, projections=PROJECTIONS, clock=clock)
        for name in ("client", "node")
    )
    with local, node:
        for number in range(6):
            fact = Draft(stream=f"network:n{number}", fact=NetworkCreated(name=f"n{number}"), target=f"n{number}")
            (node if number % 3 else local).append([fact], stamp(id=str(number)))
        ports = Ports(tmp_path, replica_of(tmp_path, node))
        export_audit.handle(ExportAudit(format="csv"), context(local, ports))
        targets = [row["target"] for row in csv.DictReader("".join(ports.shown).splitlines())]
        assert targets == [f"n{number}" for number in range(6)]
        assert ports.replica is not None
        ports.replica.close()


def test_the_platforms_record_can_be_asked_for_only_where_there_is_one(journal: Journal, ports: Ports) -> None:
    for command in (ListAudit(source="observed"), ListAudit(sync=True)):
        with pytest.raises(RigError) as refused:
            list_audit.handle(command, context(journal, ports))
        assert refused.value.code in {"not_found", "login_required"}


# -- counts ---------------------------------------------------------------------------------------------------------


def test_counts_by_actor_and_day(journal: Journal, ports: Ports) -> None:
    summary = audit_stats.handle(AuditStats(by="actor,day", until="1h"), context(journal, ports))
    assert (summary.rows, summary.matched, summary.excluded) == ([], 0, 3)
    summary = audit_stats.handle(AuditStats(by="actor,day"), context(journal, ports))
    day = rfc3339(START)[:10]
    assert [(row.keys, row.count, row.outcomes) for row in summary.rows] == [
        ({"actor": "user:ana", "day": day}, 2, {"success": 1, "unknown": 1}),
        ({"actor": "token:ci", "day": day}, 1, {"denied": 1}),
    ]


@pytest.mark.parametrize("page", [1, 2_000])
def test_what_both_records_have_is_counted_once(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(audit_stats, "PAGE", page)
    journal.append([received("command:4", "app.create", "demo/shop")], stamp("token:ci", "two"))
    with open_record(tmp_path / "node", "node") as node:
        node.append([received("command:n", "app.create", "demo/shop")], stamp("token:ci", "two"))
        node.append([completed("command:n", "app.create", "denied")], stamp("token:ci", "two"))
        node.append([received("command:o", "app.create", "demo/shop")], stamp("user:ben", "other"))
        replica = replica_of(tmp_path, node)
        ask = context(journal, Ports(tmp_path, replica))
        summary = audit_stats.handle(AuditStats(by="network"), ask)
        apart = audit_stats.handle(AuditStats(by="source,actor"), ask)
        denied = audit_stats.handle(AuditStats(by="source", outcome="denied"), ask)
        replica.close()
    (row,) = summary.rows
    assert (row.keys, row.count, row.outcomes) == ({"network": "demo"}, 5, {"success": 1, "denied": 1, "unknown": 3})
    assert (summary.matched, summary.both, summary.excluded) == (5, 1, 0)
    assert {(*row.keys.values(), row.count) for row in apart.rows} == {
        ("local", "user:ana", 2),
        ("local", "token:ci", 1),
        ("both", "token:ci", 1),
        ("observed", "user:ben", 1),
    }
    assert [(row.keys, row.count) for row in denied.rows] == [({"source": "both"}, 1)]
    assert (denied.matched, denied.both, denied.excluded) == (1, 1, 4)


def test_a_span_that_ends_before_it_begins_is_refused(journal: Journal, ports: Ports) -> None:
    with pytest.raises(RigError, match="--since 2h is later than --until 1d"):
        list_audit.handle(ListAudit(since="2h", until="1d"), context(journal, ports))


def test_words_are_not_counted(journal: Journal, ports: Ports) -> None:
    with pytest.raises(RigError, match="not counted"):
        audit_stats.handle(AuditStats(text="shop"), context(journal, ports))


# -- one record -----------------------------------------------------------------------------------------------------


def test_a_record_is_found_by_its_number_and_by_how_its_id_begins(journal: Journal, ports: Ports) -> None:
    rows = list(journal.rows("SELECT pos, id, rec, leaf FROM event ORDER BY pos"))
    for wanted in ("2", rows[2]["id"], rows[2]["id"][:-1]):
        shown = show_audit.handle(ShowAudit(id=wanted), context(journal, ports))
        assert (shown.pos, shown.id, shown.record) == (2, rows[2]["id"], rows[2]["rec"])
        assert (shown.leaf, shown.hashed, shown.signed) == (rows[2]["leaf"].hex(), True, 5)
        assert shown.anchored == "pin"


@pytest.mark.parametrize(("wanted", "code"), [("99", "not_found"), ("n1", "not_found"), ("ffff", "not_found")])
def test_a_record_that_is_not_there(journal: Journal, ports: Ports, wanted: str, code: str) -> None:
    with pytest.raises(RigError) as refused:
        show_audit.handle(ShowAudit(id=wanted), context(journal, ports))
    assert refused.value.code == code


def test_an_id_that_begins_like_others_is_refused(journal: Journal, ports: Ports) -> None:
    common = next(journal.rows("SELECT id FROM event"))["id"][:6]
    with pytest.raises(RigError, match="More than one"):
        show_audit.handle(ShowAudit(id=common), context(journal, ports))


def test_a_record_stands_among_its_causes_and_effects(journal: Journal, tmp_path: Path) -> None:
    """What the platform recorded for a command hangs below that command, and facts below what caused them."""
    with open_record(tmp_path / "node", "node") as node:
        asked = msgspec.structs.replace(stamp("token:ci", "node-two"), corr="two")
        node.append([received("command:node-two", "app.create", "demo/shop")], asked)
        (made,) = node.append([Draft(stream="app:demo/shop", fact=AppCreated(name="demo/shop"))], asked)
        follow_up = Draft(stream="app:demo/shop", fact=AppCreated(name="demo/shop"), caus=made.id)
        node.append([follow_up], asked)
        local = stamp("token:ci", "two")
        journal.append([received("command:two", "app.create", "demo/shop")], local)
        journal.append([completed("command:two", "app.create")], local)
        replica = replica_of(tmp_path, node)
        shown = show_audit.handle(ShowAudit(id="5"), context(journal, Ports(tmp_path, replica)))
        replica.close()
    told = [(entry.depth, entry.source, entry.what, entry.type) for entry in shown.tree]
    assert told[0] == (0, "local", "app.create", "command.received")
    assert (1, "local", "app.create", "command.completed") in told
    below = told.index((1, "observed", "app.create", "command.received"))
    assert told[below + 1 : below + 3] == [
        (2, "observed", "app.created", "app.created"),
        (3, "observed", "app.created", "app.created"),
    ]
