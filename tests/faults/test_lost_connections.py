"""Every change against a connection that breaks at the worst moment, between rig and a real node.

Each cell proves that its fault has struck, and counts on the node's own record how often the change was made: once
where another try got through or the answer alone was lost, never where the request was lost.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from events.command import CommandCompleted
from rig.clients import http as client_http
from rig.clients import upload as client_upload
from rig.clients.http import Patience
from tests.e2e.rig import User, running, web_app
from tests.faults.harness import Record, run_rig
from tests.faults.proxy import Fault, How, Proxy
from tests.support import TIMEOUT

pytestmark = pytest.mark.xdist_group("lost connections")

HASTE = Patience(connect=TIMEOUT, silence=0.3, answer=0.4, retries=0.3)
BOUND = client_http.PATIENCE.silence - 5
"""Seconds: reached only by a command that waits longer than it was told to."""


class World(msgspec.Struct):
    """A user whose way to their node leads through the proxy, and the records on both sides."""

    user: User
    proxy: Proxy
    record: Record

    def made(self, kind: str, target: str) -> int:
        """How many facts of a kind the node has on record about a target."""
        path = f"file:{self.user.home}/node/journal.sqlite?mode=ro"
        connection = sqlite3.connect(path, uri=True, timeout=TIMEOUT)
        try:
            rows = connection.execute("SELECT rec FROM event WHERE type = ?", (kind,)).fetchall()
        finally:
            connection.close()
        return sum(json.loads(rec)["target"] == target for (rec,) in rows)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("machine") / "home") as user:
        user.ok("create", "network", "demo")
        user.deploy(web_app(user.home.parent / "scaled"), "demo/scaled")
        with Proxy(user.node.api_port) as proxy:
            contexts = user.home / "contexts.json"
            direct, token = f"http://127.0.0.1:{user.node.api_port}", user.home / "tokens" / "local.json"
            for file in (contexts, token):
                file.write_text(file.read_text().replace(direct, proxy.url))
            yield World(user, proxy, Record(user.home))


@pytest.fixture(autouse=True)
def hasty(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("RIG_URL", "RIG_TOKEN", "RIG_CONTEXT", "RIG_OUTPUT", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RIG_HOME", str(world.user.home))
    monkeypatch.setattr(client_http, "PATIENCE", HASTE)
    world.proxy.verdicts.heeded(monkeypatch)
    monkeypatch.setattr(client_upload, "LONGEST_RETRY", 1.0)
    monkeypatch.setattr(client_upload, "FIRST_PAUSE", 0.05)
    monkeypatch.chdir(tmp_path)
    world.record.news()
    yield
    world.proxy.break_by(None)


def site(folder: Path) -> str:
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text(f"<h1>{folder.name}</h1>")
    return str(folder / "site")


REACHES: dict[How, bool] = {
    "lose request": False,
    "cut request": False,
    "lose answer": True,
    "cut answer": True,
    "stall": True,
    "stall midway": True,
    "drip": True,
}
"""Whether the node carries out a request that is struck so."""


@pytest.mark.parametrize("how", REACHES)
def test_one_broken_connection_changes_nothing(how: How, world: World) -> None:
    """The request is sent again under its key: the user sees the first result."""
    name = "once-" + how.replace(" ", "-")
    world.proxy.break_by(Fault(how=how, request="POST /v1/networks", times=1))
    ended = run_rig("create", "network", name, where="json")
    assert world.proxy.fired == 1
    assert ended.exit == 0, ended
    assert json.loads(ended.stdout)["data"]["name"] == name
    assert world.made("network.created", name) == 1
    assert world.record.news()[-1].outcome == "success"
    assert world.record.outbox()[-1][1] == "delivered"


CHANGES = {
    "create network": (("create", "network", "NAME"), "POST /v1/networks", "network.created", "NAME"),
    "create app": (("create", "app", "demo/NAME"), "POST /v1/apps", "app.created", "demo/NAME"),
    "invite": (("node", "invite", "NAME"), "POST /v1/invitations", "account.invited", "NAME"),
    "update app": (
        ("update", "app", "demo/scaled", "--scale", "web=COUNT"),
        "PATCH /v1/apps",
        "app.scaled",
        "demo/scaled",
    ),
    "delete app": (("delete", "app", "demo/NAME", "--yes"), "DELETE /v1/apps", "app.deleted", "demo/NAME"),
    "delete network": (("delete", "network", "NAME", "--yes"), "DELETE /v1/networks", "network.deleted", "NAME"),
}


@pytest.mark.parametrize("how", REACHES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_connection_that_stays_broken_leaves_an_unknown_outcome(change: str, how: How, world: World) -> None:
    name = f"{change}-{how}".replace(" ", "-")
    argv, request, kind, target = CHANGES[change]
    target = target.replace("NAME", name)
    if change == "delete app":
        world.user.ok("create", "app", target)
    elif change == "delete network":
        world.user.ok("create", "network", target)
    elif change == "update app":
        wanted = world.user.ok("details", "app", target, "-o", "json").data["processes"]["web"]
        argv = tuple(word.replace("COUNT", str(3 - wanted)) for word in argv)
    world.record.news()
    before = world.made(kind, target)

    world.proxy.break_by(Fault(how=how, request=request))
    ended = run_rig(*(word.replace("NAME", name) for word in argv), where="json")

    assert world.proxy.fired > 1, "it is tried again"
    assert (ended.exit, ended.error["code"]) == (69, "unreachable"), ended
    assert "not known" in ended.error["hint"]
    assert ended.seconds < BOUND
    [_, outcome] = world.record.news()
    assert isinstance(outcome.fact, CommandCompleted)
    assert (outcome.fact.code, outcome.outcome) == ("unreachable", "unknown")
    assert world.record.outbox()[-1][1] == "unknown"
    assert world.made(kind, target) - before == REACHES[how]
    assert world.record.verify().verdict == "verified"

    # Whatever comes next learns its end, and be it refused.
    world.proxy.break_by(None)
    refused = run_rig("details", "app", "demo/nowhere", where="json")
    assert (refused.exit, refused.error["code"]) == (66, "not_found")
    [told] = [warning for warning in json.loads(refused.stdout)["warnings"] if "whose end was not known" in warning]
    assert ("succeeded" in told) == REACHES[how]
    assert ("nothing came of it" in told) != REACHES[how]
    assert world.record.outbox()[-1][1] == ("delivered" if REACHES[how] else "refused")
    assert world.made(kind, target) - before == REACHES[how]


OTHER_CHANGES = {
    "create token": ((), ("create", "token", "NAME", "--network", "demo"), "POST /v1/tokens", "token.created", "NAME"),
    "delete token": (
        ("create", "token", "NAME", "--network", "demo"),
        ("delete", "token", "NAME", "--yes"),
        "DELETE /v1/tokens",
        "token.deleted",
        "NAME",
    ),
    "update network": (
        ("create", "network", "NAME"),
        ("update", "network", "NAME", "--description", "New"),
        "PATCH /v1/networks",
        "network.updated",
        "NAME",
    ),
    "stop": (("start", "demo/scaled"), ("stop", "demo/scaled"), "POST /v1/apps", "app.stopped", "demo/scaled"),
    "start": (("stop", "demo/scaled"), ("start", "demo/scaled"), "POST /v1/apps", "app.started", "demo/scaled"),
    "restart": (
        ("start", "demo/scaled"),
        ("restart", "demo/scaled"),
        "POST /v1/apps",
        "app.restart_requested",
        "demo/scaled",
    ),
    "create var": (
        ("create", "app", "demo/NAME"),
        ("create", "var", "demo/NAME", "GREETING=hello"),
        "PATCH /v1/apps",
        "var.changed",
        "demo/NAME",
    ),
    "create secret": (
        ("create", "app", "demo/NAME"),
        ("create", "secret", "demo/NAME", "KEY"),
        "PATCH /v1/apps",
        "secret.changed",
        "demo/NAME",
    ),
}


@pytest.mark.parametrize("how", ["lose request", "lose answer"])
@pytest.mark.parametrize("change", OTHER_CHANGES)
def test_whatever_comes_next_learns_the_end_of_every_change(change: str, how: How, world: World) -> None:
    before, argv, request, kind, target = OTHER_CHANGES[change]
    name = f"{change}-{how}-again".replace(" ", "-")
    target = target.replace("NAME", name)
    if before:
        world.user.ok(*(word.replace("NAME", name) for word in before))
    made = world.made(kind, target)
    world.proxy.break_by(Fault(how=how, request=request))
    ended = run_rig(*(word.replace("NAME", name) for word in argv), where="json", stdin=b"a value of it")
    assert world.proxy.fired > 1
    assert (ended.exit, ended.error["code"]) == (69, "unreachable"), ended
    assert world.record.outbox()[-1][1] == "unknown"
    world.proxy.break_by(None)
    assert run_rig("details", "app", "demo/nowhere", where="json").exit == 66
    assert world.record.outbox()[-1][1] == ("delivered" if REACHES[how] else "refused")
    assert world.made(kind, target) - made == REACHES[how]


def test_a_node_that_is_not_there_is_said_so_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RIG_TOKEN", "nobody-sees-it")
    ended = run_rig("create", "network", "nowhere", where="json")
    assert (ended.exit, ended.error["hint"]) == (69, "Start it with `rig node start`.")
    assert world.record.news()[-1].outcome == "failure"
    assert world.record.outbox()[-1][1] == "refused"


STEPS = ["POST /v1/networks/demo/bundles", "POST /v1/networks/demo/bundles/packs", "POST /v1/apps", "GET /v1/apps"]


@pytest.mark.parametrize("how", ["lose request", "lose answer", "cut answer"])
@pytest.mark.parametrize("step", STEPS)
def test_a_deployment_survives_one_broken_connection_at_any_step(
    step: str, how: How, world: World, tmp_path: Path
) -> None:
    app = f"demo/survivor-{STEPS.index(step)}-{how.replace(' ', '-')}"
    world.proxy.break_by(Fault(how=how, request=step, times=1))
    ended = run_rig("deploy", site(tmp_path), "--app", app, "--create", where="json")
    assert world.proxy.fired == 1
    assert ended.exit == 0, ended
    assert world.made("deploy.started", app) == world.made("deploy.succeeded", app) == 1
    assert world.user.get(app)[0] == 200


@pytest.mark.parametrize("how", ["lose request", "lose answer", "stall"])
@pytest.mark.parametrize("step", STEPS)
def test_a_deployment_that_loses_its_node(step: str, how: How, world: World, tmp_path: Path) -> None:
    """What was sent and not answered is unknown; what was not sent has failed; what was begun goes on."""
    app = f"demo/lost-{STEPS.index(step)}-{how.replace(' ', '-')}"
    world.proxy.break_by(Fault(how=how, request=step))
    folder = site(tmp_path)
    ended = run_rig("deploy", folder, "--app", app, "--create", where="json")
    assert world.proxy.fired > 1
    assert (ended.exit, ended.error["code"]) == (69, "unreachable"), ended
    assert ended.seconds < BOUND
    begun = step.startswith("GET") or (step == "POST /v1/apps" and REACHES[how])
    assert world.made("deploy.started", app) == begun
    outcome = world.record.news()[-1]
    assert outcome.outcome == ("failure" if "bundles" in step else "unknown")
    if step.startswith("GET"):
        assert "is still being made" in ended.error["message"]
    world.proxy.break_by(None)
    if not begun:
        assert run_rig("deploy", folder, "--app", app, "--create").exit == 0, "nothing stands in the way of another try"
        assert world.made("deploy.started", app) == 1


def test_a_rollback_whose_answer_was_lost_is_made_once(world: World, tmp_path: Path) -> None:
    folder = Path(site(tmp_path))
    for text in ("one", "two"):
        (folder / "index.html").write_text(text)
        world.user.deploy(folder, "demo/back")
    world.proxy.break_by(Fault(how="lose answer", request="POST /v1/apps/demo/back/rollbacks", times=1))
    ended = run_rig("rollback", "demo/back", where="json")
    assert (world.proxy.fired, ended.exit) == (1, 0), ended
    assert world.made("deploy.rolled_back", "demo/back") == 1
    assert world.user.get("demo/back") == (200, "one")


def test_a_promotion_whose_answer_was_lost_is_made_once(world: World, tmp_path: Path) -> None:
    world.user.deploy(Path(site(tmp_path)), "demo/tried")
    world.user.ok("create", "app", "demo/live")
    world.proxy.break_by(Fault(how="lose answer", request="POST /v1/apps/demo/live/promotions", times=1))
    ended = run_rig("promote", "demo/tried", "demo/live", "--yes", where="json")
    assert (world.proxy.fired, ended.exit) == (1, 0), ended
    assert world.made("deploy.started", "demo/live") == 1
    assert world.user.get("demo/live") == world.user.get("demo/tried")


def test_an_answer_of_a_proxy_in_the_platforms_place_leaves_an_unknown_outcome(world: World) -> None:
    page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"
    world.proxy.break_by(Fault(how="replace", request="POST /v1/networks", instead=page))
    ended = run_rig("create", "network", "behind-a-proxy", where="json")
    assert world.proxy.fired == 1
    assert (ended.exit, ended.error["code"]) == (69, "unreachable")
    assert world.made("network.created", "behind-a-proxy") == 1
    assert world.record.news()[-1].outcome == "unknown"
