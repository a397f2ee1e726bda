"""What goes and what stays, and why: given the state of an app and what is on the disk, when it is planned, then …"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.app import AppState, DeployBuilt, DeployFailed, DeployStarted
from events.base import Fact
from rig.node.collect.model import CACHE_AGE, CACHE_BYTES, Download, Found, Kind, Retention, Verdict
from rig.node.collect.plan import evict, gone_app, gone_network, kept_bundles, plan_app, span
from tests.unit.given import APP, CREATED, app, served, started
from tests.unit.given import NOW as NOW_NS

DAY = 86_400
THEN = NOW_NS // 1_000_000_000
"""When all releases were made."""
NOW = THEN + 100 * DAY


def found(kind: Kind, name: str, **more: Any) -> Found:
    return Found(kind=kind, app=APP, name=name, path=Path(name), **{"used": THEN, **more})


def builds(*versions: int, **more: Any) -> list[Found]:
    return [found("build", f"build-{version}", **more) for version in versions]


def releases(*versions: int) -> AppState:
    facts: list[Fact] = [CREATED]
    for version in versions:
        facts += served(version, bundle=f"{version:02d}" * 32)
    return app(*facts)


def going(verdicts: list[Verdict]) -> list[str]:
    return [verdict.found.name for verdict in verdicts if verdict.goes]


def why(verdicts: list[Verdict]) -> dict[str, str]:
    return {verdict.found.name: verdict.reason for verdict in verdicts}


def test_builds_of_the_newest_releases_stay() -> None:
    state = releases(*range(1, 15))
    verdicts = plan_app(state, builds(*range(1, 15)), Retention(), NOW)
    assert going(verdicts) == ["build-1", "build-2", "build-3", "build-4"]
    reasons = why(verdicts)
    assert reasons["build-4"] == "v4 is older than the newest 10 that succeeded"
    assert reasons["build-5"] == "v5 can be rolled back to"
    assert reasons["build-14"] == "v14 serves"


def test_what_another_app_is_about_to_copy_stays() -> None:
    verdicts = plan_app(releases(*range(1, 15)), builds(1, 2), Retention(), NOW, lent={"build-1"})
    assert going(verdicts) == ["build-2"]
    assert why(verdicts)["build-1"] == "another app is about to copy it"


def test_what_served_before_stays_however_little_is_kept() -> None:
    state = app(
        CREATED,
        *served(1),
        *served(2),
        DeployStarted(app=APP, version=3, bundle="c" * 64, previous=2),
        *served(3)[1:],
    )
    verdicts = plan_app(state, builds(1, 2, 3), Retention(keep=1), NOW)
    assert going(verdicts) == ["build-1"]
    assert why(verdicts)["build-2"] == "v2 served before"


def test_what_is_being_made_and_what_still_runs_stays() -> None:
    state = app(CREATED, *served(1), *served(2), *served(3), started(4), DeployBuilt(app=APP, version=4, build="new"))
    everything = [*builds(1, 2, 3), found("build", "new"), found("build", "asked-for")]
    verdicts = plan_app(state, everything, Retention(keep=1), NOW, making="asked-for", running={1})
    assert going(verdicts) == ["build-2"]
    assert why(verdicts)["build-1"] == "v1 has not ended yet"
    assert why(verdicts)["new"] == why(verdicts)["asked-for"] == "v4 is being made"


def test_a_build_that_several_releases_share_stays_for_the_newest() -> None:
    facts: list[Fact] = [CREATED]
    for version in range(1, 4):
        facts += [started(version), DeployBuilt(app=APP, version=version, build="one"), served(version)[-1]]
    verdicts = plan_app(app(*facts), [found("build", "one")], Retention(keep=1), NOW)
    assert why(verdicts) == {"one": "v3 serves"}


def test_failed_and_unknown_builds_go_when_they_are_old() -> None:
    state = app(
        CREATED,
        started(1),
        DeployBuilt(app=APP, version=1, build="bad"),
        DeployFailed(app=APP, version=1, code="unhealthy", reason="It never got healthy."),
    )
    verdicts = plan_app(state, [found("build", "bad"), found("build", "half-made")], Retention(), NOW)
    assert why(verdicts) == {"bad": "v1 failed", "half-made": "no release stands on it"}
    assert going(verdicts) == ["bad", "half-made"]


@pytest.mark.parametrize(("age", "goes"), [(0, False), (7 * DAY - 1, False), (7 * DAY, True)])
def test_nothing_goes_that_was_used_lately(age: int, goes: bool) -> None:
    retention = Retention(keep=1, older_than=7 * DAY)
    everything = [
        *builds(1, used=0),
        found("layer", "python-1"),
        found("log", "v1.build", version=1),
    ]
    verdicts = plan_app(releases(1, 2), everything, retention, THEN + age)
    assert {verdict.goes for verdict in verdicts} == {goes}
    if not goes:
        assert set(why(verdicts).values()) == {"it was used within 7 days"}


def test_layers_stay_with_the_builds_that_stand_on_them() -> None:
    state = releases(1, 2)
    everything = [
        *builds(1, layers=("old", "shared")),
        *builds(2, layers=("new", "shared")),
        *(found("layer", name) for name in ("old", "new", "shared")),
    ]
    verdicts = plan_app(state, everything, Retention(keep=1), NOW)
    assert going(verdicts) == ["build-1", "old"]
    assert why(verdicts)["shared"] == "build build-2 stands on it"
    assert why(verdicts)["old"] == "no kept build stands on it"


def test_a_build_that_is_young_keeps_its_layers() -> None:
    everything = [*builds(1, layers=("old",), used=NOW - 1), found("layer", "old")]
    assert going(plan_app(releases(1, 2), everything, Retention(keep=1), NOW)) == []


def test_logs_of_kept_releases_and_of_the_latest_failures_stay() -> None:
    facts: list[Fact] = [CREATED, *served(1)]
    for version in range(2, 6):
        facts += [started(version), DeployFailed(app=APP, version=version, code="build_failed", reason="No.")]
    logs = [found("log", f"v{version}.build", version=version) for version in range(1, 6)]
    verdicts = plan_app(app(*facts), logs, Retention(keep=2), NOW)
    assert going(verdicts) == ["v2.build", "v3.build"]


def test_of_the_caches_what_nobody_used_goes_then_what_is_too_much() -> None:
    def download(name: str, size: int, age: int) -> Download:
        return Download(name.encode(), size, NOW - age)

    half = CACHE_BYTES // 2
    pip = found("cache", "pip", downloads=(download("a", half, 1), download("b", half, 3), download("c", 1, 4)))
    npm = found("cache", "npm", downloads=(download("d", 1, 2), download("e", 1, CACHE_AGE + 1)))
    idle = found("cache", "idle", downloads=(download("f", 1, 0),))
    odd = found("cache", "odd", odd=True)
    verdicts = plan_app(releases(1), [pip, npm, idle, odd], Retention(), NOW)
    gone = {verdict.found.name: [each.path for each in verdict.downloads] for verdict in verdicts if verdict.goes}
    assert gone == {"pip": [b"b", b"c"], "npm": [b"e"], "odd": []}


@given(st.lists(st.tuples(st.integers(0, CACHE_BYTES), st.integers(0, 2 * CACHE_AGE)), max_size=30))
def test_what_is_left_of_the_caches_is_young_and_fits(sizes: list[tuple[int, int]]) -> None:
    downloads = [("pip", Download(b"%d" % n, size, NOW - age)) for n, (size, age) in enumerate(sizes)]
    gone = evict(downloads, NOW)
    left = [each for pair in downloads if pair not in gone for each in pair[1:]]
    assert sum(each.size for each in left) <= CACHE_BYTES
    assert all(NOW - each.used <= CACHE_AGE for each in left)
    if gone and left:
        assert max(each.used for _, each in gone) <= min(each.used for each in left)


def test_bundles_of_kept_releases_are_needed() -> None:
    state = releases(1, 2, 3)
    assert kept_bundles(state, 2) == {"02" * 32, "03" * 32}
    assert kept_bundles(app(CREATED, started(1, bundle="a" * 64)), 1) == {"a" * 64}


def test_folders_of_what_was_deleted_go() -> None:
    assert gone_app(APP, Path("hello")).goes
    network = found("network", "demo", used=NOW - DAY)
    assert gone_network(network, Retention(), NOW).goes
    assert not gone_network(network, Retention(), NOW - 1).goes


@pytest.mark.parametrize(
    ("seconds", "text"), [(DAY, "1 day"), (3 * DAY, "3 days"), (7200, "2 hours"), (60, "1 minute"), (0, "0 seconds")]
)
def test_spans_as_people_say_them(seconds: int, text: str) -> None:
    assert span(seconds) == text
