"""Passphrases, kept as scrypt (RFC 7914)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import unicodedata

import msgspec

from rig.kernel.errors import RigError

MIN_LENGTH = 10
MAX_LENGTH = 1000


class Scrypt(msgspec.Struct, frozen=True):
    """Cost of a hash: ``128 * r * n`` bytes of memory, ``p`` passes. 32 MiB and three passes are the figures that
    OWASP's password storage cheat sheet gives for n = 2^15."""

    n: int = 1 << 15
    r: int = 8
    p: int = 3

    def derive(self, passphrase: str, salt: bytes) -> bytes:
        # NFKC, because the same letter can be typed in more than one way (NIST SP 800-63B, 5.1.1.2).
        text = unicodedata.normalize("NFKC", passphrase).encode()
        with _slots:
            return hashlib.scrypt(
                text, salt=salt, n=self.n, r=self.r, p=self.p, dklen=32, maxmem=256 * self.r * self.n + (1 << 20)
            )


_slots = threading.BoundedSemaphore(2)
"""So that many logins at once cannot take the machine's memory."""


def make(passphrase: str, cost: Scrypt) -> str:
    """``scrypt$n$r$p$salt$hash``, the last two in base64."""
    salt = os.urandom(16)
    parts = (salt, cost.derive(passphrase, salt))
    return "$".join(["scrypt", str(cost.n), str(cost.r), str(cost.p), *(base64.b64encode(p).decode() for p in parts)])


def check(passphrase: str, kept: str, cost: Scrypt) -> bool:
    """Whether it is the one that was kept. Without one (``kept`` empty) it takes as long and says no, so that the time
    does not tell whether there is such a person."""
    if not kept:
        cost.derive(passphrase, b"\0" * 16)
        return False
    _, n, r, p, salt, expected = kept.split("$")
    derived = Scrypt(int(n), int(r), int(p)).derive(passphrase, base64.b64decode(salt))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def require_good(passphrase: str, name: str) -> None:
    """Refuse what is too easy to guess. Length is the rule; composition rules make worse passphrases
    (NIST SP 800-63B, 5.1.1.2)."""
    problem = ""
    if len(passphrase) < MIN_LENGTH:
        problem = f"it has {len(passphrase)} characters, and {MIN_LENGTH} is the least"
    elif len(passphrase) > MAX_LENGTH:
        problem = f"it is longer than {MAX_LENGTH} characters"
    elif len(set(passphrase)) < 5:
        problem = "it repeats the same few characters"
    elif passphrase.strip().lower() in {name.lower(), f"{name.lower()}{name.lower()}"}:
        problem = "it is the name itself"
    if problem:
        raise RigError("invalid_data", f"This passphrase will not do: {problem}.", "Four unrelated words are good.")
