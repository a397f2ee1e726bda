"""Times, sizes and names as people read them. Machines get RFC 3339, bytes and ``user:ana``."""

from __future__ import annotations

import time

UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def moment(rfc3339: str) -> str:
    """``2026-11-01T12:00:00.123Z`` → ``2026-11-01 12:00:00Z``."""
    return rfc3339[:19].replace("T", " ") + "Z" if rfc3339 else ""


def minute(rfc3339: str) -> str:
    """``2026-11-01T12:00:00.123Z`` → ``2026-11-01 12:00Z``."""
    return rfc3339[:16].replace("T", " ") + "Z" if rfc3339 else ""


def brief(rfc3339: str, now: float | None = None) -> str:
    """``2026-11-01T12:00:00.123Z`` → ``11-01 12:00Z`` in the same year, else as :func:`minute`."""
    year = time.gmtime(now).tm_year
    return minute(rfc3339).removeprefix(f"{year}-")


def ago(rfc3339: str, now: float | None = None) -> str:
    """``2026-11-01T12:00:00.123Z`` → ``3 min ago``."""
    if not rfc3339:
        return ""
    import calendar

    then = calendar.timegm(time.strptime(rfc3339[:19], "%Y-%m-%dT%H:%M:%S"))
    return span(max(0, int((time.time() if now is None else now) - then))) + " ago"


def span(seconds: int) -> str:
    """90 → ``1 min``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """1536 → ``1.5 KiB``."""
    if count < 1024:
        return f"{count} B"
    unit, length = next(each for each in UNITS if count >= each[1])
    return f"{count / length:.1f} {unit}"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 file``, ``2 files``; ``2 entries`` where the plural is given."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def duration(milliseconds: int) -> str:
    """1234 → ``1.2 s``."""
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def who(actor: str) -> str:
    """``ana`` for ``user:ana``, ``node`` for the platform itself; the kinds of others are said."""
    return actor.removeprefix("user:").removeprefix("system:")


def scope(network: str) -> str:
    """Where a role or a token is good: ``network demo``, or ``the whole platform`` for `*`."""
    return "the whole platform" if network == "*" else f"network {network}"
