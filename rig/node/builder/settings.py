"""What a build may know of the node's own environment: how to reach package registries, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

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

_NAME = re.compile(VARIABLE_PATTERN)


def build_settings(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The variables of ``environ`` that builds get, and warnings about those that were held back.

    A URL with a user or password in it is a secret and is let through only where `RIG_NODE_BUILD_ENV` names its
    variable. Raises `RigError` ``bad_config`` where that names something impossible, or a variable of rig's.
    """
    settings: dict[str, str] = {}
    warnings: list[str] = []
    for name in ALLOWED:
        value = environ.get(name, "")
        if not value:
            continue
        if _has_credentials(value):
            warnings.append(
                f"{name} holds credentials and is kept from builds; {EXTRA_VARIABLE}={name} lets every build see them"
            )
        else:
            settings[name] = value
    for name in filter(None, (part.strip() for part in environ.get(EXTRA_VARIABLE, "").split(","))):
        if not _NAME.match(name) or name.upper().startswith("RIG_"):
            raise RigError(
                "bad_config",
                f"{EXTRA_VARIABLE} names `{name}`, which "
                + ("belongs to rig" if _NAME.match(name) else "is no name of a variable"),
                f"start the node with {EXTRA_VARIABLE}=NAME,NAME",
            )
        if name in environ:
            settings[name] = environ[name]
            warnings = [warning for warning in warnings if not warning.startswith(f"{name} ")]
    return settings, warnings


def _has_credentials(value: str) -> bool:
    """Whether one of the URLs in ``value`` has a userinfo part (RFC 3986, section 3.2.1)."""
    return any("@" in urlsplit(word).netloc for word in value.split() if "//" in word) or (
        "//" not in value and "@" in value
    )
