"""Times as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from rig.kernel.errors import RigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS = 1_000_000_000
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def instant(text: str, now: int, flag: str) -> int:
    """Nanoseconds since the epoch of ``2h`` (that long before ``now``), ``now``, a time of today, a day (``today``,
    ``yesterday``, the latest ``mon``, each with or without a time), or of an RFC 3339 date or time; UTC by default.

    ``flag`` is named in the `RigError` ``usage`` that anything else raises.
    """
    if text == "now":
        return now
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1] in _UNITS:
        return now - int(text[:-1]) * _UNITS[text[-1]] * _NS
    try:
        moment = datetime.fromisoformat(_with_date(text, now))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp()) * _NS + aware.microsecond * 1000
    except (ValueError, OverflowError) as error:
        raise RigError(
            "usage",
            f"{flag} {text} is no time: {error}.",
            f"Write `{flag} 2h`, `{flag} mon` or `{flag} 2026-11-01T12:00:00Z`.",
        ) from error


def _with_date(text: str, now: int) -> str:
    """``mon 12:00`` → ``2026-11-16 12:00``, ``12:00`` → ``2026-11-20T12:00``; a text with a date stays."""
    named = re.match("[A-Z]?[a-z]+", text)
    word = named[0].lower() if named else ""
    today = datetime.fromtimestamp(now // _NS, UTC).date()
    if text[2:3] == ":":
        return f"{today.isoformat()}T{text}"
    if word[:3] in _DAYS:
        back = (today.weekday() - _DAYS.index(word[:3])) % 7
    elif word in {"today", "yesterday"}:
        back = int(word == "yesterday")
    else:
        return text
    return (today - timedelta(days=back)).isoformat() + text[len(word) :]
