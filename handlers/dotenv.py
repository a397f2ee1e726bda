"""Reads the form of .env: ``NAME=value``, quotes and all. Nothing is expanded: a `$` is a `$`."""

from __future__ import annotations

import re

from rig.contract.names import VARIABLE_PATTERN
from rig.kernel.errors import RigError

_NAME = re.compile(VARIABLE_PATTERN)
_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[^=\s#'"]+)[ \t]*=[ \t]*"""
    r"""(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^'"\n][^\n]*|))"""
    r"""[ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(data: bytes) -> dict[str, str]:
    """Name → value. Raises `RigError` ``invalid_data`` that names the line, and nothing of what stands in it."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise RigError("invalid_data", "The file is not UTF-8.", "Save it as UTF-8.") from error
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank is not None:
            at = max(blank.end(), at + 1)
            continue
        line = _LINE.match(text, at)
        if line is None or not _NAME.match(line["name"]):
            number = text.count("\n", 0, at) + 1
            raise RigError(
                "invalid_data",
                f"Line {number} is not of the form NAME=value.",
                "A name has letters, digits and underscores, no digit first; quotes that open have to close.",
            )
        values[line["name"]] = _value(line)
        at = line.end()
    return values


def _value(line: re.Match[str]) -> str:
    """Single quotes keep everything; double ones know escapes; a bare value ends before a comment."""
    if line["single"] is not None:
        return line["single"]
    if line["double"] is not None:
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), line["double"], flags=re.DOTALL)
    return re.split(r"[ \t]+#|^#", line["bare"])[0].strip()
