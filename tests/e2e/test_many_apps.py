"""Many apps at once: each has its page, none is missed in a list, and nothing of them is left when they are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from rig.clients.http import HttpTransport
from rig.clients.platform import HttpPlatform
from rig.contract.apps import App, AppPage, CreateApp, ListApps
from tests.e2e.rig import User
from tests.support import wait_until

APPS = [f"demo/app{number:02}" for number in range(40)]
"""More than there are slots to spare in the edge."""

pytestmark = pytest.mark.xdist_group("many apps")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    user = User(tmp_path / "home")
    user.home.mkdir()
    try:
        user.start_node("--isolation", "none")
        user.ok("create", "network", "demo")
        yield user
    finally:
        user.stop_everything()


def test_many_apps_are_made_listed_and_deleted(user: User) -> None:
    token = json.loads((user.home / "tokens" / "local.json").read_text())["access_token"]
    platform = HttpPlatform(HttpTransport(f"http://127.0.0.1:{user.node.api_port}", lambda renew: token))
    for app in APPS:
        platform.call(CreateApp(app=app), App)

    def answer(app: str) -> int:
        try:
            return user.get(app)[0]
        except RemoteDisconnected:
            return 0  # more apps than the edge had to spare for: it was loaded (docs/decisions/edge-slots.md)

    def answers() -> set[int]:
        return {answer(app) for app in APPS}

    # Which may take a moment: what many changes ask of the edge is done for all of them at once.
    wait_until(lambda: answers() == {503}, "every app has its page")
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
    wait_until(lambda: answers() == {404}, "no app has a page")
    wait_until(lambda: not list((edge / "access").iterdir()), "their access logs are gone")
    wait_until(lambda: not list((user.home / "node").glob("networks/*/apps/*")), "their folders are gone")
    assert platform.call(ListApps(), AppPage).apps == []
