"""Sizes of memory, as people write them and in bytes. K, M and G are powers of 1024."""

from __future__ import annotations

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
NONE = "none"
"""How no limit is written; in bytes it is 0."""


def bytes_of(size: str) -> int:
    """``512M`` → 536870912, ``none`` → 0. ``size`` follows `rig.contract.names.SIZE_PATTERN`."""
    if size == NONE:
        return 0
    digits = size.rstrip("KMG")
    return int(digits) * UNITS[size[len(digits) :]]


def size_of(count: int) -> str:
    """The shortest way to write a number of bytes: 536870912 → ``512M``, 0 → ``none``."""
    if not count:
        return NONE
    unit = next(unit for unit in reversed(UNITS) if count % UNITS[unit] == 0)
    return f"{count // UNITS[unit]}{unit}"
