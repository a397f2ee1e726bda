"""Tokens and codes: how they are made, and the hash that is kept of them."""

from __future__ import annotations

import hashlib
import re
import secrets

ACCESS = "rig_at."
REFRESH = "rig_rt."
DEVICE = "rig_dc."
SERVICE = "rig_st."
"""Prefixes of tokens, by which scanners recognise a leaked one. 43 characters of base64url follow: 256 bits."""

CODE_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
"""The code of an invitation link, and what guards the forms of a browser."""

# RFC 8628, section 6.1: no vowels, so that no word appears; 20^8 is 34 bits, guarded by throttling and 10 minutes.
_USER_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


def new_token(prefix: str) -> str:
    """A token of 256 random bits after ``prefix``."""
    return prefix + secrets.token_urlsafe(32)


def new_code() -> str:
    """256 random bits, as :data:`CODE_PATTERN` has them."""
    return secrets.token_urlsafe(32)


def new_user_code() -> str:
    """Eight letters to type, as ``WDJB-MJHT``."""
    letters = "".join(secrets.choice(_USER_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def normal_user_code(typed: str) -> str:
    """What was typed, in the form of `new_user_code`: case, spaces and hyphens do not matter."""
    letters = re.sub(r"[^A-Z]", "", typed.upper())
    return f"{letters[:4]}-{letters[4:]}"


def digest(secret: str) -> bytes:
    """SHA-256. A plain hash is enough for 256 random bits: there is nothing to guess. Passphrases get scrypt."""
    return hashlib.sha256(secret.encode()).digest()
