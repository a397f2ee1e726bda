"""What the platform answers is decoded, and has to be about what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from rig.clients.platform import HttpPlatform
from rig.contract.apps import App, AppStatus, CreateApp, ShowAppStatus
from rig.contract.base import Command, Reply
from rig.contract.configuration import Configuration, NetworkConfig, ShowNetworkConfig
from rig.contract.networks import Network, ShowNetwork
from rig.contract.releases import Release, Rollback, RollbackReport, ShowRelease
from rig.kernel.errors import RigError


class Answering:
    """A transport that has one answer."""

    def __init__(self, answer: Reply) -> None:
        self._answer = msgspec.json.encode(answer)

    def request(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        return 200, {}, self._answer


def release(app: str) -> Release:
    return Release(app=app, version=1, outcome="succeeded", phase="done")


def app(name: str) -> App:
    return App(name=name, url="u", hostname="h", status="live")


CASES: list[tuple[Command, Any]] = [
    (CreateApp(app="demo/shop"), app),
    (ShowAppStatus(app="demo/shop"), lambda name: AppStatus(app=app(name))),
    (ShowRelease(app="demo/shop", version=1), release),
    (Rollback(app="demo/shop"), lambda name: RollbackReport(release=release(name))),
    (ShowNetwork(name="demo/shop"), lambda name: Network(name=name, domain="d")),
    (ShowNetworkConfig(network="demo/shop"), lambda name: NetworkConfig(network=name, live=Configuration(network="x"))),
]


@pytest.mark.parametrize(("command", "answer"), CASES, ids=lambda case: type(case).__name__)
def test_an_answer_about_something_else_is_none(command: Command, answer: Any) -> None:
    right = HttpPlatform(Answering(answer("demo/shop"))).call(command, command.reply)
    assert right == answer("demo/shop")
    with pytest.raises(RigError, match="is about something else") as refused:
        HttpPlatform(Answering(answer("demo/other"))).call(command, command.reply)
    assert refused.value.code == "unreachable"
