"""Names of things, and the rules they follow.

Networks and apps are RFC 1035 labels (section 2.3.1), because an app's hostname is ``app.network.domain``.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

# Every pattern of the contract ends in `$(?!\n)`: `$` alone lets a line end pass behind it in Python, and not in JSON
# Schema's ECMA regular expressions, where the rest means the same.
_END = r"$(?!\n)"


def optional(pattern: str) -> str:
    """The pattern of what may be left out: what ``pattern`` lets pass, or nothing."""
    return f"^({pattern.removeprefix('^').removesuffix(_END)})?{_END}"


_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
LABEL_PATTERN = f"^{_LABEL}{_END}"
NETWORK_OR_ALL = rf"^(\*|{_LABEL}){_END}"
APP_PATTERN = f"^{_LABEL}/{_LABEL}{_END}"
"""``network/app``."""
NETWORK_OR_APP = f"^{_LABEL}(/{_LABEL})?{_END}"
LABEL_RULE = "1 to 63 lower-case letters, digits and hyphens, a letter first, no hyphen last"

Label = Annotated[str, Meta(pattern=LABEL_PATTERN, description=LABEL_RULE, examples=["shop"])]

_PROCESS = "[A-Za-z0-9_-]{1,30}"
PROCESS_PATTERN = f"^{_PROCESS}{_END}"
PROCESS_OR_ALL = rf"^(\*|{_PROCESS}){_END}"
ProcessType = Annotated[str, Meta(pattern=PROCESS_PATTERN, description="a process type of the Procfile")]

VARIABLE_PATTERN = f"^[A-Za-z_][A-Za-z0-9_]{{0,255}}{_END}"
"""POSIX environment variable names (XBD 8.1), upper and lower case."""

_SIZE = "[1-9][0-9]{0,9}[KMG]?"
SIZE_PATTERN = f"^(none|{_SIZE}){_END}"
"""A limit of memory: ``512M``, bytes, or none. K, M and G are powers of 1024, as docker and systemd have them."""
LIMIT_PATTERN = f"^({_PROCESS}=)?(none|default|{_SIZE}){_END}"
"""The same as it is set for an app: ``512M`` for every process, ``web=1G`` for a type; ``default`` is rig.toml's."""

VERSION_PATTERN = f"^v?[1-9][0-9]{{0,8}}{_END}"
"""A release of an app: ``v3``, or ``3``."""

CONTEXT_PATTERN = f"^[A-Za-z0-9][A-Za-z0-9._-]{{0,62}}{_END}"

DIGEST_PATTERN = f"^[0-9a-f]{{64}}{_END}"
Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, description="a SHA-256 in lower-case hexadecimal")]

RESERVED_NETWORKS = frozenset({"api", "node", "rig", "localhost"})

_label = re.compile(LABEL_PATTERN)
_variable = re.compile(VARIABLE_PATTERN)


def label_problem(name: str) -> str:
    """Why ``name`` is no label, as the end of a sentence; empty when it is one."""
    if _label.match(name) and not name.endswith("\n"):
        return ""
    if not name:
        return "it is empty"
    if len(name) > 63:
        return f"it has {len(name)} characters, and 63 is the limit"
    if name[0] not in "abcdefghijklmnopqrstuvwxyz":
        return "it does not begin with a lower-case letter"
    if name.endswith("-"):
        return "it ends with a hyphen"
    bad = sorted({c for c in name if not re.match(r"[a-z0-9-]", c)})
    return "it holds " + " and ".join(repr(c) for c in bad)


def suggest_label(name: str) -> str:
    """The nearest label to ``name``, or an empty string where nothing is left of it."""
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    near = near.lstrip("0123456789-")[:63].rstrip("-")
    return near if _label.match(near) else ""


def variable_problem(name: str) -> str:
    """Why ``name`` cannot be the name of a variable, as the end of a sentence; empty when it can."""
    if _variable.match(name):
        return ""
    if not name:
        return "it is empty"
    if len(name) > 256:
        return f"it has {len(name)} characters, and 256 is the limit"
    if name[0] in "0123456789":
        return "it begins with a digit"
    bad = sorted({c for c in name if not re.match(r"[A-Za-z0-9_]", c)})
    return "it holds " + " and ".join(repr(c) for c in bad)


def suggest_variable(name: str) -> str:
    """The nearest name of a variable to ``name``, or an empty string where nothing is left of it."""
    near = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:255]
    near = f"_{near}" if near[:1].isdigit() else near
    return near if near.strip("_") else ""


def split_app(ref: str) -> tuple[str, str]:
    """``network/app`` → ``("network", "app")``; a bare ``app`` → ``("", "app")``."""
    network, slash, app = ref.partition("/")
    return (network, app) if slash else ("", network)
