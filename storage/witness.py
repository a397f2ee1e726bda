"""Witnessing the journals of clients: a checkpoint is countersigned only if it continues the one before it.

What is kept of a journal is its size and its tree. A client that sends the hashes of what it has appended since shows
that nothing before them was changed; so a journal that was rewritten, or set back to an older copy, is found out by the
platform even where its own pin was taken away. The cosignature is C2SP tlog-cosignature, ``cosignature/v1``.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import private_folder, write_atomic
from storage import keys
from storage.checkpoint import COSIGNATURE, base64, key_id, parse, parse_verifier_key, unbase64, verifier_key, verify
from storage.merkle import Frontier

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Witnessed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of one journal."""

    size: int
    frontier: str
    note: str
    """The checkpoint with the cosignature."""


class Witness:
    """Countersigns with the key of the platform's own journal. One file for each journal in ``folder``.

    Not safe for several at once: the node asks it in the one thread in which it decides.
    """

    def __init__(self, folder: str, key_path: str) -> None:
        self._folder = folder
        self._key_path = key_path

    @property
    def verifier(self) -> str:
        """The key of the cosignatures, as text."""
        signer = self._signer()
        return verifier_key(signer.origin, signer.public, COSIGNATURE)

    def countersign(
        self, key: str, checkpoint: str, *, old_size: int, leaves: list[str], frontier: str, at: int
    ) -> Witnessed:
        """Witness the checkpoint of the journal whose verifier key is ``key``, ``at`` nanoseconds.

        Raises `RigError` ``invalid_data``; ``conflict`` where ``old_size`` is not the size witnessed last, which
        ``details`` give; ``journal_forked`` where the checkpoint does not continue it.
        """
        origin, public = parse_verifier_key(key)
        try:
            noted = parse(checkpoint)
        except ValueError as error:
            raise RigError("invalid_data", f"The checkpoint cannot be read: {error}.") from error
        if noted.origin != origin or not verify(checkpoint, origin, public):
            raise RigError("invalid_data", f"The checkpoint does not carry a good signature of `{origin}`.")
        last = self.last(origin)
        tree = _tree(last, noted.size, old_size, frontier)
        for leaf in leaves:
            tree.append(bytes.fromhex(leaf))
        if tree.size != noted.size or tree.root() != noted.root:
            size = last.size if last else 0
            raise RigError(
                "journal_forked",
                f"The checkpoint over {noted.size} records does not continue the one over {size}.",
                "The journal was changed, or replaced by another copy: `rig journal verify`.",
                size=size,
            )
        if last is not None and last.size == noted.size:
            return last
        signer = self._signer()
        line = cosignature(signer.private, signer.public, signer.origin, checkpoint, at // 1_000_000_000)
        made = Witnessed(size=noted.size, frontier=tree.pack().hex(), note=checkpoint + line)
        private_folder(self._folder)
        write_atomic(self._path(origin), msgspec.json.encode(made))
        return made

    def last(self, origin: str) -> Witnessed | None:
        """What was witnessed last of a journal."""
        try:
            with open(self._path(origin), "rb") as file:
                return msgspec.json.decode(file.read(), type=Witnessed)
        except FileNotFoundError:
            return None

    def _path(self, origin: str) -> str:
        return os.path.join(self._folder, f"{sha256(origin.encode()).hexdigest()[:32]}.json")

    def _signer(self) -> keys.Keys:
        signer = keys.load(self._key_path)
        if signer is None:
            raise RigError(
                "journal_unavailable", f"The key {self._key_path} is gone, and without it nothing is signed."
            )
        return signer


def _tree(last: Witnessed | None, size: int, old_size: int, frontier: str) -> Frontier:
    """The tree that the new leaves continue."""
    if last is None:
        if old_size:
            raise RigError("conflict", "Nothing of this journal was witnessed yet.", size=0)
        try:
            return Frontier(size, bytes.fromhex(frontier)) if frontier else Frontier()
        except ValueError as error:
            raise RigError("invalid_data", f"{error}.") from error
    if old_size != last.size or size < last.size:
        raise RigError(
            "conflict",
            f"{last.size} records of this journal were witnessed, and a checkpoint over {size} was sent as what follows"
            f" {old_size}.",
            "Send what follows the checkpoint that was witnessed last.",
            size=last.size,
        )
    return Frontier(last.size, bytes.fromhex(last.frontier))


def cosignature(key: Ed25519PrivateKey, public: bytes, name: str, note: str, at: int) -> str:
    """The line that witnesses ``note``, at ``at`` seconds since the epoch."""
    signed = key.sign(_message(note, at))
    return f"— {name} {base64(key_id(name, public, COSIGNATURE) + at.to_bytes(8, 'big') + signed)}\n"


def cosigned_at(note: str, name: str, public: bytes) -> int:
    """When the witness ``name`` countersigned a note, in seconds since the epoch; 0 where it did not."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    own = key_id(name, public, COSIGNATURE)
    for line in note.rpartition("\n\n")[2].splitlines():
        signer, _, encoded = line.removeprefix("— ").partition(" ")
        try:
            data = unbase64(encoded)
        except ValueError:
            continue
        if signer == name and data[:4] == own and len(data) == 76:
            at = int.from_bytes(data[4:12], "big")
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(data[12:], _message(note, at))
                return at
            except InvalidSignature:
                return 0
    return 0


def _message(note: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{note.rpartition(chr(10) * 2)[0]}\n".encode()
