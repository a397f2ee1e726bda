"""What a release is made of, as facts and the contract share it."""

from __future__ import annotations

import msgspec


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """Which release of another app a release has its build from."""

    app: str
    version: int
    build: str
    """Its id there."""
