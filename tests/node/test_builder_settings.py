"""What builds get of the node's environment."""

from __future__ import annotations

import pytest

from rig.kernel.errors import RigError
from rig.node.builder.settings import build_settings, held_back


def test_only_what_is_listed_passes() -> None:
    environ = {"PIP_CERT": "/etc/ca.pem", "AWS_SECRET_ACCESS_KEY": "x", "RIG_HOME": "/x", "HTTPS_PROXY": ""}
    assert build_settings(environ) == {"PIP_CERT": "/etc/ca.pem"}


@pytest.mark.parametrize("value", ["https://u:p@host/simple", "user:word@proxy:3128", "https://a/ https://t@b/"])
def test_credentials_are_held_back_unless_named(value: str) -> None:
    environ = {"PIP_INDEX_URL": value}
    assert build_settings(environ) == {}
    assert "RIG_NODE_BUILD_ENV=PIP_INDEX_URL" in held_back(environ)[0]
    named = {**environ, "RIG_NODE_BUILD_ENV": "PIP_INDEX_URL, MISSING"}
    assert build_settings(named) == environ
    assert held_back(named) == []


@pytest.mark.parametrize("name", ["RIG_TOKEN", "rig_home", "A=B", "1A"])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(RigError) as caught:
        build_settings({"RIG_NODE_BUILD_ENV": name})
    assert caught.value.code == "bad_config"


def test_folders_that_a_build_cannot_see_are_kept_back() -> None:
    links = "/srv/wheels https://wheels.example/simple /usr/share/wheels"
    assert build_settings({"PIP_FIND_LINKS": links}) == {
        "PIP_FIND_LINKS": "https://wheels.example/simple /usr/share/wheels"
    }
    assert build_settings({"PIP_FIND_LINKS": "/srv/wheels"}) == {}
    named = build_settings({"PIP_FIND_LINKS": "/srv/wheels", "RIG_NODE_BUILD_ENV": "PIP_FIND_LINKS"})
    assert named == {"PIP_FIND_LINKS": "/srv/wheels"}
