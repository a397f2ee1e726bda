"""The world: what is appended together is folded before anybody hears of any of it."""

from __future__ import annotations

from typing import Any, cast

from events.app import AppCreated, AppDeleted, DeployBuilt, DeployStarted, DeploySucceeded
from events.base import Fact
from events.config import VarsChanged
from rig.kernel.ports import Recorded
from rig.node.world import FoldingJournal, World
from tests.unit.given import APP, BUNDLE


class Together:
    """A journal that appends whatever it is given."""

    def append(self, facts: list[Fact], stamp: object, **how: object) -> list[Recorded]:
        return [recorded(number, fact) for number, fact in enumerate(facts, 1)]


def recorded(number: int, fact: Fact, app: str = APP) -> Recorded:
    return Recorded(
        pos=number, id=str(number), stream=f"app:{app}", ver=number, at=0, actor="user:ana", outcome="success",
        target=app, src="", session="", corr="", caus="", idem="", fact=fact,
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


def test_the_apps_that_exist_are_those_of_their_network_alone_in_order() -> None:
    world = World()
    names = ["demo/b", "demo/a", "demo-2/a", "demo0/a", "other/z", "demo/c"]
    facts: list[tuple[str, Fact]] = [(name, AppCreated(name=name)) for name in names]
    facts += [("demo/b", AppDeleted(name="demo/b")), ("demo/c", AppDeleted(name="demo/c")), ("demo/c", facts[-1][1])]
    world.apply([recorded(number, fact, app) for number, (app, fact) in enumerate(facts, 1)])
    assert world.existing_apps() == ["demo-2/a", "demo/a", "demo/c", "demo0/a", "other/z"]
    assert world.apps_of("demo") == ["demo/a", "demo/c"]
    assert world.apps_of("dem") == []
    assert [world.exists(name) for name in ("demo/a", "demo/b", "demo/none")] == [True, False, False]


class Long:
    """A journal to be read from its beginning."""

    def __init__(self, records: list[Recorded]) -> None:
        self._records = records

    def read(self, after: int, limit: int) -> list[Recorded]:
        return [record for record in self._records if record.pos > after][:limit]


def test_a_replay_comes_to_what_was_folded_one_by_one() -> None:
    facts: list[Fact] = [AppCreated(name=APP), VarsChanged(scope=APP, set={"A": "1"})]
    for version in range(1, 20):
        facts += [
            DeployStarted(app=APP, version=version, bundle=BUNDLE),
            DeployBuilt(app=APP, version=version, build=f"build-{version}"),
            DeploySucceeded(app=APP, version=version),
        ]
    records = [recorded(number, fact) for number, fact in enumerate(facts)]
    replayed, one_by_one = World(), World()
    replayed.replay(cast(Any, Long(records)))
    one_by_one.apply(records)
    assert replayed.apps == one_by_one.apps
    assert replayed.existing_apps() == [APP]
    assert replayed.being_made() == []
    # What is folded from now on leaves alone what somebody may have read.
    seen = replayed.app(APP)
    replayed.apply([recorded(100, DeployStarted(app=APP, version=20, bundle=BUNDLE))])
    assert 20 not in seen.releases
    assert 20 in replayed.app(APP).releases
    assert replayed.being_made() == [replayed.app(APP)]
