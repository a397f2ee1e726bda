"""Tables of plain columns.

Drawn here and not by rich: of columns that do not fit rich may leave any to nothing, the names among them, and its
import takes as long as the rest of the command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rig.cli.text import printable

GAP = "  "
WRAPPED = 14
"""Columns down to which the last column gives way before any other is cut."""
NARROWEST = 6
"""Columns of text that a cell keeps, however narrow the terminal is."""


def draw(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int, color: bool) -> str:
    """The table as text, ``width`` columns wide at most, 0 for as wide as it gets.

    Where it is too wide, the last column gives way first and goes on in the next line; then the others are cut with an
    ellipsis, the widest first. The first column names the thing, and is never cut.
    """
    cells = [[printable(str(value)).replace("\n", " ").replace("\t", " ") for value in row] for row in rows]
    natural = [max(map(columns, column)) for column in zip(headers, *cells, strict=True)]
    widths = fit(natural, width) if width else natural
    head = _line(headers, widths)
    lines = [f"\x1b[1m{head}\x1b[0m" if color else head, *(line for row in cells for line in _lines(row, widths))]
    return "\n".join(lines) + "\n"


def fit(natural: Sequence[int], width: int) -> list[int]:
    """Widths of columns that fit together, each at most its natural one."""
    widths = list(natural)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if excess > 0 and len(widths) > 1:
        given = max(0, min(excess, widths[-1] - WRAPPED))
        widths[-1] -= given
        excess -= given
    while excess > 0 and len(widths) > 1:
        widest = max(range(1, len(widths)), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: ideographs take two, combining marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _lines(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row; more than one line where its last cell is wrapped."""
    *others, last = cells
    if columns(last) <= widths[-1]:
        return [_line(cells, widths)]
    from textwrap import wrap

    wrapped = wrap(last, widths[-1]) or [""]
    blank = [""] * len(others)
    return [_line([*(blank if i else others), part], widths) for i, part in enumerate(wrapped)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(_cell(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(text: str, width: int) -> str:
    if columns(text) > width:
        while columns(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - columns(text))
