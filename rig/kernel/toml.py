"""Reading TOML that somebody wrote, in time that grows with the text alone."""

from __future__ import annotations

from typing import Any

PARTS = 64
"""Of a key with dots, more than anybody writes: what Python's reader takes grows with the square of their number."""


def loads(text: str) -> dict[str, Any]:
    """What a document says.

    Raises `ValueError` for what is no TOML (`tomllib.TOMLDecodeError`, or for a number with too many digits), and
    `RecursionError` for what is nested without end.
    """
    import tomllib

    if is_dotted_without_end(text):
        raise RecursionError("a key in it has too many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise RecursionError("its tables or lists are nested too deeply") from None


def is_dotted_without_end(text: str) -> bool:
    """Whether a key has more than `PARTS` parts. It is told in time that grows with the text alone."""
    import re

    # What was matched is never given back (`++`), and no match begins within a word.
    part = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
    return re.search(rf"(?:{part}){{{PARTS}}}", text) is not None
