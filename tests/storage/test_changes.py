"""`rig audit`, one line for each change: a command with all that came of it, in both records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCrashed, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.command import CommandCompleted, CommandReceived
from events.node import NodeStarted
from handlers import audit_answer, audit_stats, export_audit, list_audit, observing, tail_audit
from rig.contract.review import AuditEntry, AuditStats, ExportAudit, ListAudit, TailAudit
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Recorded, Stamp
from storage.journal import Journal
from storage.replica import Replica
from tests.storage.records import Platform, Ports, context, follow, open_record
from tests.storage.support import stamp
from tests.support import wait_until

SHOP = "demo/shop"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path) as journal:
        yield journal


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path / "node", "node") as journal:
        yield journal


@pytest.fixture
def replica(tmp_path: Path, node: Journal) -> Iterator[Replica]:
    replica = Replica(str(tmp_path / "replica.sqlite"), node.projections)
    yield replica
    replica.close()


def fact(fact: Fact, outcome: str = "success", caus: str = "") -> Draft:
    return Draft(stream=f"app:{SHOP}", fact=fact, target=SHOP, outcome=outcome, caus=caus)


def command(name: str, tag: str, target: str = SHOP, process: str = "") -> Draft:
    received = CommandReceived(command=tag, process=process)
    return Draft(stream=f"command:{name}", fact=received, target=target, outcome="unknown")


def end(name: str, tag: str, code: str = "", outcome: str = "") -> Draft:
    completed = CommandCompleted(command=tag, exit=1 if code else 0, code=code)
    return Draft(stream=f"command:{name}", fact=completed, outcome=outcome or ("failure" if code else "success"))


def asked(name: str, corr: str, actor: str = "user:ana") -> Stamp:
    """What a platform knows of a client's command."""
    return msgspec.structs.replace(stamp(actor, name), corr=corr, src="10.0.0.7")


def deploy_here(journal: Journal, name: str, version: int, code: str = "", *, ends: bool = True) -> None:
    by = stamp("user:ana", name)
    journal.append([command(name, "deploy", process="7:1")], by)
    journal.append([fact(DeployStarted(app=SHOP, version=version, bundle="b"))], by)
    if ends:
        last = DeployFailed(app=SHOP, version=version, code=code, reason="") if code else None
        done = last or DeploySucceeded(app=SHOP, version=version)
        journal.append([fact(done, "failure" if code else "success"), end(name, "deploy", code)], by)


def deploy_there(
    journal: Journal, name: str, asked_by: str, version: int, code: str = "", *, ends: bool = True
) -> Recorded:
    """A release as a platform records it: the request is answered before the release is done."""
    by = asked(name, asked_by)
    journal.append([command(name, "release.start")], by, idem=f"user:ana/{asked_by}")
    began, _ = journal.append(
        [fact(DeployStarted(app=SHOP, version=version, bundle="b")), end(name, "release.start")], by
    )
    journal.append([fact(DeployBuilt(app=SHOP, version=version, build="b"), caus=began.id)], by)
    if ends:
        failed = DeployFailed(app=SHOP, version=version, code=code, reason="It does not answer.")
        done = (
            fact(failed, "failure", began.id)
            if code
            else fact(DeploySucceeded(app=SHOP, version=version), caus=began.id)
        )
        journal.append([done], by)
    return began


def listed(journal: Journal, ports: Ports, **filters: Any) -> list[AuditEntry]:
    return list_audit.handle(msgspec.convert(filters, ListAudit), context(journal, ports)).entries


def told(entries: list[AuditEntry]) -> list[tuple[str, str, int, str]]:
    return [(one.source, one.action, one.version, one.code or one.outcome) for one in entries]


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


# -- tail -----------------------------------------------------------------------------------------------------------


def tail(journal: Journal, ports: Ports, **filters: Any) -> Iterator[AuditEntry]:
    return tail_audit.follow(msgspec.convert(filters, TailAudit), context(journal, ports))


def test_a_tail_tells_a_change_when_it_begins_and_when_it_has_ended(local: Journal, tmp_path: Path) -> None:
    deploy_here(local, "d1", 1)
    following = tail(local, Ports(tmp_path), limit=1)
    assert told([next(following)]) == [("local", "deploy", 1, "success")]
    local.append([command("d2", "deploy", process="7:1")], stamp("user:ana", "d2"))
    assert told([next(following)]) == [("local", "deploy", 0, "unknown")]
    by = stamp("user:ana", "d2")
    local.append([fact(DeployStarted(app=SHOP, version=2, bundle="b"))], by)
    local.append([fact(DeploySucceeded(app=SHOP, version=2)), end("d2", "deploy")], by)
    assert told([next(following)]) == [("local", "deploy", 2, "success")]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"outcome": "failure"}, [[], ["health_failed"], []]),
        ({"text": "shop"}, [["unknown"], ["health_failed"], []]),
        ({"action": "deploy.failed"}, [[], ["health_failed"], []]),
        ({"action": "app.list"}, [[], [], ["success"]]),
        ({"actor": "user:bea"}, [[], [], []]),
        ({"all_records": True}, [["unknown"], ["health_failed", "health_failed"], ["success"]]),
    ],
    ids=str,
)
def test_a_tail_is_filtered(local: Journal, tmp_path: Path, filters: dict[str, Any], expected: list[list[str]]) -> None:
    ports = Ports(tmp_path)
    local.append([command("a", "app.create", "other/app")], stamp("user:ana", "a"))
    watch = tail_audit.Watch("local", local, msgspec.convert(filters, TailAudit), context(local, ports))
    assert watch.news() == []
    by = stamp("user:ana", "d1")
    local.append([command("d1", "deploy", process="8:1")], by)
    seen = [[code for *_, code in told(watch.news())]]
    failed = DeployFailed(app=SHOP, version=2, code="health_failed", reason="")
    local.append([fact(failed, "failure"), end("d1", "deploy", "health_failed")], by)
    seen.append([code for *_, code in told(watch.news())])
    local.append([Draft(stream="command:q", fact=CommandCompleted(command="app.list"))], by)
    seen.append([code for *_, code in told(watch.news())])
    assert seen == expected
    assert watch.news() == []


def test_a_tail_follows_the_platform_too_and_tells_what_was_asked_here_once(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "EVERY", 0.01)
    deploy_there(node, "n0", "old", 1)
    follow(replica, node)
    following = tail(local, Ports(tmp_path, replica, Platform(node)), limit=1)
    assert told([next(following)]) == [("observed", "release.start", 1, "success")]
    deploy_here(local, "d1", 2)
    deploy_there(node, "n1", "d1", 2)
    began = deploy_there(node, "n2", "elsewhere", 3, ends=False)
    assert told(list(islice(following, 2))) == [
        ("local", "deploy", 2, "success"),
        ("observed", "release.start", 3, "unknown"),
    ]
    node.append([fact(DeploySucceeded(app=SHOP, version=3), caus=began.id)], asked("n2", "elsewhere"))
    assert told([next(following)]) == [("observed", "release.start", 3, "success")]


def test_a_tail_goes_on_where_the_platform_is_away(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    class Gone:
        def call(self, *arguments: Any, **options: Any) -> Any:
            raise RigError("unreachable", "The platform cannot be reached.")

    follow(replica, node)
    deploy_here(local, "d1", 1)
    following = tail(local, Ports(tmp_path, replica, Gone()), limit=1)
    assert next(following).version == 1
    deploy_here(local, "d2", 2)
    assert next(following).version == 2


def test_a_platform_that_contradicts_itself_is_said_and_followed_no_more(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica
) -> None:
    warned: list[str] = []
    deploy_there(node, "n", "d", 1)
    follow(replica, node)
    with open_record(tmp_path / "forged", "node") as forged:
        deploy_there(forged, "n", "d", 1)
        ports = Ports(tmp_path, replica, Platform(forged))
        ctx = context(local, ports)
        ctx.progress.warn = warned.append  # type: ignore[method-assign, assignment]
        watching = observing.Observing(ctx, replica)
        wait_until(lambda: watching.look() or warned, "an answer")
    (warning,) = warned
    assert "not the one that it was" in warning
    state = replica.state()
    assert state is not None
    assert state.forked
