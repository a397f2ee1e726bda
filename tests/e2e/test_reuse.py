"""What was built before is not built again, and whoever deploys is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.rig import User, web_app


def test_an_unchanged_deployment_says_so_and_offers_to_build_anyway(user: User, tmp_path: Path) -> None:
    folder = web_app(tmp_path / "app")
    argv = ("deploy", str(folder), "--app", "demo/same", "--create")
    first = user.ok(*argv)
    assert "Building v1" in first.stderr
    again = user.ok(*argv)
    assert "Reusing the build of v1" in again.stderr
    assert "Building" not in again.stderr
    assert "nothing changed, the build of v1 reused (--force builds it anew)." in again.stderr
    release = user.ok(*argv, "-o", "json").data["release"]
    assert (release["version"], release["rebuilt"], release["built_by"], release["changed"]) == (3, False, 1, [])
    steps = [json.loads(line).get("text") for line in user.ok(*argv, "-o", "jsonl").stdout.splitlines()]
    assert "Reusing the build of v1" in steps
    forced = user.ok(*argv, "--force", "-o", "json").data["release"]
    assert (forced["version"], forced["rebuilt"], forced["built_by"]) == (5, True, 5)
    back = user.ok("rollback", "demo/same", "v1", "-o", "json").data["release"]
    assert (back["version"], back["built_by"]) == (6, 1)
