"""The bootstrap secret: whoever can read it is the owner of the node."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from rig.kernel.errors import RigError


def bootstrap_secret(path: Path) -> str:
    """The secret in ``path``, made there (0600) if there is none. Raises `RigError` ``bad_config`` where others could
    read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _make(path)
    with os.fdopen(handle, encoding="ascii") as file:
        mode = os.fstat(file.fileno())
        if stat.S_IMODE(mode.st_mode) & 0o077 or mode.st_uid != os.getuid():
            raise RigError(
                "bad_config",
                f"{path} must belong to you, and to nobody else: it is the key to the whole node.",
                f"Delete it, and start the node again to get a new one: `rm {path}`.",
            )
        secret = file.read(1000).strip()
    if len(secret) < 43:
        raise RigError(
            "bad_config", f"{path} does not hold a bootstrap secret.", f"Delete it and start again: `rm {path}`."
        )
    return secret


def _make(path: Path) -> str:
    """Written aside and linked into place, so that nobody ever reads half of it and two starts agree on one."""
    secret = secrets.token_urlsafe(32)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return bootstrap_secret(path)
    finally:
        os.unlink(aside)
    return secret
