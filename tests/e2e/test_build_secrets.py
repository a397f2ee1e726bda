"""A secret that a real build gets: it is there, it is hidden in the output, and it is nowhere else."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

from tests.e2e.rig import User
from tests.e2e.test_variables import app, environment, secret
from tests.support import files_with

TOML = """\
[build]
command = "echo token is $TOKEN; printf %s $TOKEN | sha256sum > made; echo ${OTHER:-none} >> made"
secrets = ["TOKEN"]
"""


def deployed(user: User, folder: Path, name: str) -> dict[str, Any]:
    release: dict[str, Any] = user.deploy(folder, name).data["release"]
    return release


def made(user: User, name: str, build: str) -> str:
    """What the build has written."""
    network, _, leaf = name.partition("/")
    return (user.home / "node/networks" / network / "apps" / leaf / "builds" / build / "app/made").read_text()


def sum_of(value: str) -> str:
    return f"{hashlib.sha256(value.encode()).hexdigest()}  -\nnone\n"


def test_the_build_alone_gets_what_it_names(user: User, tmp_path: Path) -> None:
    name, folder = "demo/tokens", app(tmp_path / "app", TOML)
    first, second, other = (f"canary-{secrets.token_hex(16)}" for _ in range(3))
    refused = user.rig("deploy", str(folder), "--app", name, "--create")
    assert refused.exit == 78
    assert f"`rig create app {name}`, then `rig create secret {name} TOKEN`" in refused.stderr

    user.ok("create", "app", name)
    secret(user, first, name, "TOKEN")
    secret(user, other, name, "OTHER")
    one = deployed(user, folder, name)
    assert made(user, name, one["build"]) == sum_of(first)
    found = environment(user, name)
    assert "TOKEN" not in found
    assert found["OTHER"] == other
    log = user.ok("logs", "build", name).stdout
    assert "token is [secret TOKEN]" in log

    # The same value again is the same build, another one is not, and to go back builds nothing.
    assert deployed(user, folder, name)["rebuilt"] is False
    secret(user, second, name, "TOKEN")
    two = deployed(user, folder, name)
    assert (two["rebuilt"], made(user, name, two["build"])) == (True, sum_of(second))
    secret(user, first, name, "TOKEN")
    assert (deployed(user, folder, name)["build"], user.ok("rollback", name, "v1").exit) == (one["build"], 0)
    for value in (first, second):
        assert files_with(user.home, value) == []


def test_a_build_that_fails_does_not_tell_either(user: User, tmp_path: Path) -> None:
    folder = app(tmp_path / "app", '[build]\ncommand = "echo wrong: $TOKEN >&2; exit 3"\nsecrets = ["TOKEN"]\n')
    value = f"canary-{secrets.token_hex(16)}"
    user.ok("create", "app", "demo/failing")
    secret(user, value, "demo/failing", "TOKEN")
    failed = user.rig("deploy", str(folder), "--app", "demo/failing", "-o", "json")
    assert failed.exit == 1
    assert "wrong: [secret TOKEN]" in failed.json["error"]["details"]["output"]
    assert value not in failed.stdout + failed.stderr
    assert files_with(user.home, value) == []
