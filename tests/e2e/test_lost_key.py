"""A node whose key to its secrets is gone: what runs goes on, nothing new begins, and it says what to do."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.e2e.rig import User
from tests.e2e.test_variables import app, secret, some
from tests.support import wait_until


def the_pid(user: User, name: str) -> int:
    """The process that serves; the one before may have requests to end yet."""
    status = user.ok("status", "app", name, "-o", "json").data
    (one,) = (each for each in status["instances"] if each["version"] == status["app"]["version"])
    return int(one["pid"])


def test_what_runs_goes_on_without_the_key_and_nothing_new_begins(fresh: User, tmp_path: Path) -> None:
    user, key = fresh, fresh.home / "node" / "secrets.key"
    user.start_node("--isolation", "none")
    folder = app(tmp_path / "app", "[deploy]\nwatch = 0\n")
    for name in ("demo/shop", "other/plain"):
        user.deploy(folder, name)
    secret(user, "hunter2", "demo/shop", "KEY")
    before = the_pid(user, "demo/shop")

    user.ok("node", "stop", "--keep-apps")
    backup = key.read_bytes()
    key.unlink()
    user.ok("node", "start", "--isolation", "none")
    (problem,) = user.ok("node", "status", "-o", "json").data["problems"]
    assert "network `demo`" in problem
    assert "Restore `secrets.key` from a backup" in problem
    assert "Restore `secrets.key`" in user.ok("node", "status").stdout

    assert the_pid(user, "demo/shop") == before
    assert some(user, "demo/shop", "KEY") == ["hunter2"]
    trouble = user.ok("status", "app", "demo/shop", "-o", "json").data["trouble"]
    assert (trouble["code"], "--forget-lost" in trouble["hint"]) == ("bad_config", True)

    for line in (
        ("create", "var", "demo/shop", "A=1"),
        ("create", "var", "--network", "demo", "A=1"),
        ("deploy", str(folder), "--app", "demo/shop", "--force"),
        ("rollback", "demo/shop", "v2"),
        ("restart", "demo/shop"),
        ("node", "rotate-keys"),
    ):
        refused = user.rig(*line, "-o", "json")
        assert (refused.exit, refused.json["error"]["code"]) in {(78, "bad_config"), (73, "conflict")}, line
    refused = user.rig("create", "secret", "demo/shop", "KEY", stdin="hunter3")
    assert (refused.exit, "Restore `secrets.key`" in refused.stderr) == (78, True)
    assert user.ok("history", "demo/shop", "-o", "json").data["releases"][0]["version"] == 2, "none was begun"
    # Whatever has no secrets is not touched by it; and an app can be stopped.
    user.ok("create", "var", "other/plain", "A=1")
    assert some(user, "other/plain", "A") == ["1"]

    # It ends by itself: without its key it cannot be started again, and the node says so.
    psutil.Process(before).kill()
    # Nobody asks it before it is gone: an answer that is under way ends with its process.
    details = ("details", "app", "demo/shop", "-o", "json")
    wait_until(lambda: user.ok(*details).data["status"] == "crashed", "it is given up")
    wait_until(lambda: user.get("demo/shop")[0] == 503, "its page says so")

    key.write_bytes(backup)
    key.chmod(0o600)
    user.ok("node", "stop", "--keep-apps")
    user.ok("node", "start", "--isolation", "none")
    assert user.ok("node", "status", "-o", "json").data["problems"] == []
    wait_until(lambda: user.get("demo/shop")[0] == 200, "it is back")
    assert some(user, "demo/shop", "KEY") == ["hunter2"]


def test_without_a_backup_the_secrets_are_forgotten_and_set_anew(fresh: User, tmp_path: Path) -> None:
    user = fresh
    user.start_node("--isolation", "none")
    user.deploy(app(tmp_path / "app"), "demo/shop")
    secret(user, "hunter2", "demo/shop", "KEY")
    (user.home / "node" / "secrets.key").unlink()
    user.ok("stop", "demo/shop")
    assert user.rig("start", "demo/shop").exit == 78
    rotated = user.ok("node", "rotate-keys", "--forget-lost", "-o", "json").data
    assert rotated == {"values": 0, "forgotten": 1}
    lost = user.rig("start", "demo/shop")
    assert (lost.exit, "The secret `KEY` of `demo/shop` cannot be read" in lost.stderr) == (1, True)
    # The same value again is news to the vault.
    secret(user, "hunter2", "demo/shop", "KEY")
    assert some(user, "demo/shop", "KEY") == ["hunter2"]
