"""`rig audit tail`: each change when it begins and when it has ended, in both records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import DeployFailed, DeployStarted, DeploySucceeded
from events.command import CommandCompleted
from handlers import observing, tail_audit
from rig.contract.review import AuditEntry, TailAudit
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft
from storage.journal import Journal
from storage.replica import Replica
from tests.storage.changing import SHOP, asked, command, deploy_here, deploy_there, end, fact, told
from tests.storage.records import Platform, Ports, context, follow, open_record
from tests.storage.support import stamp
from tests.support import wait_until


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


def test_a_tail_begins_where_there_is_no_platform_and_follows_it_once_it_is_there(
    local: Journal, node: Journal, tmp_path: Path, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the node of this machine does not run: then there is not even an address to ask."""
    monkeypatch.setattr(observing, "AWAY_EVERY", 0.01)
    runs: list[Platform] = []

    class Stopped(Ports):
        @property
        def platform(self) -> Any:
            if not runs:
                raise RigError("unreachable", "The node of this machine does not run.")
            return runs[0]

        @platform.setter
        def platform(self, platform: Any) -> None:
            """Whatever is set: the node does not run."""

    deploy_there(node, "n0", "old", 1)
    follow(replica, node)
    deploy_here(local, "d1", 1)
    following = tail(local, Stopped(tmp_path, replica), limit=1)
    assert next(following).version == 1
    deploy_here(local, "d2", 2)
    assert next(following).version == 2
    deploy_there(node, "n", "elsewhere", 3)
    runs.append(Platform(node))
    assert told([next(following)]) == [("observed", "release.start", 3, "success")]


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
