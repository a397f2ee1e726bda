"""What is looked at before a TOML file that somebody else wrote is read."""

from __future__ import annotations

PARTS = 64
"""Of a key with dots, more than anybody writes: what Python's reader takes grows with the square of their number."""


def is_dotted_without_end(text: str) -> bool:
    """Whether a key has more than `PARTS` parts. It is told in time that grows with the text alone."""
    import re

    # What was matched is never given back (`++`), and no match begins within a word.
    part = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
    return re.search(rf"(?:{part}){{{PARTS}}}", text) is not None
