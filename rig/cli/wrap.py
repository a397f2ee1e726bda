"""Prose that fits a terminal: broken between words, where the terminal itself would break in the middle of them."""

from __future__ import annotations

import os
from typing import TextIO

WORD = r"(?:`[^`]*`|\S)+"
"""What stays in one piece: a word, and a command in backticks, so that it can be copied."""


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal behind ``stream``; 0 where there is none, or it does not say."""
    if not stream.isatty():
        return 0
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def wrapped(text: str, width: int, *, hang: int = 0) -> str:
    """``text`` in lines of at most ``width`` columns, 0 for no limit.

    A line goes on below where it began, ``hang`` columns further right. A word that is longer than a line stays where
    it is and in one piece, for the terminal to break: an address can be copied then.
    """
    if not width or (len(text) <= width and text.isascii()):
        return text
    return "\n".join(_wrapped(line, width, hang) for line in text.split("\n"))


def _wrapped(line: str, width: int, hang: int) -> str:
    import re  # few lines are too long, and the import costs more than all of them

    from rig.cli.tables import columns

    if columns(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")) + hang)
    lines = [""]
    room, end = width, 0
    for word in re.finditer(WORD, line):
        piece = line[end : word.end()]  # with the blanks before it, as they stand
        if lines[-1].strip() and columns(piece) > room and columns(word.group()) <= width - len(indent):
            lines.append(indent)
            room, piece = width - len(indent), word.group()
        lines[-1] += piece
        room -= columns(piece)
        if room < 0:  # the terminal has gone on in a line of its own
            room %= width
        end = word.end()
    return "\n".join(lines)
