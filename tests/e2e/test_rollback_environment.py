"""Going back restores exactly the environment that a release had, whatever was changed since, and by whichever way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.rig import User
from tests.e2e.test_variables import app, secret

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")

GIVEN = {"HOME", "PATH", "PWD", "PORT", "LANG", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "SHLVL", "_", "OLDPWD"}
"""What the platform and the shell give."""


def environments(user: User, name: str) -> list[dict[str, str]]:
    """The environment of each web process of an app, as the kernel has it, without what every process has."""
    status = user.ok("status", "app", name, "-o", "json").data
    found = []
    for instance in status["instances"]:
        if instance["version"] == status["app"]["version"]:
            raw = Path(f"/proc/{instance['pid']}/environ").read_bytes().decode()
            pairs = dict(pair.split("=", 1) for pair in raw.split("\0") if pair)
            found.append({key: value for key, value in pairs.items() if key not in GIVEN})
    return found


def test_each_release_comes_back_as_it_was(user: User, tmp_path: Path) -> None:
    shop, staging = "past/shop", "past-staging/shop"
    for network in ("past", "past-staging"):
        user.ok("create", "network", network)
    user.ok("create", "var", "--network", "past", "REGION=eu", "SHARED=network")
    secret(user, "first key", "--network", "past", "KEY")
    folder = app(tmp_path / "app", '[env]\nCOLOR = "blue"\n[environments.live.env]\nCOLOR = "red"\n')

    seen: dict[int, dict[str, str]] = {}

    def note(*, instances: int = 1) -> None:
        """Keep what the release that serves has."""
        version = user.ok("details", "app", shop, "-o", "json").data["version"]
        found = environments(user, shop)
        assert found == [found[0]] * instances
        assert version not in seen, "each step makes a release"
        seen[version] = found[0]

    user.deploy(folder, shop)
    note()
    assert seen[1] == {"COLOR": "blue", "KEY": "first key", "REGION": "eu", "SHARED": "network"}
    user.ok("create", "var", shop, "A=1", "EMPTY=", "SHARED=app", "--allow-empty")
    note()
    user.ok("create", "var", shop, "A=2")
    note()
    secret(user, "s-one", shop, "TOKEN")
    note()
    secret(user, "s-two\nof two lines\n", shop, "TOKEN")
    note()
    user.ok("delete", "var", shop, "SHARED")
    note()
    user.ok("delete", "secret", shop, "TOKEN")
    note()
    user.ok("create", "var", "--network", "past", "REGION=us")
    note()
    secret(user, "second key", "--network", "past", "KEY")
    note()
    user.ok("update", "app", shop, "--scale", "web=2")
    user.deploy(folder, shop, "--env", "live", "--var", "DEBUG=1")
    note(instances=2)
    user.deploy(app(tmp_path / "other", '[env]\nCOLOR = "green"\n'), staging)
    user.ok("promote", staging, shop, "--yes")
    note(instances=2)
    user.ok("delete", "var", "--network", "past", "REGION", "SHARED")
    note(instances=2)
    assert seen[10] == {"A": "2", "COLOR": "red", "DEBUG": "1", "EMPTY": "", "KEY": "second key", "REGION": "us",
                        "SHARED": "network"}  # fmt: skip
    assert seen[12] == {"A": "2", "COLOR": "red", "EMPTY": "", "KEY": "second key"}
    assert len({tuple(sorted(each.items())) for each in seen.values()}) == len(seen)

    for version in (1, 5, 2, 10, 7, 11, 4, 3, 12, 9, 6, 8):
        user.ok("rollback", shop, f"v{version}")
        # How many there are is no part of a release: what was scaled by hand outlives all of them.
        assert environments(user, shop) == [seen[version]] * 2, f"v{version}"
