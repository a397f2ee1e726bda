"""The key of a journal: what it signs its checkpoints with, and what it digests secrets with.

One file of mode 0600 beside the database, made once, by exactly one of the processes that try, and before the database
itself. It also fixes the journal's origin, so that the database cannot claim to be another one.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import sync_folder
from storage.checkpoint import base64, key_id, unbase64, verifier_key
from storage.files import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_SIZE = 32


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file, as JSON. Both keys are 32 bytes in base64."""

    version: int
    origin: str
    signing: str
    digest: str


class Keys:
    """The keys of one journal, in memory."""

    def __init__(self, origin: str, signing: bytes, digest: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.origin = origin
        self.private: Ed25519PrivateKey = Ed25519PrivateKey.from_private_bytes(signing)
        self.public: bytes = self.private.public_key().public_bytes_raw()
        self._digest = digest

    @property
    def key_id(self) -> str:
        """Eight hexadecimal digits that stand in every signature."""
        return key_id(self.origin, self.public).hex()

    @property
    def verifier(self) -> str:
        """The public half, as C2SP signed-note writes it."""
        return verifier_key(self.origin, self.public)

    def digest_secret(self, value: str | bytes) -> str:
        """HMAC-SHA-256 under the journal's own key: equal values are seen to be equal, and nothing else is."""
        import hmac

        return hmac.digest(self._digest, value.encode() if isinstance(value, str) else value, "sha256").hex()


def load(path: str) -> Keys | None:
    """The keys in the file ``path``; None where there is none. Raises `RigError` where it cannot be trusted or read."""
    try:
        with open(path, "rb") as file:
            if sys.platform != "win32" and os.fstat(file.fileno()).st_mode & 0o077:
                raise RigError(
                    "journal_unavailable",
                    f"Others can read the journal's key, {path}, and could sign in its name.",
                    f"Run `chmod 600 {path}`, and `rig journal verify` after it.",
                )
            data = file.read(4096)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RigError(
            "journal_unavailable",
            f"The journal's key {path} cannot be read: {error.strerror}.",
            f"Give its owner access again: `chmod 600 {path}`.",
        ) from error
    try:
        content = msgspec.json.decode(data, type=_File)
        signing, digest = unbase64(content.signing), unbase64(content.digest)
        if content.version != 1 or len(signing) != KEY_SIZE or len(digest) != KEY_SIZE or not content.origin:
            raise ValueError("it is of another version or length")
        return Keys(content.origin, signing, digest)
    except ValueError as error:
        raise RigError(
            "journal_unavailable",
            f"The journal's key {path} is damaged: {error}.",
            "Put the file back from a backup; without it the journal cannot be continued.",
        ) from error


def create(path: str, name: str) -> None:
    """Make the key file of a new journal, unless it is there. Raises `OSError`.

    The origin is ``rig/NAME/`` and 64 random bits: a name without spaces and plus signs, as a signed note asks.
    """
    content = _File(
        version=1,
        origin=f"rig/{name}/{os.urandom(8).hex()}",
        signing=base64(os.urandom(KEY_SIZE)),
        digest=base64(os.urandom(KEY_SIZE)),
    )
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        write_private(temporary, msgspec.json.encode(content))
        # A link, unlike a rename, fails where the name exists: of several processes, the first one's key stays.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    sync_folder(os.path.dirname(path))
