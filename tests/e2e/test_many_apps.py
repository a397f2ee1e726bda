"""Many apps at once: each has its page, none is missed in a list, and nothing of them is left when they are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rig.clients.http import HttpTransport
from rig.clients.platform import HttpPlatform
from rig.contract.apps import App, AppPage, CreateApp, ListApps
from rig.node.edge.caddy import EdgeRecord
from rig.node.edge.config import EdgeOptions
from tests.e2e.rig import User, running
from tests.support import matching, wait_until

APPS = [f"demo/app{number:02}" for number in range(40)]
"""More than there are slots to spare in the edge."""

pytestmark = pytest.mark.xdist_group("many apps")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with running(tmp_path / "home", "--isolation", "none") as user:
        user.ok("create", "network", "demo")
        yield user


def settled(user: User) -> set[str] | None:
    """The apps of which the edge has the routes; None while it has a loading before it."""
    edge = msgspec.json.decode((user.home / "node" / "edge" / "edge.json").read_bytes(), type=EdgeRecord)
    spare = sum(not slot.hostname for slot in edge.slots)
    if spare < EdgeOptions().spare_for(len(edge.routes)) // 2:
        return None
    return {route.app for route in edge.routes if route.app}


def test_many_apps_are_made_listed_and_deleted(user: User) -> None:
    token = json.loads((user.home / "tokens" / "local.json").read_text())["access_token"]
    platform = HttpPlatform(HttpTransport(f"http://127.0.0.1:{user.node.api_port}", lambda renew: token))
    for app in APPS:
        platform.call(CreateApp(app=app), App)

    def answers() -> set[int]:
        return {user.get(app)[0] for app in APPS}

    # Which may take a moment: what many changes ask of the edge is done for all of them at once. There are more of
    # them than slots to spare, and a loading may cut a request off, so nobody asks before it is done.
    wait_until(lambda: settled(user) == set(APPS), "every app has its route")
    assert answers() == {503}
    assert all(f"{app} " in user.get(app)[1] for app in APPS)

    listed, after = [], ""
    while True:
        page = platform.call(ListApps(network="demo", limit=7, after=after), AppPage)
        listed += [app.name for app in page.apps]
        if not (after := page.next):
            break
    assert listed == APPS

    edge = user.home / "node" / "edge"
    wait_until(lambda: len(list((edge / "access").iterdir())) == len(APPS), "every app has its access log")
    user.ok("delete", "network", "demo", "--cascade", "--yes")
    wait_until(lambda: settled(user) == set(), "no app has a route")
    assert answers() == {404}
    wait_until(lambda: not list((edge / "access").iterdir()), "their access logs are gone")
    wait_until(lambda: not matching(user.home, "node/networks/*/apps/*"), "their folders are gone")
    assert platform.call(ListApps(), AppPage).apps == []
