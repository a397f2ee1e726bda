"""A node whose disk takes nothing more: it refuses changes, serves on, and goes on once there is room.

The disk is full for the node alone: its limit on file sizes is put to nothing, and lifted again (prlimit(2)).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import GATED, User, open_gate, web_app
from tests.faults.harness import run_rig
from tests.kills.leftovers import processes
from tests.support import TIMEOUT, wait_until

pytestmark = [
    pytest.mark.xdist_group("node disk full"),
    pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's own"),
]


@contextmanager
def full_disk(user: User) -> Iterator[None]:
    import resource

    pid = user.node.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def builds(home: Path) -> bool:
    """Whether the build of a machine waits at its gate."""
    return any("until [ -e gate ]" in command for command in processes(home).values())


def releases(user: User, app: str) -> list[tuple[int, str]]:
    return [(each["version"], each["outcome"]) for each in history(user, app)]


def history(user: User, app: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = user.ok("history", app, "-o", "json").data["releases"]
    return data


def test_changes_are_refused_and_nothing_is_half_done(in_process: User, tmp_path: Path) -> None:
    user, folder = in_process, tmp_path / "app"
    user.deploy(web_app(folder), "demo/steady")
    web_app(folder, "two")
    with full_disk(user):
        for argv in (
            ("create", "network", "nowhere"),
            ("create", "app", "demo/nowhere"),
            ("node", "invite", "nobody"),
            ("update", "app", "demo/steady", "--scale", "web=2"),
            ("delete", "app", "demo/steady", "--yes"),
        ):
            refused = run_rig(*argv, where="json")
            assert (refused.exit, refused.error["code"]) == (75, "journal_unavailable"), refused
            assert refused.error["retryable"] is True
        refused = run_rig("deploy", str(folder), "--app", "demo/steady", where="json")
        assert (refused.exit, refused.error["retryable"]) == (75, True), refused
        login = run_rig("login", where="json")
        assert login.exit == 75, login

        for query in ("whoami", "list apps", "history demo/steady", "details app demo/steady"):
            assert run_rig(*query.split()).exit == 0, "what only reads goes on"
        assert user.get("demo/steady") == (200, "one /")

    assert [network["name"] for network in user.ok("list", "networks", "-o", "json").data["networks"]] == ["demo"]
    assert [app["name"] for app in user.ok("list", "apps", "-o", "json").data["apps"]] == ["demo/steady"]
    assert releases(user, "demo/steady") == [(1, "succeeded")]
    user.deploy(folder, "demo/steady")
    assert user.get("demo/steady") == (200, "two /")


def test_a_release_that_was_being_made_comes_to_an_end(in_process: User, tmp_path: Path) -> None:
    """Neither its success nor its failure can be recorded while the disk is full: it may not stay pending for ever."""
    user = in_process
    folder = web_app(tmp_path / "app", rig__toml=GATED, noise__txt=tmp_path.name)
    with user.spawn("deploy", str(folder), "--app", "demo/stuck", "--create", "-o", "json") as deploying:
        try:
            wait_until(lambda: builds(user.home), "v1 is being built")
            with full_disk(user):
                open_gate(user, "demo/stuck")
                wait_until(lambda: not builds(user.home), "the build has ended")
                assert releases(user, "demo/stuck") == [(1, "pending")]
            wait_until(lambda: releases(user, "demo/stuck") == [(1, "failed")], "its end is on the record")
            stdout, _ = deploying.communicate(timeout=TIMEOUT)
            assert (deploying.returncode, json.loads(stdout)["error"]["code"]) == (1, "failed")
        finally:
            deploying.kill()
    user.deploy(web_app(folder, rig__toml=""), "demo/stuck")
    assert user.get("demo/stuck") == (200, "one /")
