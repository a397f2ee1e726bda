"""What a build may know of the node's own environment: how to reach package registries, and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from rig.contract.names import VARIABLE_PATTERN
from rig.kernel.errors import RigError

EXTRA_VARIABLE = "RIG_NODE_BUILD_ENV"
"""``NAME,NAME``: what the operator lets through on top, set where the node is started."""

ALLOWED = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT",
    "NPM_CONFIG_REGISTRY", "NPM_CONFIG_CAFILE", "npm_config_registry", "npm_config_cafile",
)  # fmt: skip

SEEN = ("http://", "https://", "file:///usr/", "/usr/")
"""What a build can reach of the places where pip is told to look for packages."""

_NAME = re.compile(VARIABLE_PATTERN)


def build_settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of the node's environment that every build gets.

    A URL with a user or password in it is a secret, and is let through only where `RIG_NODE_BUILD_ENV` names its
    variable. Raises `RigError` ``bad_config`` where that names something impossible, or a variable of rig's.
    """
    settings = {name: environ[name] for name in ALLOWED if environ.get(name) and not _has_credentials(environ[name])}
    links = " ".join(link for link in settings.pop("PIP_FIND_LINKS", "").split() if link.startswith(SEEN))
    if links:
        # Any other folder of this machine is not there in a build, and pip would say so again for every package.
        settings["PIP_FIND_LINKS"] = links
    return settings | {name: environ[name] for name in _extra(environ) if name in environ}


def held_back(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Warnings for the operator: what builds do not get because it holds credentials."""
    extra = _extra(environ)
    return [
        f"{name} holds credentials and is kept from builds; {EXTRA_VARIABLE}={name} would show them to every build"
        for name in ALLOWED
        if name not in extra and _has_credentials(environ.get(name, ""))
    ]


def _extra(environ: Mapping[str, str]) -> list[str]:
    names = [part.strip() for part in environ.get(EXTRA_VARIABLE, "").split(",") if part.strip()]
    for name in names:
        well_formed = _NAME.match(name) is not None
        if not well_formed or name.upper().startswith("RIG_"):
            raise RigError(
                "bad_config",
                f"{EXTRA_VARIABLE} names `{name}`, which "
                + ("belongs to rig." if well_formed else "is no name of a variable."),
                f"Start the node with {EXTRA_VARIABLE}=NAME,NAME.",
            )
    return names


def _has_credentials(value: str) -> bool:
    """Whether a URL in ``value`` has a userinfo part (RFC 3986, section 3.2.1), or a bare ``user:word@host``."""
    return re.search(r"(?:^|\s|//)[^/\s]*@", value) is not None
