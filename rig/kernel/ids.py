"""Identifiers and times."""

from __future__ import annotations

import os
import time


def uuid7(at_ns: int | None = None) -> str:
    """A UUIDv7 (RFC 9562, section 5.7): milliseconds since the epoch, then 74 random bits. It sorts by time."""
    ms = (time.time_ns() if at_ns is None else at_ns) // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def rfc3339(at_ns: int) -> str:
    """Nanoseconds since the epoch → ``2026-11-01T12:00:00.123Z``; 0 → an empty string."""
    if not at_ns:
        return ""
    seconds, nanos = divmod(at_ns, 1_000_000_000)
    t = time.gmtime(seconds)
    return (
        f"{t.tm_year:04d}-{t.tm_mon:02d}-{t.tm_mday:02d}T"
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}.{nanos // 1_000_000:03d}Z"
    )


class SystemClock:
    """The wall clock, as it is."""

    def now(self) -> int:
        return time.time_ns()
