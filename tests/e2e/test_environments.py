"""Environments of rig.toml and variables of one release, as the process that runs sees them."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.rig import User
from tests.e2e.test_variables import app, history, some

TOML = """\
[env]
COLOR = "blue"
SIZE = "small"

[environments.staging.env]
COLOR = "green"
ONLY = "staging"
"""


def stack(user: User, name: str, variable: str) -> list[tuple[str, str]]:
    listed = user.ok("list", "vars", name, "--origin", "-o", "json").data["vars"]
    found = next(var for var in listed if var["name"] == variable)
    return [(layer["origin"], layer["value"]) for layer in found["stack"]]


def test_an_environment_lies_between_rig_toml_and_the_app(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "layers")
    user.ok("create", "var", "--network", "layers", "COLOR=red", "REGION=eu")
    folder = app(tmp_path / "app", TOML)
    made = user.deploy(folder, "layers/shop", "--env", "staging", "--var", "COLOR=pink").data["release"]
    assert (made["environment"], made["overrides"]) == ("staging", ["COLOR"])
    assert some(user, "layers/shop", "COLOR", "SIZE", "ONLY", "REGION") == ["pink", "small", "staging", "eu"]

    user.ok("create", "var", "layers/shop", "COLOR=black")
    assert some(user, "layers/shop", "COLOR") == ["pink"], "what one release was given wins over everything"
    assert stack(user, "layers/shop", "COLOR") == [
        ("release", "pink"),
        ("app", "black"),
        ("environment", "green"),
        ("rig.toml", "blue"),
        ("network", "red"),
    ]
    details = user.ok("details", "app", "layers/shop").stdout
    assert "environment       staging" in details
    assert "for this release  COLOR" in details
    assert "for this release alone: COLOR" in user.ok("history", "layers/shop").stdout

    user.deploy(folder, "layers/shop")
    assert some(user, "layers/shop", "COLOR", "ONLY") == ["black", None], "the next deployment drops both"
    user.ok("rollback", "layers/shop", "v1")
    assert some(user, "layers/shop", "COLOR", "ONLY") == ["pink", "staging"]
    assert history(user, "layers/shop")[0] == (3, ["env.COLOR", "env.ONLY"])


def test_a_variable_of_one_release_is_checked_before_anything_is_sent(user: User, tmp_path: Path) -> None:
    folder = app(tmp_path / "app")
    for given, said in (("PORT=1", "port of its own"), ("my-name=1", "my_name"), ("A=", "empty"), ("A", "NAME=VALUE")):
        refused = user.rig("deploy", str(folder), "--app", "demo/refused", "--create", "--var", given)
        assert refused.exit in (64, 65)
        assert said in refused.stderr
    assert user.rig("details", "app", "demo/refused").exit == 66
