"""`rig dashboard`: its table against a plain fold, its figures against a history that was thought out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.app import AppCreated, AppDeleted, AppScaled, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.config import VarsChanged
from handlers import show_dashboard
from rig.cli.dashboard import columns, rows
from rig.contract.dashboard import AppDelivery, Dashboard, ShowDashboard
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Draft, Recorded, Stamp
from storage.database import connect
from storage.migrate import statements
from storage.projections.dashboard import DashboardProjection
from storage.projections.folding import apply_all
from tests.storage.records import Ports, context, open_record, replica_of
from tests.storage.support import START, FakeClock, stamp

SECOND, HOUR = 1_000_000_000, 3_600_000_000_000
ONE, OTHER = "demo/shop", "demo/site"


class Platform:
    """A platform's journal whose clock is set by whoever tells what happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = open_record(folder / "node", "node")
        self.clock = FakeClock()
        self.journal._clock = self.clock

    def at(self, hours: int, fact: Fact, actor: str = "user:ana") -> None:
        self.clock.at = START + hours * HOUR - SECOND
        name = str(getattr(fact, "app", "") or getattr(fact, "name", "") or getattr(fact, "scope", ""))
        self.journal.append([Draft(stream=f"app:{name}", fact=fact, target=name)], stamp(actor))

    def deploys(self, hours: int, version: int, took: int = 1, actor: str = "user:ana", **told: Any) -> None:
        """A release that goes live after ``took`` hours."""
        app = told.pop("app", ONE)
        self.at(hours, DeployStarted(app=app, version=version, bundle="f" * 64, **told), actor)
        self.at(hours + took, DeploySucceeded(app=app, version=version), actor)

    def fails(self, hours: int, version: int, took: int = 1, app: str = ONE) -> None:
        self.at(hours, DeployStarted(app=app, version=version, bundle="f" * 64))
        self.at(hours + took, DeployFailed(app=app, version=version, code="unhealthy", reason="no answer"))

    def shows(self, name: str = "", since: str = "30d", hours: int = 100) -> Dashboard:
        replica = replica_of(self.folder, self.journal)
        asker = Stamp(id="asked", actor="user:ana", at=START + hours * HOUR)
        with open_record(self.folder / "client") as own:
            board = show_dashboard.handle(
                ShowDashboard(name=name, since=since), context(own, Ports(self.folder, replica), asker)
            )
        replica.close()
        return board


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path)
    yield found
    found.journal.close()


def committed(hours: int, **told: Any) -> dict[str, Any]:
    return {"source": {"commit": "c" * 40, "committed_at": rfc3339(START + hours * HOUR), **told}}


def only(board: Dashboard) -> AppDelivery:
    (app,) = board.apps
    return app


def test_an_app_without_deployments_has_none(platform: Platform) -> None:
    platform.at(0, AppScaled(name=ONE, scale={"web": 2}), "user:ben")
    app = only(platform.shows())
    assert (app.current, app.last, app.outcome, app.deployments, app.failed) == (0, 0, "", 0, 0)
    assert (app.lead_ms, app.restore_ms, app.actors) == (None, None, [])
    assert (app.change, app.changed_by, app.changed_at) == ("app.scaled", "user:ben", rfc3339(START))


def test_how_often_how_well_how_fast(platform: Platform) -> None:
    platform.deploys(1, 1, **committed(0))  # live at 2, two hours after its commit
    platform.deploys(3, 2, actor="user:ben", previous=1, **committed(0))  # live at 4: four hours
    platform.fails(5, 3)  # failed at 6
    platform.deploys(8, 4, previous=2, **committed(1))  # live at 9, eight hours; the failure has lasted three
    app = only(platform.shows())
    assert (app.current, app.last, app.outcome) == (4, 4, "succeeded")
    assert (app.deployments, app.failed) == (4, 1)
    assert (app.lead_ms, app.restore_ms) == (4 * 3_600_000, 3 * 3_600_000)
    assert app.actors == ["user:ana", "user:ben"]


def test_a_release_that_is_rolled_back_was_a_failure_since_it_went_live(platform: Platform) -> None:
    platform.deploys(1, 1)
    platform.deploys(3, 2, previous=1)  # live at 4
    assert only(platform.shows()).failed == 0
    platform.deploys(8, 3, previous=2, rollback_of=1, **committed(0))  # live at 9
    app = only(platform.shows())
    assert (app.current, app.deployments, app.failed, app.restore_ms) == (3, 3, 1, 5 * 3_600_000)
    assert app.lead_ms is None, "a rollback brings no commit"
    platform.deploys(10, 4, previous=3)
    assert only(platform.shows()).failed == 1, "what replaces a rollback is no rollback"


def test_what_is_not_over_does_not_count_yet(platform: Platform) -> None:
    platform.deploys(1, 1)
    platform.at(5, DeployStarted(app=ONE, version=2, bundle="f" * 64, previous=1))
    app = only(platform.shows())
    assert (app.current, app.last, app.outcome, app.deployments) == (1, 2, "pending", 1)
    platform.at(6, DeployFailed(app=ONE, version=2, code="unhealthy", reason="no answer"))
    app = only(platform.shows())
    assert (app.current, app.outcome, app.deployments, app.failed, app.restore_ms) == (1, "failed", 2, 1, None)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"source": {"commit": "c" * 40}},
        committed(0, dirty=True),
        committed(50),
        {"source": {"committed_at": "long ago"}},
        {"source": {"committed_at": 7}},
    ],
    ids=["no source", "no time", "changed since", "of a clock that is ahead", "no time at all", "a number"],
)
def test_a_lead_time_needs_a_commit_that_is_known(platform: Platform, told: dict[str, Any]) -> None:
    platform.deploys(1, 1, **told)
    app = only(platform.shows())
    assert (app.deployments, app.lead_ms) == (1, None)


def test_a_network_its_apps_and_one_of_them(platform: Platform) -> None:
    platform.deploys(1, 1)
    platform.deploys(2, 1, app=OTHER)
    platform.deploys(3, 1, app="demos/shop")
    assert [app.app for app in platform.shows().apps] == [ONE, OTHER, "demos/shop"]
    assert [app.app for app in platform.shows("demo").apps] == [ONE, OTHER]
    assert [app.app for app in platform.shows(ONE).apps] == [ONE]
    assert platform.shows("nothing").apps == []
    assert platform.shows("demo").total.deployments == 2


def test_only_what_ended_within_the_time_is_counted(platform: Platform) -> None:
    platform.deploys(1, 1)
    platform.deploys(60, 2, previous=1)
    app = only(platform.shows(since="2d"))
    assert (app.deployments, app.current) == (1, 2)


def test_an_app_that_was_deleted_is_not_shown(platform: Platform) -> None:
    platform.deploys(1, 1)
    platform.at(3, AppDeleted(name=ONE))
    assert platform.shows().apps == []
    platform.at(4, AppCreated(name=ONE))
    platform.deploys(5, 2)
    assert (only(platform.shows()).current, only(platform.shows()).deployments) == (2, 2)


def test_settings_of_a_network_change_no_app(platform: Platform) -> None:
    platform.at(1, VarsChanged(scope="demo", set={"A": "1"}))
    assert platform.shows().apps == []
    platform.at(2, VarsChanged(scope=ONE, set={"A": "1"}))
    assert only(platform.shows()).change == VarsChanged.type


# -- against a plain fold ---------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "rollback", "succeed", "fail", "scale", "delete"]), st.sampled_from([ONE, OTHER])
    ),
    max_size=60,
)


def told(steps: list[tuple[str, str]]) -> Iterator[Fact]:
    """A history that can happen: one deployment of an app at a time, each with the next number."""
    last, live, pending = dict.fromkeys((ONE, OTHER), 0), dict.fromkeys((ONE, OTHER), 0), dict.fromkeys((ONE, OTHER), 0)
    for step, app in steps:
        if step in {"start", "rollback"} and not pending[app]:
            last[app] = pending[app] = last[app] + 1
            back = live[app] if step == "rollback" else 0
            yield DeployStarted(app=app, version=last[app], bundle="b", previous=live[app], rollback_of=back)
        elif step == "succeed" and pending[app]:
            live[app], pending[app] = pending[app], 0
            yield DeploySucceeded(app=app, version=live[app])
        elif step == "fail" and pending[app]:
            yield DeployFailed(app=app, version=pending[app], code="c", reason="r")
            pending[app] = 0
        elif step == "scale":
            yield AppScaled(name=app, scale={"web": 1})
        elif step == "delete" and not pending[app]:
            live[app] = 0
            yield AppDeleted(name=app)


def plainly(facts: list[Fact]) -> tuple[set[Any], set[Any]]:
    """The rows of both tables, folded without SQL. The time of a fact is its number."""
    apps: dict[str, list[Any]] = {}
    deployments: dict[tuple[str, int], dict[str, Any]] = {}
    for at, fact in enumerate(facts, 1):
        if isinstance(fact, AppDeleted):
            apps.pop(fact.name, None)
            continue
        app = fact.name if isinstance(fact, AppScaled) else str(getattr(fact, "app", ""))
        apps.setdefault(app, [0, "", 0])[1:] = [fact.type, at]
        match fact:
            case DeployStarted():
                deployments[app, fact.version] = {
                    "outcome": "pending", "previous": fact.previous, "rollback": int(fact.rollback_of > 0),
                    "begun": at, "ended": None, "failed": None, "restored": None,
                }  # fmt: skip
            case DeployFailed():
                deployments[app, fact.version] |= {"outcome": "failed", "ended": at, "failed": at}
            case DeploySucceeded():
                own = deployments[app, fact.version]
                own |= {"outcome": "succeeded", "ended": at}
                apps[app][0] = fact.version
                replaced = deployments.get((app, own["previous"]))
                if own["rollback"] and replaced and replaced["failed"] is None:
                    replaced["failed"] = replaced["ended"]
                for (name, _), one in deployments.items():
                    if name == app and one["failed"] and one["restored"] is None:
                        one["restored"] = at
    return (
        {(app, current, change, at, "user:ana") for app, (current, change, at) in apps.items()},
        {
            (
                *key, "user:ana", d["outcome"], d["previous"], d["rollback"], d["begun"], d["ended"], None,
                d["failed"], d["restored"],
            )
            for key, d in deployments.items()
        },
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_the_tables_are_what_a_plain_fold_comes_to(steps: list[tuple[str, str]]) -> None:
    facts = list(told(steps))
    connection = connect(":memory:")
    for statement in statements(DashboardProjection.ddl):
        connection.execute(statement)
    records = [
        Recorded(
            pos=at, id=f"{at}", stream="s", ver=at, at=at, actor="user:ana", outcome="success", target="", src="",
            session="", corr="", caus="", idem="", fact=fact,
        )
        for at, fact in enumerate(facts, 1)
    ]  # fmt: skip
    apply_all(connection, [DashboardProjection()], records)
    found = tuple(set(connection.execute(f'SELECT * FROM "{table}"')) for table in DashboardProjection.tables)
    connection.close()
    assert found == plainly(facts)


def test_a_table_of_apps_begins_with_the_app(platform: Platform) -> None:
    assert columns(platform.shows())[0] == "app"
    platform.deploys(1, 1)
    (row,) = rows(platform.shows())
    assert list(row) == columns(platform.shows())
    assert (row["app"], row["deployments"]) == (ONE, 1)
