"""Tables, drawn by rich."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rig.cli.output import printable


def draw(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int, color: bool) -> str:
    """The table as text. ``width`` 0 means as wide as it gets; else wide values are cut with an ellipsis."""
    table = Table(box=None, pad_edge=False, header_style="bold" if color else "", padding=(0, 2, 0, 0))
    for i, header in enumerate(headers):
        # The first column names the thing, and a name that is cut names nothing.
        table.add_column(header, no_wrap=True, overflow="ellipsis" if i else "fold")
    for row in rows:
        table.add_row(*(Text(printable(str(value)).replace("\n", " ")) for value in row))
    sheet = io.StringIO()
    console = Console(file=sheet, width=width or 10_000, force_terminal=color, no_color=not color, highlight=False)
    console.print(table)
    return "".join(line.rstrip() + "\n" for line in sheet.getvalue().splitlines())
