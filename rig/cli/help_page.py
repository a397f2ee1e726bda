"""The page that `rig deploy --help` prints: in the manner of `rig --help`, made from the command's own words."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterable, Mapping
from textwrap import fill, wrap

from rig.cli.fields import Field
from rig.cli.globals import PREFIX
from rig.contract.base import Command

HELP_FLAGS = ("--help", "-h")
WIDEST = 100
"""Columns beyond which lines of text are hard to read."""
LEFT = 30
"""Columns that flags may take before their text begins in the line below them."""


def page_width() -> int:
    """Columns that a page takes on this terminal."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def help_page(command: type[Command], fields: Mapping[str, Field], prog: str) -> str:
    """The whole page."""
    width = page_width()
    arguments = [field for field in fields.values() if field.option.positional]
    options = [field for name, field in fields.items() if not field.option.positional and not name.startswith(PREFIX)]
    everywhere = [field for name, field in fields.items() if name.startswith(PREFIX)]
    parts = [
        *(fill(" ".join(text.split()), width) for text in (inspect.getdoc(command) or "").split("\n\n")),
        fill(f"Usage: {usage(prog, fields.values())}", width, subsequent_indent="  ", break_on_hyphens=False),
        section("Arguments", ((field.label, _text(field)) for field in arguments), width),
        section("Options", ((_left(field), _text(field)) for field in options), width),
        section(
            "Everywhere",
            [*((_left(field), _text(field)) for field in everywhere), (_flags(HELP_FLAGS), "Show this page.")],
            width,
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def usage(prog: str, fields: Iterable[Field]) -> str:
    """``rig create member NETWORK NAME [OPTIONS]``: arguments, then the options that cannot be left out."""
    named = sorted((f for f in fields if f.option.positional or not f.optional), key=lambda f: not f.option.positional)
    return " ".join([prog, *map(_usage, named), "[OPTIONS]"])


def _usage(field: Field) -> str:
    if not field.option.positional:
        return f"{field.flags[0]} {field.metavar}"
    shown = field.label + ("..." if field.many else "")
    return f"[{shown}]" if field.optional else shown


def _left(field: Field) -> str:
    return f"{_flags(field.flags)} {field.metavar}".rstrip()


def _flags(flags: tuple[str, ...]) -> str:
    """``-m, --message``; the long ones stand below each other."""
    short = [flag for flag in flags if not flag.startswith("--")]
    long = [flag.replace("/", ", ") for flag in flags if flag.startswith("--")]
    return ", ".join([*(short or ["  "]), *long]).replace("  , ", "    ", 1)


def _text(field: Field) -> str:
    """What a field is for, and its default where that says something."""
    return field.help + (f" [default: {field.shown_default}]" if field.shown_default else "")


def section(title: str, rows: Iterable[tuple[str, str]], width: int) -> str:
    """Flags to the left, their text beside them; below them where the page is narrow or the flags are long."""
    rows = list(rows)
    if not rows:
        return ""
    widest = max((len(left) for left, _ in rows if len(left) <= LEFT), default=20)
    indent = 4 + widest if width >= 2 * (4 + widest) else 8
    lines = [f"{title}:"]
    for left, text in rows:
        wrapped = wrap(text, width - indent, break_on_hyphens=False)
        if len(left) + 4 <= indent:
            lines.append(f"  {left:<{indent - 4}}  {wrapped.pop(0)}" if wrapped else f"  {left}")
        else:
            lines.append(f"  {left}")
        lines += [" " * indent + part for part in wrapped]
    return "\n".join(lines)
