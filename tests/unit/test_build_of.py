"""Which build a release stands on, where more than one was made of the same."""

from __future__ import annotations

import pytest

from events.app import AppState, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from rig.node.deploy.keys import build_key, build_of, pending_build
from rig.node.world import config_of
from tests.unit.given import APP, BUNDLE, CREATED, app

OTHER = "cd" * 32


def deployed(
    version: int, *, bundle: str = BUNDLE, force: bool = False, build: str = "", good: bool = True
) -> list[Fact]:
    """A release with the build that it asks for, or with ``build``."""
    asked = begun(version, bundle=bundle, force=force)
    end = (
        DeploySucceeded(app=APP, version=version)
        if good
        else DeployFailed(app=APP, version=version, code="unhealthy", reason="It did not get ready.")
    )
    return [asked, DeployBuilt(app=APP, version=version, build=build or key(asked)), end]


def begun(version: int, *, bundle: str = BUNDLE, force: bool = False) -> DeployStarted:
    return DeployStarted(app=APP, version=version, bundle=bundle, force=force)


def key(started: DeployStarted) -> str:
    return build_key(started, config_of(started), "none")


PLAIN, OF_OTHER = key(begun(1)), key(begun(1, bundle=OTHER))


@pytest.mark.parametrize(
    ("before", "next_one", "build"),
    [
        ([], begun(1), PLAIN),
        (deployed(1), begun(2), PLAIN),
        (deployed(1), begun(2, force=True), f"{PLAIN}-v2"),
        ([*deployed(1), *deployed(2, force=True)], begun(3), f"{PLAIN}-v2"),
        ([*deployed(1), *deployed(2, force=True)], begun(3, force=True), f"{PLAIN}-v3"),
        ([*deployed(1), *deployed(2, force=True)], begun(3, bundle=OTHER), OF_OTHER),
        ([*deployed(1), *deployed(2, force=True), *deployed(3, bundle=OTHER)], begun(4), f"{PLAIN}-v2"),
        (deployed(1, force=True), begun(2), f"{PLAIN}-v1"),
        ([*deployed(1), *deployed(2, force=True, good=False)], begun(3), PLAIN),
        (deployed(1, force=True, good=False), begun(2), PLAIN),
        ([*deployed(1), *deployed(2, force=True), *deployed(3, build=PLAIN)], begun(4), PLAIN),
    ],
    ids=[
        "the first one",
        "what was built before",
        "forced",
        "after one that was forced",
        "forced again",
        "of another source",
        "back to a source that was forced",
        "after a first one that was forced",
        "after one that was forced and did not get ready",
        "after the only one, which did not get ready",
        "after one that was forced and rolled back",
    ],
)  # fmt: skip
def test_the_newest_good_build_of_the_same_wins(before: list[Fact], next_one: DeployStarted, build: str) -> None:
    state: AppState = app(CREATED, *before, next_one)
    assert build_of(state, next_one.version, "none") == build
    # What is about to be used is never collected.
    assert pending_build(state, "none") == build


def test_what_a_release_was_built_as_stays_so() -> None:
    state = app(CREATED, *deployed(1), *deployed(2, force=True), *deployed(3))
    assert [build_of(state, version, "none") for version in (1, 2, 3)] == [PLAIN, f"{PLAIN}-v2", PLAIN]
