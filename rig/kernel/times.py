"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

from rig.kernel.errors import RigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS = 1_000_000_000


def instant(text: str, now: int, flag: str) -> int:
    """Nanoseconds since the epoch of ``2h`` (that long before ``now``) or of an RFC 3339 date or time, UTC by default.

    ``flag`` is named in the `RigError` ``usage`` that anything else raises.
    """
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1] in _UNITS:
        return now - int(text[:-1]) * _UNITS[text[-1]] * _NS
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp()) * _NS + aware.microsecond * 1000
    except (ValueError, OverflowError) as error:
        raise RigError(
            "usage",
            f"{flag} {text} is no time: {error}.",
            f"Write `{flag} 2h` or `{flag} 2026-11-01T12:00:00Z`.",
        ) from error
