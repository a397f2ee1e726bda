"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from rig.contract.times import Moment, Time
from rig.kernel.errors import RigError
from rig.kernel.times import instant

NOW = datetime(2026, 11, 20, 5, 30, 15, tzinfo=UTC)
"""A Friday."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-20T05:30:15"),
        ("90s", "2026-11-20T05:28:45"),
        ("2d", "2026-11-18T05:30:15"),
        ("1w", "2026-11-13T05:30:15"),
        ("today", "2026-11-20T00:00:00"),
        ("yesterday", "2026-11-19T00:00:00"),
        ("08:50", "2026-11-20T08:50:00"),
        ("08:50:30Z", "2026-11-20T08:50:30"),
        ("08:50+01:00", "2026-11-20T07:50:00"),
        ("fri", "2026-11-20T00:00:00"),
        ("thu", "2026-11-19T00:00:00"),
        ("sat", "2026-11-14T00:00:00"),
        ("mon 12:00", "2026-11-16T12:00:00"),
        ("yesterday 23:59:59", "2026-11-19T23:59:59"),
        ("monT12:00+02:00", "2026-11-16T10:00:00"),
        ("Monday", "2026-11-16T00:00:00"),
        ("friday 04:00", "2026-11-20T04:00:00"),
        ("Yesterday", "2026-11-19T00:00:00"),
        ("2026-11-12T12:00+0130", "2026-11-12T10:30:00"),
        ("2026-11-12", "2026-11-12T00:00:00"),
        ("2026-11-12T12:00Z", "2026-11-12T12:00:00"),
    ],
)
def test_a_time_in_words_or_figures(text: str, expected: str) -> None:
    assert msgspec.convert(text, Time) == msgspec.convert(text, Moment) == text
    found = instant(text, int(NOW.timestamp()) * 1_000_000_000, "--since")
    assert datetime.fromtimestamp(found / 1_000_000_000, UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["tomorrow", "mond", "MON", "mon12:00", "v3", "1200", "8:50", "12:00:0", "now ", "today\n"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Time)


@pytest.mark.parametrize("text", ["mon 25:00", "2026-02-30", "today 1:2:3:4"])
def test_a_time_that_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(RigError) as refused:
        instant(text, int(NOW.timestamp()) * 1_000_000_000, "--since")
    assert refused.value.code == "usage"


@pytest.mark.parametrize(("kind", "good"), [(Moment, True), (Time, False)])
def test_a_moment_may_be_a_release(kind: Any, good: bool) -> None:
    if good:
        assert msgspec.convert("v12", kind) == "v12"
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert("v12", kind)
