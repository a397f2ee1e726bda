"""Promotion: given what two apps are, when one is promoted to the other, then this is shown, made or refused."""

from __future__ import annotations

from typing import Any

import pytest

from events.app import AppCreated, AppState, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.config import SecretRef, SecretsChanged, Supplied, VarsChanged
from events.release import Promoted
from handlers import promote
from rig.contract.base import Command
from rig.contract.project import AppConfig
from rig.contract.promotion import (
    Promote,
    PromotionPlan,
    SettingDifference,
    ShowPromotion,
    Standing,
    StartPromotion,
    VariableDifference,
)
from rig.kernel.apps import app_of, release_of
from rig.kernel.context import Context
from rig.kernel.errors import RigError, declined
from rig.kernel.ports import Stamp
from rig.node.handlers.show_promotion import decide
from rig.node.handlers.start_promotion import decide as start
from rig.node.promotion import Promotion, choose, configured, name_of
from tests.unit.given import ANA, app, network

SOURCE, TARGET = "demo-staging/shop", "demo/shop"
BUNDLE, OLD_BUNDLE = "ab" * 32, "cd" * 32
REF, SAME, OTHER = (SecretRef(version=v, digest=d) for v, d in ((1, "d1"), (7, "d1"), (2, "d2")))
COMMANDS = {"web": "./serve", "worker": "./work"}


def served(
    name: str, version: int, bundle: str = BUNDLE, supplied: Supplied | None = None, **config: Any
) -> list[Fact]:
    """A release from its beginning to its success."""
    begun = DeployStarted(
        app=name,
        version=version,
        bundle=bundle,
        config=config,
        isolation="bubblewrap",
        source={"commit": "c" * 40, "subject": "Sell more"},
        supplied=supplied or Supplied(),
        previous=version - 1,
    )
    built = DeployBuilt(app=name, version=version, build=f"build-{bundle[:2]}", processes=COMMANDS)
    return [begun, built, DeploySucceeded(app=name, version=version)]


def source(*facts: Fact) -> AppState:
    return app(AppCreated(name=SOURCE), *facts)


def target(*facts: Fact) -> AppState:
    return app(AppCreated(name=TARGET), *facts)


def promotion(of: AppState, to: AppState, *inherited: Fact, **more: Any) -> Promotion:
    given: dict[str, Any] = {"isolation": "bubblewrap", "build": "build-ab", "version": of.current, **more}
    return Promotion(source=of, target=to, network=network(*inherited), **given)


def made(asked: Promotion, **more: Any) -> tuple[DeployStarted, DeployBuilt]:
    begun, built = start(asked, **more)
    assert isinstance(begun, DeployStarted)
    assert isinstance(built, DeployBuilt)
    return begun, built


STAGING = source(
    *served(
        SOURCE,
        1,
        supplied=Supplied(
            vars={"environment": {"COLOR": "green"}, "app": {"A": "s"}, "release": {"DEBUG": "1"}},
            secrets={"app": {"KEY": REF, "TOKEN": REF}},
        ),
        env={"COLOR": "blue", "NEW": "1"},
        processes={"web": {"command": "./serve", "count": 1}, "worker": {"command": "./work"}},
        health={"path": "/ready", "timeout": 5},
        deploy={"release": "./migrate", "drain": 1},
    )
)
PRODUCTION = target(
    *served(
        TARGET,
        1,
        OLD_BUNDLE,
        supplied=Supplied(vars={"environment": {"COLOR": "red"}, "release": {"TRACE": "1"}}),
        env={"COLOR": "blue"},
        processes={"web": {"command": "./old", "count": 4, "memory": 1024}, "cron": {"count": 2}},
        health={"path": "/old", "timeout": 60},
        deploy={"release": "./old-migrate", "drain": 30},
    ),
    VarsChanged(scope=TARGET, set={"A": "p"}),
    SecretsChanged(scope=TARGET, set={"KEY": SAME, "TOKEN": OTHER, "OWN": REF}),
)


def test_it_is_a_release_of_the_same_build_with_the_variables_of_the_target() -> None:
    region = VarsChanged(scope="demo", set={"REGION": "eu"})
    begun, built = made(promotion(STAGING, PRODUCTION, region), message="")
    assert (begun.app, begun.version, begun.previous, begun.bundle) == (TARGET, 2, 1, BUNDLE)
    assert begun.source == {"commit": "c" * 40, "subject": "Sell more"}
    assert begun.promoted == Promoted(app=SOURCE, version=1, build="build-ab")
    assert begun.message == f"promoted from {SOURCE} v1"
    assert built == DeployBuilt(app=TARGET, version=2, build="build-ab", processes=COMMANDS)
    assert begun.supplied == Supplied(
        vars={"network": {"REGION": "eu"}, "environment": {"COLOR": "red"}, "app": {"A": "p"}},
        secrets={"app": {"KEY": SAME, "TOKEN": OTHER, "OWN": REF}},
    )
    assert made(promotion(STAGING, PRODUCTION), message="Friday")[0].message == "Friday"


def test_what_belongs_to_the_source_comes_along_and_how_the_target_is_run_stays() -> None:
    config = configured(STAGING.releases[1], PRODUCTION.releases[1])
    assert {name: (one.command, one.count, one.memory) for name, one in config.processes.items()} == {
        "web": ("./serve", 4, 1024),
        "worker": ("./work", 1, 0),
    }
    assert (config.health.path, config.health.timeout) == ("/ready", 60)
    assert (config.deploy.release, config.deploy.drain) == ("./migrate", 30)
    assert config.env == {"COLOR": "blue", "NEW": "1"}
    assert configured(STAGING.releases[1], None).health.timeout == 5


def test_numbers_of_a_process_whose_command_stands_in_the_procfile_stay() -> None:
    of, to = source(*served(SOURCE, 1)), target(*served(TARGET, 1, OLD_BUNDLE, processes={"web": {"count": 3}}))
    assert configured(of.releases[1], to.releases[1]).processes["web"].count == 3
    gone = target(*served(TARGET, 1, OLD_BUNDLE, processes={"cron": {"count": 3}}))
    assert configured(of.releases[1], gone.releases[1]) == AppConfig()


def test_the_plan_names_what_differs_and_tells_no_value() -> None:
    plan = decide(promotion(STAGING, PRODUCTION))
    assert (plan.source.version, plan.source.build, plan.target.version, plan.already) == (1, "build-ab", 1, False)
    assert plan.source.source.subject == "Sell more"
    found = {one.name: one for one in plan.variables}
    assert found["A"] == VariableDifference(name="A", source=True, target=True)
    assert found["TOKEN"] == VariableDifference(name="TOKEN", secret=True, source=True, target=True)
    assert found["OWN"] == VariableDifference(name="OWN", secret=True, source=False, target=True)
    assert found["DEBUG"] == VariableDifference(name="DEBUG", source=True, target=False)
    assert list(found) == ["A", "COLOR", "DEBUG", "OWN", "TOKEN"], "equal secrets do not differ, however often set"
    settings = {one.key: one for one in plan.settings}
    count = SettingDifference(key="processes.web.count", source="1", target="4", then="4")
    assert settings["processes.web.count"] == count
    assert settings["health.path"].then == "/ready"
    assert settings["processes.cron.count"] == SettingDifference(key="processes.cron.count", target="2")
    assert {"source", "env.NEW", "env.TRACE", "processes.web", "secret.KEY"} <= set(plan.changed)


def test_an_app_without_a_release_takes_the_settings_and_no_variables() -> None:
    begun, _ = made(promotion(STAGING, target()))
    assert (begun.version, begun.previous, begun.supplied, begun.environment) == (1, 0, Supplied(), "")
    assert begun.config["processes"]["web"]["command"] == "./serve"
    plan = decide(promotion(STAGING, target()))
    assert (plan.target, plan.settings) == (Standing(app=TARGET, version=0), [])


def test_what_serves_there_already_is_not_promoted_again() -> None:
    asked = promotion(STAGING, PRODUCTION)
    after = app(AppCreated(name=TARGET), *made(asked), DeploySucceeded(app=TARGET, version=2))
    again = promotion(STAGING, after, serves=True)
    assert decide(again).already
    assert start(again) == []
    assert start(promotion(STAGING, after, VarsChanged(scope="demo", set={"B": "1"}), serves=True)) == []
    # A build of the same source that the target made itself is another one.
    assert len(start(promotion(STAGING, after, serves=False))) == 2


FAILED = [
    DeployStarted(app=SOURCE, version=2, bundle=BUNDLE),
    DeployFailed(app=SOURCE, version=2, code="build_failed", reason="no"),
]


@pytest.mark.parametrize(
    ("of", "to", "version", "then"),
    [
        (STAGING, TARGET, 0, 1),
        (STAGING, TARGET, 1, 1),
        (STAGING, SOURCE, 0, "conflict"),
        (source(), TARGET, 0, "conflict"),
        (source(*served(SOURCE, 1), *FAILED), TARGET, 2, "conflict"),
        (source(*served(SOURCE, 1), *FAILED), TARGET, 0, 1),
        (STAGING, TARGET, 9, "not_found"),
    ],
)
def test_which_release_is_promoted(of: AppState, to: str, version: int, then: int | str) -> None:
    if isinstance(then, int):
        assert choose(of, to, version) == then
        return
    with pytest.raises(RigError) as caught:
        choose(of, to, version)
    assert caught.value.code == then
    assert caught.value.hint


BUSY = target(*served(TARGET, 1, OLD_BUNDLE), DeployStarted(app=TARGET, version=2, bundle=BUNDLE))


@pytest.mark.parametrize(
    ("to", "more", "seen", "code"),
    [
        (BUSY, {}, -1, "locked"),
        (PRODUCTION, {}, 0, "precondition_failed"),
        (PRODUCTION, {"isolation": "none"}, 1, "conflict"),
    ],
)
def test_what_is_refused(to: AppState, more: dict[str, Any], seen: int, code: str) -> None:
    with pytest.raises(RigError) as caught:
        start(promotion(STAGING, to, **more), seen)
    assert caught.value.code == code
    assert caught.value.hint


def test_who_looked_before_another_release_served_is_told_of_it() -> None:
    with pytest.raises(RigError) as caught:
        start(promotion(STAGING, PRODUCTION), 0)
    (told,) = caught.value.details["changed"]
    assert (told["key"], told["from"], told["to"], told["by"]) == ("release", "v0", "v1", ANA.actor)
    assert ANA.actor in caught.value.message


class Builds:
    """Builds of the target, by id: when each was made."""

    def __init__(self, **made: int) -> None:
        self._made = made

    def has(self, name: str, build: str) -> bool:
        return build in self._made

    def made(self, name: str, build: str) -> int:
        return self._made.get(build, 0)


def test_another_build_of_that_id_is_left_alone() -> None:
    state = target(*served(TARGET, 1))
    assert name_of("ab", 5, state, Builds()) == "ab"
    assert name_of("ab", 5, state, Builds(ab=5)) == "ab"
    assert name_of("ab", 5, state, Builds(ab=4)) == "ab-p2"
    before = DeployBuilt(app=TARGET, version=2, build="ab-p2")
    twice = target(*served(TARGET, 1), DeployStarted(app=TARGET, version=2, bundle=BUNDLE), before)
    builds = Builds(**{"ab": 4, "ab-p2": 5})
    assert name_of("ab", 5, twice, builds) == "ab-p2", "what was copied once is not copied again"
    assert name_of("ab", 6, twice, builds) == "ab-p3"


def test_history_tells_from_where() -> None:
    state = app(AppCreated(name=TARGET), *made(promotion(STAGING, target())), at=ANA)
    assert release_of(state, 1, url="").promoted == Promoted(app=SOURCE, version=1, build="build-ab")
    over = app(
        AppCreated(name=TARGET), *made(promotion(STAGING, target())), DeploySucceeded(app=TARGET, version=1), at=ANA
    )
    assert app_of(over, url="", hostname="").promoted_from == f"{SOURCE} v1"


# -- the client ------------------------------------------------------------------------------------------------------

PLAN = PromotionPlan(source=Standing(app=SOURCE, version=3), target=Standing(app=TARGET, version=1))


class Ports:
    """A platform, and somebody who answers, or nobody."""

    def __init__(self, plan: PromotionPlan, answer: bool | None) -> None:
        self.plan, self.answer = plan, answer
        self.asked: list[Command] = []
        self.shown: list[PromotionPlan] = []
        self.platform = self.terminal = self

    def call(self, command: Command, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        self.asked.append(command)
        if isinstance(command, ShowPromotion):
            return self.plan
        raise RigError("forbidden", "So far.", "")

    def show(self, plan: PromotionPlan) -> None:
        self.shown.append(plan)

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        assert question == f"Promote v3 of {SOURCE} to {TARGET}?"
        if not self.answer:
            raise RigError("input_required", question) if self.answer is None else declined()


def asked_for(told: PromotionPlan, answer: bool | None, **more: Any) -> tuple[Ports, str]:
    """What was asked of the platform, and how it ended."""
    ports: Any = Ports(told, answer)
    context: Any = Context(Stamp(id="1", actor="user:ana", at=1), ports, ports, ports)
    try:
        report = promote.handle(Promote(app=TARGET, source=SOURCE, **more), context)
    except RigError as error:
        return ports, error.code
    assert report.release is None
    return ports, "done"


@pytest.mark.parametrize(
    ("answer", "more", "ends"),
    [
        (None, {}, "input_required"),
        (False, {}, "cancelled"),
        (True, {}, "forbidden"),
        (None, {"yes": True}, "forbidden"),
    ],
)
def test_it_shows_how_the_two_differ_and_asks(answer: bool | None, more: dict[str, Any], ends: str) -> None:
    ports, end = asked_for(PLAN, answer, release="v3", **more)
    assert (end, ports.shown) == (ends, [PLAN])
    assert ports.asked[0] == ShowPromotion(app=TARGET, source=SOURCE, version=3)
    begun = StartPromotion(app=TARGET, source=SOURCE, version=3, seen=1)
    assert ports.asked[1:] == ([begun] if ends == "forbidden" else []), "what was shown is what is asked for"


@pytest.mark.parametrize(
    ("plan", "more"),
    [(PLAN, {"plan": True}), (PromotionPlan(source=PLAN.source, target=PLAN.target, already=True), {"yes": True})],
)
def test_a_plan_changes_nothing_and_neither_does_what_is_so_already(plan: PromotionPlan, more: dict[str, Any]) -> None:
    ports, end = asked_for(plan, None, **more)
    assert (end, len(ports.asked)) == ("done", 1)


def test_how_it_is_taken_back() -> None:
    assert promote.undo_of(PLAN) == f"rig rollback {TARGET} v1"
    assert promote.undo_of(PromotionPlan(source=PLAN.source, target=Standing(app=TARGET, version=0))) == ""
