"""The world: what is appended together is folded before anybody hears of any of it."""

from __future__ import annotations

from typing import Any, cast

from events.app import AppCreated, DeployBuilt, DeployStarted
from events.base import Fact
from rig.kernel.ports import Recorded
from rig.node.world import FoldingJournal, World
from tests.unit.given import APP, BUNDLE


class Together:
    """A journal that appends whatever it is given."""

    def append(self, facts: list[Fact], stamp: object, **how: object) -> list[Recorded]:
        return [recorded(number, fact) for number, fact in enumerate(facts, 1)]


def recorded(number: int, fact: Fact) -> Recorded:
    return Recorded(
        pos=number, id=str(number), stream=f"app:{APP}", ver=number, at=0, actor="user:ana", outcome="success",
        target=APP, src="", session="", corr="", caus="", idem="", fact=fact,
    )  # fmt: skip


def test_who_hears_that_a_release_began_finds_its_build() -> None:
    world, seen = World(), []
    world.listeners.append(lambda record: seen.append((record.fact.type, world.app(APP).releases[1].build)))
    facts = [
        AppCreated(name=APP),
        DeployStarted(app=APP, version=1, bundle=BUNDLE),
        DeployBuilt(app=APP, version=1, build="kept"),
    ]
    FoldingJournal(cast(Any, Together()), world).append(cast(Any, facts), cast(Any, None))
    assert seen == [("app.created", "kept"), ("deploy.started", "kept"), ("deploy.built", "kept")]
