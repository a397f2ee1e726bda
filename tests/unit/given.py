"""Given these facts: states folded from them, as the node folds its journal."""

from __future__ import annotations

from events import app as app_stream
from events import network as network_stream
from events.app import AppCreated, AppState, DeployBuilt, DeployStarted, DeploySucceeded
from events.base import Fact, Happened
from events.network import NetworkState

APP = "demo/hello"
BUNDLE = "ab" * 32
NOW = 1_780_000_000_000_000_000
ANA = Happened(NOW, "user:ana")


def app(*facts: Fact, at: Happened = ANA) -> AppState:
    state = AppState()
    for fact in facts:
        state = app_stream.evolve(state, fact, at)
    return state


def network(*facts: Fact, at: Happened = ANA) -> NetworkState:
    state = NetworkState()
    for fact in facts:
        state = network_stream.evolve(state, fact, at)
    return state


CREATED = AppCreated(name=APP)


def started(version: int, *, bundle: str = BUNDLE, message: str = "", **config: object) -> DeployStarted:
    return DeployStarted(app=APP, version=version, bundle=bundle, message=message, config=dict(config))


def served(version: int, *, bundle: str = BUNDLE, message: str = "", **config: object) -> list[Fact]:
    """A release from its beginning to its success."""
    return [
        started(version, bundle=bundle, message=message, **config),
        DeployBuilt(app=APP, version=version, build=f"build-{version}", rebuilt=True, processes={"web": "./serve"}),
        DeploySucceeded(app=APP, version=version, bundle=bundle, url="http://hello.demo.localhost"),
    ]
