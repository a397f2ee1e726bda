"""What the status of an app says of a deployment that failed."""

from __future__ import annotations

import pytest

from events.app import DeployFailed
from events.base import Fact
from rig.contract.apps import FailedRelease
from rig.kernel.ids import rfc3339
from rig.node.handlers.show_app_status import failed
from tests.unit.given import APP, CREATED, NOW, app, served, started


def given_up(code: str, hint: str = "") -> list[Fact]:
    return [
        CREATED,
        *served(1),
        started(2),
        DeployFailed(app=APP, version=2, code=code, reason="It did not work.", hint=hint, output=["Oh no."]),
    ]


def test_an_app_without_releases_and_one_whose_newest_serves_or_is_being_made() -> None:
    assert failed(app(CREATED)) is None
    assert failed(app(CREATED, *served(1))) is None
    assert failed(app(*given_up("build_failed"), started(3))) is None
    assert failed(app(*given_up("build_failed"), *served(3))) is None


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("build_failed", f"rig logs build {APP} v2"),
        ("release_failed", f"rig logs build {APP} v2"),
        ("health_failed", f"rig history {APP}"),
    ],
)
def test_the_release_that_failed_is_named_with_the_command_that_shows_more(code: str, more: str) -> None:
    assert failed(app(*given_up(code, "Mend it."))) == FailedRelease(
        version=2,
        code=code,
        message="It did not work.",
        hint="Mend it.",
        at=rfc3339(NOW),
        by="user:ana",
        output=["Oh no."],
        more=more,
    )
