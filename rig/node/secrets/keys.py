"""The node's own key, under which the data keys of its networks are wrapped: a file of mode 0600.

While it is being rotated the file holds two keys, the new one first, so that a node which is killed in between can
read everything.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import write_atomic

KEY_SIZE = 32


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    keys: list[str]


def key_id(key: bytes) -> str:
    """How a key is named beside what it wraps: nothing of it can be told from that."""
    return hashlib.sha256(b"rig node key v1" + key).hexdigest()[:16]


class NodeKeys:
    """The keys of the file: the first one wraps, all of them unwrap."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exist(self) -> bool:
        return self._path.exists()

    def load(self) -> list[bytes]:
        """The keys; the first one is made where there is none. Raises `RigError` ``bad_config``."""
        if not self._path.exists():
            self.save([secrets.token_bytes(KEY_SIZE)])
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
            keys = [base64.b64decode(key, validate=True) for key in file.keys]
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise RigError("bad_config", f"The node's key {self._path} cannot be read: {error}.", _RESTORE) from error
        if not keys or any(len(key) != KEY_SIZE for key in keys):
            raise RigError("bad_config", f"The node's key {self._path} is damaged.", _RESTORE)
        return keys

    def save(self, keys: list[bytes]) -> None:
        file = _File(1, [base64.b64encode(key).decode() for key in keys])
        write_atomic(self._path, msgspec.json.encode(file) + b"\n")


_RESTORE = "Restore it from a backup: without it no secret of this node can be read. If there is none, remove it."
