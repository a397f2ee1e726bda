"""Two clients that change the same thing at once: one wins, the other is told what was changed, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.rig import Ran, User
from tests.faults.terminal import OnTerminal
from tests.security.people import Browser, owner_token


@pytest.fixture(scope="module")
def other(user: User, tmp_path_factory: pytest.TempPathFactory) -> User:
    """A program with a home and a login of its own, on the same platform."""
    token = user.ok("create", "token", "other", "--network", "*", "--role", "owner").stdout.strip()
    home = tmp_path_factory.mktemp("elsewhere") / "home"
    home.mkdir()
    return User(home, {"RIG_URL": user.node.api, "RIG_TOKEN": token})


def revision(user: User, *line: str) -> str:
    return str(user.ok(*line, "-o", "json").data["revision"])


def refused(ran: Ran) -> list[tuple[str, str, str, str]]:
    """What the other one is told."""
    error: dict[str, Any] = ran.json["error"]
    assert (ran.exit, error["code"]) == (73, "precondition_failed"), ran.stderr
    assert "Nothing was done" in error["message"]
    assert all(one["at"] for one in error["details"]["changed"])
    return [(one["key"], one["from"], one["to"], one["by"]) for one in error["details"]["changed"]]


def test_an_app_that_both_have_read(user: User, other: User) -> None:
    user.ok("create", "app", "demo/both")
    seen = revision(user, "details", "app", "demo/both")
    assert revision(other, "details", "app", "demo/both") == seen
    other.ok("update", "app", "demo/both", "--memory", "none", "--if-match", seen)
    lost = user.rig("update", "app", "demo/both", "--memory", "default", "--if-match", seen, "-o", "json")
    assert refused(lost) == [("memory", "none", "0", "token:other")]
    lost = user.rig("delete", "app", "demo/both", "--yes", "--if-match", seen)
    assert "memory none → 0 by token:other" in lost.stderr
    assert user.ok("details", "app", "demo/both", "-o", "json").data["limits"] == {"*": 0}
    # Who looks again, and decides anew, is let through; so is who does not care.
    again = revision(user, "details", "app", "demo/both")
    user.ok("update", "app", "demo/both", "--memory", "default", "--if-match", again)
    other.ok("delete", "app", "demo/both", "--yes")
    user.ok("create", "app", "demo/both")
    gone = user.rig("delete", "app", "demo/both", "--yes", "--if-match", again, "-o", "json")
    assert ("app", "exists", "none", "token:other") in refused(gone), "another one has its name by now"


def test_a_header_says_the_same(user: User, other: User) -> None:
    user.ok("create", "app", "demo/headed")
    browser, path = Browser(user, owner_token(user)), "/v1/apps/demo/headed"
    etag = browser.ask("GET", path).headers["etag"]
    other.ok("create", "var", "demo/headed", "A=1")
    answer = browser.ask("PATCH", path, b'{"memory": ["none"]}', {"If-Match": etag})
    assert (answer.status, answer.json["details"]["changed"][0]["key"]) == (412, "env.A")
    assert browser.ask("DELETE", path, headers={"If-Match": etag}).status == 412
    now = browser.ask("GET", path).headers["etag"]
    assert browser.ask("DELETE", path, headers={"If-Match": now}).status == 200


def test_a_network_and_its_variables(user: User, other: User) -> None:
    user.ok("create", "network", "ours")
    seen = revision(user, "details", "network", "ours")
    other.ok("update", "network", "ours", "--description", "Shops", "--protected", "--if-match", seen)
    lost = user.rig("update", "network", "ours", "--description", "Tests", "--if-match", seen, "-o", "json")
    assert refused(lost) == [
        ("description", "none", "Shops", "token:other"),
        ("protected", "no", "yes", "token:other"),
    ]
    assert refused(user.rig("delete", "network", "ours", "--yes", "--if-match", seen, "-o", "json"))
    protected = user.rig("delete", "network", "ours", "--yes", "-o", "json")
    assert (protected.exit, protected.json["error"]["code"]) == (73, "conflict")
    user.ok("update", "network", "ours", "--no-protected")

    read = revision(user, "list", "vars", "--network", "ours")
    other.ok("create", "var", "--network", "ours", "A=1", "--if-match", read)
    late = user.rig("create", "var", "--network", "ours", "A=2", "--if-match", read, "-o", "json")
    assert refused(late) == [("env.A", "none", "1", "token:other")]
    late = user.rig("create", "secret", "--network", "ours", "KEY", "--if-match", read, stdin="hunter2")
    assert (late.exit, "rig list vars --network ours" in late.stderr) == (73, True)
    user.ok("delete", "network", "ours", "--yes")


def test_a_member_and_a_token(user: User, other: User) -> None:
    user.ok("create", "network", "shared")
    me = user.ok("whoami", "-o", "json").data["actor"].removeprefix("user:")
    user.ok("create", "member", "shared", me, "--role", "viewer")
    seen = revision(user, "details", "member", "shared", me)
    user.ok("update", "member", "shared", me, "--role", "operator", "--if-match", seen)
    lost = user.rig("update", "member", "shared", me, "--role", "auditor", "--if-match", seen, "-o", "json")
    assert refused(lost) == [("role", "viewer", "operator", f"user:{me}")]
    assert refused(user.rig("delete", "member", "shared", me, "--yes", "--if-match", seen, "-o", "json"))
    changes = user.ok("details", "member", "shared", me, "-o", "json").data["changes"]
    assert [(one["what"], one["role"]) for one in changes] == [("granted", "operator"), ("granted", "viewer")]

    user.ok("create", "token", "job", "--network", "shared")
    seen = revision(user, "details", "token", "job")
    user.ok("delete", "token", "job", "--yes", "--if-match", seen)
    user.ok("create", "token", "job", "--network", "shared", "--role", "viewer")
    lost = user.rig("delete", "token", "job", "--yes", "--if-match", seen, "-o", "json")
    assert refused(lost)[-1] == ("token", "none", "viewer of shared", f"user:{me}")


def asked(user: User, line: Sequence[str], between: Sequence[str]) -> tuple[int, str]:
    """Say yes on a terminal, after somebody else has done ``between``; gives the exit code and what was shown."""
    with OnTerminal(*line, env=user.environ) as running:
        running.wait_for("[y/N]")
        if between:
            user.ok(*between)
        running.type("y\n")
        code, _ = running.wait()
        return code, running.text


def test_who_is_asked_agrees_to_what_they_saw(user: User) -> None:
    user.ok("create", "app", "demo/asked")
    code, shown = asked(user, ("delete", "app", "demo/asked"), ("create", "var", "demo/asked", "A=1"))
    assert "It is empty. Delete app demo/asked and stop its processes?" in shown
    assert code == 73, shown
    assert "env.A none → 1" in shown
    user.ok("details", "app", "demo/asked")
    code, shown = asked(user, ("delete", "app", "demo/asked"), ())
    assert code == 0, shown
    assert user.rig("details", "app", "demo/asked").exit == 66
