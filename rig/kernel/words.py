"""What is said in the same way wherever it is said."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5


def some_of(texts: Sequence[str], at_most: int = NAMED, separator: str = ", ") -> str:
    """All of a few texts; of many the first ones, and how many more there are: ``a, b and 3 more``."""
    more = len(texts) - at_most
    if more <= 0:
        return separator.join(texts)
    before = "" if separator == ", " else separator.rstrip()
    return f"{separator.join(texts[:at_most])}{before} and {more} more"


def whose(app: str, network: str) -> str:
    """How a command line says whose variables are meant: ``demo/shop``, or ``--network demo``."""
    return f"--network {network}" if network else app
