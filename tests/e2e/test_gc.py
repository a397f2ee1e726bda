"""`rig node gc`: what goes, and that every release that is kept can still be rolled back to."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import User, web_app
from tests.support import wait_until

pytestmark = pytest.mark.xdist_group("gc")  # so that the app is made once, and what has gone can be deployed again


@pytest.fixture(scope="module")
def app(user: User, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An app with six releases, each with a source and a build of its own."""
    for n in range(1, 7):
        folder = web_app(tmp_path_factory.mktemp(f"v{n}") / "app", f"version {n}", **{f"note{n}.txt": "x" * 9000})
        user.deploy(folder, "demo/app")
    # The instances of the releases before have their grace to end requests; until then their builds are in use.
    wait_until(lambda: len(instances(user)) == 1, "only the newest release runs")
    return "demo/app"


def instances(user: User) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = user.ok("status", "app", "demo/app", "-o", "json").data["instances"]
    return found


def releases(user: User) -> dict[int, dict[str, Any]]:
    found = user.ok("history", "demo/app", "-o", "json").data["releases"]
    return {release["version"]: release for release in found}


def builds(user: User) -> set[str]:
    return {path.name for path in (user.home / "node/networks/demo/apps/app/builds").iterdir()}


def collected(user: User) -> list[dict[str, Any]]:
    """What the node's own journal has of it, looked into as an auditor may."""
    with closing(sqlite3.connect(f"file:{user.home}/node/journal.sqlite?mode=ro", uri=True)) as journal:
        records = journal.execute("select rec from event where type = 'node.collected' order by pos").fetchall()
    return [json.loads(record) for (record,) in records]


def test_nothing_goes_that_is_young_or_may_be_needed(user: User, app: str) -> None:
    before = builds(user)
    collection = user.ok("node", "gc", "-o", "json").data
    assert (collection["garbage"], collection["bytes"], collection["dry_run"]) == ([], 0, False)
    assert "There is nothing to collect." in user.ok("node", "gc", "--keep", "1").stderr, "all of it is young"
    assert builds(user) == before


def test_what_is_kept_can_be_rolled_back_to_and_what_went_says_so(user: User, app: str) -> None:
    before = {version: release["build"] for version, release in releases(user).items()}
    planned = user.ok("node", "gc", "--keep", "3", "--older-than", "0s", "--dry-run", "-o", "json").data
    going = {each["name"] for each in planned["garbage"] if each["what"] == "build"}
    assert going == {before[1], before[2], before[3]}
    assert planned["bytes"] > 0
    reasons = {each["name"]: each["reason"] for each in planned["kept"]}
    assert reasons[before[6]] == "v6 serves"
    assert reasons[before[4]] == "v4 can be rolled back to"
    assert builds(user) == set(before.values()), "nothing was removed"

    table = user.ok("node", "gc", "--keep", "3", "--older-than", "0s").stdout
    assert "v1 is older than the newest 3 that succeeded" in table
    assert "Freed " in table
    assert builds(user) == {before[4], before[5], before[6]}
    logs = {path.name for path in (user.home / "node/networks/demo/apps/app/releases").iterdir()}
    assert logs == {f"v{n}.build.jsonl" for n in (4, 5, 6)}
    removed = user.home / "node/removed"
    wait_until(lambda: not removed.exists() or not list(removed.iterdir()), "the disk is free")
    assert user.get(app) == (200, "version 6 /")

    told = {version: (release["rollbackable"], release["current"]) for version, release in releases(user).items()}
    assert told == {
        1: (False, False),
        2: (False, False),
        3: (False, False),
        4: (True, False),
        5: (True, False),
        6: (False, True),
    }
    assert user.ok("history", app).stdout.count("succeeded, collected") == 3

    refused = user.rig("rollback", app, "v2", "-o", "json")
    assert (refused.exit, refused.json["error"]["code"]) == (73, "conflict")
    assert "was collected" in refused.json["error"]["message"]
    assert "rig deploy --app demo/app" in refused.json["error"]["hint"]
    for version in (4, 5):
        user.ok("rollback", app, f"v{version}")
        assert user.get(app) == (200, f"version {version} /")


def test_what_went_can_be_deployed_again(user: User, app: str, tmp_path: Path) -> None:
    user.deploy(web_app(tmp_path / "app", "version 1", note1__txt="x" * 9000), app)
    assert user.get(app) == (200, "version 1 /")


def test_it_is_on_the_record_of_the_node_and_of_who_asked(user: User, app: str) -> None:
    before = len(collected(user))
    (user.home / "node/networks/demo/apps/app/builds/left-over").mkdir()
    freed = user.ok("node", "gc", "--older-than", "0s", "-o", "json").data
    gone = [each["name"] for each in freed["garbage"] if each["what"] == "build"]
    assert "left-over" in gone
    entries = user.ok("audit", "-o", "json").data["entries"]
    assert [entry["outcome"] for entry in entries if entry["action"] == "node.gc"][:1] == ["success"]
    (fact,) = collected(user)[before:]
    assert fact["body"]["counts"]["build"] == len(gone)
    assert fact["actor"] == user.ok("whoami", "-o", "json").data["actor"]


def test_a_wrong_age_is_refused(user: User) -> None:
    refused = user.rig("node", "gc", "--older-than", "soon")
    assert refused.exit == 64
    assert "--older-than" in refused.stderr
