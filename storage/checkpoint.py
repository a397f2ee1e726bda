"""Checkpoints: C2SP tlog-checkpoint in C2SP signed-note form, signed with Ed25519 (RFC 8032).

A checkpoint is a text of three lines, the journal's origin, its size and its root in base64, then an empty line and the
signatures, each ``— NAME BASE64(key id ‖ signature)``. A signature covers the text with its last newline. Lines of keys
that are not known are ignored, as the specification asks: this is where a witness adds its own.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from storage.merkle import HASH_SIZE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
"""The signature type of C2SP signed-note."""
COSIGNATURE = b"\x04"
"""The signature type of C2SP tlog-cosignature."""
MAX_NOTE = 16_384
KEPT_EVERY = 1024
"""Beside the newest, the checkpoint at every multiple of this size is kept."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed note. ``root`` are 32 bytes, ``note`` is the whole text with its signatures. Nothing is verified yet."""

    origin: str
    size: int
    root: bytes
    note: str


def base64(data: bytes) -> str:
    """RFC 4648, section 4. (The `base64` module costs `re` at start-up.)"""
    return b2a_base64(data, newline=False).decode()


def unbase64(text: str) -> bytes:
    """The inverse of :func:`base64`; raises `ValueError` for anything that it would not have written."""
    try:
        data = a2b_base64(text.encode(), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as error:
        raise ValueError(f"not base64: {error}") from error
    if base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """Four bytes that tell which key made a signature."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def verifier_key(name: str, public: bytes, kind: bytes = ED25519) -> str:
    """The public key as text, ``NAME+KEYID+BASE64``, by which others check what it signs."""
    return f"{name}+{key_id(name, public, kind).hex()}+{base64(kind + public)}"


def parse_verifier_key(text: str, kind: bytes = ED25519) -> tuple[str, bytes]:
    """Name and 32-byte public key of a verifier key. Raises `ValueError`."""
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    data = unbase64(encoded)
    if not name or len(data) != 33 or data[:1] != kind:
        raise ValueError("not an Ed25519 verifier key")
    if key_id(name, data[1:], kind).hex() != identifier:
        raise ValueError("the key id does not belong to the key")
    return name, data[1:]


def sign(key: Ed25519PrivateKey, public: bytes, origin: str, size: int, root: bytes) -> Checkpoint:
    """A checkpoint over a tree, signed by the journal's own key."""
    text = f"{origin}\n{size}\n{base64(root)}\n"
    signature = base64(key_id(origin, public) + key.sign(text.encode()))
    return Checkpoint(origin=origin, size=size, root=root, note=f"{text}\n— {origin} {signature}\n")


def parse(note: str) -> Checkpoint:
    """Read a note. Raises `ValueError` where it is no checkpoint."""
    text, lines = _split(note)
    origin, size, root = [*text.split("\n"), "", "", ""][:3]
    if not origin or not lines:
        raise ValueError("not a checkpoint: the origin or the signature is missing")
    if not (size.isascii() and size.isdigit()) or len(size) > 18 or str(int(size)) != size:
        raise ValueError("not a checkpoint: the size is no number")
    digest = unbase64(root)
    if len(digest) != HASH_SIZE:
        raise ValueError("not a checkpoint: the root is not 32 bytes")
    return Checkpoint(origin=origin, size=int(size), root=digest, note=note)


def verify(note: str, name: str, public: bytes) -> bool:
    """Whether the note carries a good signature of the key ``name``, ``public`` (32 bytes)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        text, lines = _split(note)
        own = key_id(name, public)
        for line in lines:
            signer, _, encoded = line.removeprefix("— ").partition(" ")
            data = unbase64(encoded)
            if line.startswith("— ") and signer == name and data[:4] == own:
                # The first line of a known key decides: a bad signature is never outvoted.
                Ed25519PublicKey.from_public_bytes(public).verify(data[4:], text.encode())
                return True
    except (ValueError, InvalidSignature):
        return False
    return False


def _split(note: str) -> tuple[str, list[str]]:
    """The signed text with its last newline, and the signature lines."""
    if len(note) > MAX_NOTE:
        raise ValueError("the note is too long")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise ValueError("not a signed note")
    return text + "\n", tail[:-1].split("\n")
