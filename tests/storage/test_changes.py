"""`rig audit`, one line for each change: a command with all that came of it, in both records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCrashed, DeployBuilt, DeployStarted, DeploySucceeded
from events.command import CommandCompleted, CommandUndone
from events.node import NodeStarted
from handlers import audit_answer, audit_stats, export_audit, list_audit
from rig.contract.review import AuditStats, ExportAudit, ListAudit
from rig.kernel.ports import Draft, Stamp
from storage.journal import Journal
from storage.replica import Replica
from tests.storage.changing import SHOP, asked, command, deploy_here, deploy_there, end, fact, listed, told
from tests.storage.records import Ports, context, follow
from tests.storage.support import stamp


def test_a_deployment_is_one_line_in_whichever_record(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    for number, code in ((1, ""), (2, "health_failed")):
        deploy_here(local, f"d{number}", number, code)
        deploy_there(node, f"n{number}", f"d{number}", number, code)
    follow(replica, node)
    ports = Ports(tmp_path, replica)
    lines = listed(local, ports)
    assert told(lines) == [("both", "deploy", 2, "health_failed"), ("both", "deploy", 1, "success")]
    assert lines[1].effects == ["deploy.started", "deploy.succeeded", "deploy.built"]
    assert (lines[1].pos, lines[1].observed_pos, lines[1].src) == (0, 0, "laptop")
    observed = listed(local, ports, source="observed")
    assert told(observed) == [
        ("observed", "release.start", 2, "health_failed"),
        ("observed", "release.start", 1, "success"),
    ]
    assert len(listed(local, ports, all_records=True)) > 4


def test_the_platform_says_how_a_change_ended_that_was_cut_off_here(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    local.append([command("c", "app.create", process="7:1")], stamp("user:ana", "c"))
    node.append([command("m", "app.create")], asked("m", "c"), idem="user:ana/c")
    node.append([end("m", "app.create", "already_exists")], asked("m", "c"))
    deploy_here(local, "d", 4, ends=False)
    deploy_there(node, "n", "d", 4)
    follow(replica, node)
    assert told(listed(local, Ports(tmp_path, replica))) == [
        ("both", "deploy", 4, "success"),
        ("both", "app.create", 0, "already_exists"),
    ]


def test_the_platform_says_whose_token_it_was(local: Journal, node: Journal, tmp_path: Path, replica: Replica) -> None:
    """A job that was given a token, and did not log in, does not know who it is."""
    local.append([command("c", "app.create", process="7:1"), end("c", "app.create")], stamp("os:runner", "c"))
    node.append([command("m", "app.create")], asked("m", "c", "token:ci"), idem="token:ci/c")
    node.append([end("m", "app.create")], asked("m", "c", "token:ci"))
    local.append([command("d", "settings.set"), end("d", "settings.set")], stamp("os:runner", "d"))
    follow(replica, node)
    lines = listed(local, Ports(tmp_path, replica))
    assert [(line.action, line.actor) for line in lines] == [("settings.set", "os:runner"), ("app.create", "token:ci")]


def test_taking_something_back_is_about_what_it_was_done_to(local: Journal, tmp_path: Path) -> None:
    by = stamp("user:ana", "u")
    local.append([command("u", "undo", "", process="7:1")], by)
    local.append([fact(DeployStarted(app=SHOP, version=3, bundle="b")), fact(DeploySucceeded(app=SHOP, version=3))], by)
    undone = Draft(stream="undo:d", fact=CommandUndone(id="d", command="deploy"), target=SHOP)
    local.append([undone, end("u", "undo")], by)
    (line,) = listed(local, Ports(tmp_path))
    assert (line.action, line.target, line.version, line.outcome) == ("undo", SHOP, 3, "success")


def test_a_release_that_goes_on_has_no_outcome_yet(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    deploy_there(node, "n", "elsewhere", 1, ends=False)
    follow(replica, node)
    (line,) = listed(local, Ports(tmp_path, replica), source="observed")
    assert (line.outcome, line.ended_at, line.version) == ("unknown", "", 1)


def test_what_nobody_asked_for_is_a_line_of_its_own(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    deploy_there(node, "n", "d", 1)
    by = Stamp(id="x", actor="system:node", at=0, corr="x")
    node.append([fact(AppCrashed(name=SHOP, instance="web.1", version=1, reason="exit 3"), "failure")], by)
    restarted = NodeStarted(version="1", isolation="none", domain="localhost")
    again = msgspec.structs.replace(by, id="y", corr="y")
    node.append([Draft(stream="node", fact=restarted, target="node")], again)
    follow(replica, node)
    lines = listed(local, Ports(tmp_path, replica))
    assert [(one.actor, one.action, one.outcome, one.reason) for one in lines] == [
        ("system:node", "node.started", "success", ""),
        ("system:node", "app.crashed", "failure", "exit 3"),
        ("user:ana", "release.start", "success", ""),
    ]


def test_who_may_not_see_the_command_sees_one_line_for_a_release(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    by = asked("n1", "ci")
    for version in (1, 2):
        node.append([command(f"n{version}", "release.start")], by)
        begin = DeployStarted(app=SHOP, version=version, bundle="b")
        facts = [fact(begin), fact(DeployBuilt(app=SHOP, version=version, build="b"))]
        node.append([*facts, fact(DeploySucceeded(app=SHOP, version=version)), end(f"n{version}", "release.start")], by)
    follow(replica, node, lambda rec: '"command:' not in rec)
    assert told(listed(local, Ports(tmp_path, replica), source="observed")) == [
        ("observed", "deploy.started", 2, "success"),
        ("observed", "deploy.started", 1, "success"),
    ]


@pytest.fixture
def several(local: Journal, tmp_path: Path) -> list[tuple[str, str, int, str]]:
    """A record with a look-up; gives what is told of its changes, newest first."""
    deploy_here(local, "d1", 1)
    deploy_here(local, "d2", 2, "health_failed")
    look_up = Draft(stream="command:q", fact=CommandCompleted(command="app.list"), target=SHOP)
    local.append([look_up], stamp("user:bea", "q"))
    local.append([command("z", "app.delete", process="7:1")], stamp("user:bea", "z"))
    local.append([end("z", "app.delete", "forbidden", "denied")], stamp("user:bea", "z"))
    everything = told(listed(local, Ports(tmp_path)))
    assert everything == [
        ("local", "app.delete", 0, "forbidden"),
        ("local", "deploy", 2, "health_failed"),
        ("local", "deploy", 1, "success"),
    ]
    return everything


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"action": "deploy.failed"}, [1]),
        ({"action": "deploy*"}, [1, 2]),
        ({"outcome": "success"}, [2]),
        ({"outcome": "failure"}, [1]),
        ({"denied": True}, [0]),
        ({"actor": "user:bea"}, [0]),
        ({"target": SHOP}, [0, 1, 2]),
        ({"target": SHOP, "limit": 1}, [0]),
        ({"text": "health_failed"}, [1]),
        ({"privileged": True}, [0]),
        ({"since": "1h"}, [0, 1, 2]),
        ({"until": "1h"}, []),
    ],
    ids=str,
)
def test_a_change_is_found_by_any_of_its_records(
    local: Journal, tmp_path: Path, several: list[tuple[str, str, int, str]], filters: dict[str, Any], found: list[int]
) -> None:
    assert told(listed(local, Ports(tmp_path), **filters)) == [several[number] for number in found]


def test_look_ups_are_shown_where_they_are_asked_for(
    local: Journal, tmp_path: Path, several: list[tuple[str, str, int, str]]
) -> None:
    ports = Ports(tmp_path)
    log = list_audit.handle(ListAudit(action="app.list"), context(local, ports))
    assert ([one.action for one in log.entries], log.excluded) == (["app.list"], len(several))
    exported = export_audit.handle(ExportAudit(format="html", action="app.list"), context(local, ports))
    assert (exported.entries, exported.excluded) == (1, len(several))
    assert "app.list" in [one.action for one in listed(local, Ports(tmp_path), all_records=True)]


@pytest.mark.parametrize("bounds", [(2_000, 2_000), (3, 9)], ids=str)
def test_counts_are_of_changes(
    local: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int]
) -> None:
    monkeypatch.setattr(audit_answer, "RARE", bounds[0])
    monkeypatch.setattr(audit_answer, "COUNTED_CHANGES", bounds[1])
    for number in range(8):
        deploy_here(local, f"d{number}", number + 1, "health_failed" if number % 2 else "")
    for filters, matched in (({}, 8), ({"target": SHOP}, 8), ({"outcome": "failure"}, 4), ({"actor": "user:*"}, 8)):
        log = list_audit.handle(msgspec.convert({**filters, "limit": 2}, ListAudit), context(local, Ports(tmp_path)))
        assert (log.each, len(log.entries), log.more) == ("change", 2, True)
        assert log.matched == matched if log.exact else log.matched <= matched
        assert log.exact or bounds[0] == 3


@pytest.mark.parametrize("all_records", [False, True])
def test_what_stands_in_both_records_is_not_counted_twice(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica, all_records: bool
) -> None:
    for number in range(1, 9):
        deploy_here(local, f"d{number}", number)
        deploy_there(node, f"n{number}", f"d{number}", number)
    follow(replica, node)
    whole, page = (
        list_audit.handle(ListAudit(limit=limit, all_records=all_records), context(local, Ports(tmp_path, replica)))
        for limit in (500, 2)
    )
    assert (whole.matched, whole.exact, whole.more) == (len(whole.entries), True, False)
    assert (len(page.entries), page.more, page.exact) == (2, True, False)
    assert 2 < page.matched <= whole.matched, "so many or more"
    assert (whole.excluded, page.excluded) == (0, 0)

    ask = context(local, Ports(tmp_path, replica))
    none = list_audit.handle(ListAudit(outcome="failure", all_records=all_records), ask)
    here, there = (8 * 3, 8 * 4) if all_records else (8, 8)
    assert (none.matched, none.excluded) == (0, max(here, there))
    exported = export_audit.handle(ExportAudit(format="html", outcome="failure", all_records=all_records), ask)
    assert (exported.entries, exported.excluded) == (0, here + there if all_records else 8)
    counted = audit_stats.handle(AuditStats(outcome="failure"), ask)
    assert counted.excluded == audit_stats.handle(AuditStats(), ask).matched


def test_a_page_has_one_line_a_change_and_none_is_left_out_for_its_filter(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    deploy_here(local, "d1", 1)
    deploy_there(node, "n1", "d1", 1)
    deploy_there(node, "n2", "elsewhere", 2)
    follow(replica, node)
    for filters, lines in (({}, 2), ({"src": "10.0.0.7"}, 2), ({"src": "laptop"}, 1), ({"text": "deploy"}, 3)):
        ports = Ports(tmp_path, replica)
        command_ = msgspec.convert({"format": "html", **filters}, ExportAudit)
        assert export_audit.handle(command_, context(local, ports)).entries == lines
        assert "".join(ports.shown).count("<tr id=") == lines
    assert export_audit.handle(ExportAudit(format="html", all_records=True), context(local, ports)).entries == 11
