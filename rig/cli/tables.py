"""Tables of plain columns.

Drawn here and not by rich: of columns that do not fit rich may leave any to nothing, the names among them, and its
import takes as long as the rest of the command.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from rig.cli.text import printable

GAP = "  "
WRAPPED = 14
"""Columns down to which the last column gives way before any other is cut."""
NARROWEST = 6
"""Columns of text that a cell keeps, however narrow the terminal is."""
SLIM = 72
"""Columns of a terminal below which a row that does not fit is a block of lines, one for each cell. So is, on any
terminal, one whose columns do not fit however much they are cut."""


def draw(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int, color: bool, whole: Container[str] = ()
) -> str:
    """The table as text, ``width`` columns wide at most, 0 for as wide as it gets.

    Where it is too wide, the last column gives way first and goes on in the next line; then the others are cut with an
    ellipsis, the widest first. Those whose cells are all of one length, as times are, come last of all, since a part of
    such a cell says nothing, and with them the columns whose headers ``whole`` has. The first column names the thing,
    and is never cut.
    """
    cells = [[_in_a_line(str(value)) for value in row] for row in rows]
    natural = [max(map(columns, column)) for column in zip(headers, *cells, strict=True)]
    widths = natural
    if width:
        uniform = {
            i
            for i, (header, *cell) in enumerate(zip(headers, *cells, strict=True))
            if header in whole or len(set(map(columns, cell))) == 1 < len(cell)
        }
        widths = fit(natural, width, uniform)
        too_wide = sum(widths) + len(GAP) * (len(widths) - 1) > width
        if too_wide or (width < SLIM and (widths[:-1] != natural[:-1] or _breaks_words(cells, widths[-1]))):
            return _blocks(headers, cells, width)
    head = _line(headers, widths)
    lines = [f"\x1b[1m{head}\x1b[0m" if color else head, *(line for row in cells for line in _lines(row, widths))]
    return "\n".join(lines) + "\n"


def fit(natural: Sequence[int], width: int, uniform: Container[int] = ()) -> list[int]:
    """Widths of columns that fit together, each at most its natural one; ``uniform`` ones give way last."""
    widths = list(natural)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if excess > 0 and len(widths) > 1:
        given = max(0, min(excess, widths[-1] - WRAPPED))
        widths[-1] -= given
        excess -= given
    while excess > 0:
        wide = [i for i in range(1, len(widths)) if widths[i] > NARROWEST]
        if not wide:
            break
        widest = max([i for i in wide if i not in uniform] or wide, key=widths.__getitem__)
        widths[widest] -= 1
        excess -= 1
    return widths


def aligned(cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    """One line of a table whose other rows are not known yet.

    ``widths`` are those of all columns but the last one, which has what is left of ``width``; where there is no limit
    to that (0), nothing is cut.
    """
    shown = [_in_a_line(cell) for cell in cells]
    if not width:
        return GAP.join(f"{cell:<{size}}" for cell, size in zip(shown, (*widths, 0), strict=True)).rstrip()
    rest = max(1, width - sum(widths) - len(GAP) * len(widths))
    return _line(shown, (*widths, rest))


def _in_a_line(text: str) -> str:
    return printable(text).replace("\n", " ").replace("\t", " ")


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: ideographs take two, combining marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _breaks_words(cells: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the last column would go on in the middle of a word, as of an address."""
    return any(columns(word) > width for row in cells for word in row[-1].split())


def _blocks(headers: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> str:
    """Each row as lines of its own, ``NAME  value``, for a terminal on which columns have no room."""
    from textwrap import wrap

    names = max(map(columns, headers))
    room = max(width - names - len(GAP), WRAPPED)
    blocks = []
    for row in cells:
        lines = []
        for header, cell in zip(headers, row, strict=True):
            # A long word is left whole, so that an address can be copied from the lines that the terminal makes of it.
            for i, part in enumerate(wrap(cell, room, break_long_words=False, break_on_hyphens=False)):
                lines.append(_cell("" if i else header, names) + GAP + part)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


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
