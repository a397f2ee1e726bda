"""A new version that passes its check and then dies: the old one comes back by itself."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.rig import User, web_app
from tests.support import wait_until


def test_a_release_that_dies_young_is_rolled_back(user: User, tmp_path: Path) -> None:
    user.deploy(web_app(tmp_path / "good"), "demo/young")
    bad = web_app(tmp_path / "bad", "two")
    source = (bad / "main.py").read_text()
    # Asked for /die it ends; the health check asks for / alone.
    dying = source.replace(
        "        body = f", "        if self.path == '/die':\n            os._exit(3)\n        body = f"
    )
    (bad / "main.py").write_text(dying)
    user.deploy(bad, "demo/young")
    assert user.get("demo/young") == (200, "two /")
    user.get("demo/young", "/die")
    wait_until(lambda: user.get("demo/young") == (200, "one /"), "the old version serves again")

    def newest() -> dict[str, object]:
        release: dict[str, object] = user.ok("history", "demo/young", "-o", "json").data["releases"][0]
        return release

    wait_until(lambda: newest()["outcome"] == "succeeded", "the rollback is over")
    taken_back = newest()
    assert (taken_back["version"], taken_back["rollback_of"]) == (3, 1)
    assert taken_back["created_by"] == "system:node"
    assert "v2 died within its first 60 seconds: web.1" in str(taken_back["message"])
    assert "exit 3" in str(taken_back["message"])
