"""Pages of sorted lists."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from rig.kernel.filtering import Asked, Row, rows_behind


def rows_of(
    keys: Sequence[str], rows: Callable[[str], Sequence[Row]], kind: type[Row], asked: Asked
) -> tuple[list[Row], str]:
    """A page of a list whose ``keys`` are sorted. See `rig.kernel.filtering.rows_behind`."""
    return rows_behind(keys[bisect_right(keys, asked.after) :], rows, kind, asked)
