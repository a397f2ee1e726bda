"""Hides the values of secrets in text that is kept or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

SHORTEST = 4
"""Characters of a value, or of a line of one, that is looked for: a shorter one stands in too many other words."""


class Mask:
    """Replaces each value that occurs verbatim by the name of its secret; of values of several lines, each line."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._names: dict[str, str] = {}
        for name, value in sorted((secrets or {}).items()):
            for part in (value, *value.splitlines()):
                if len(part.strip()) >= SHORTEST:
                    self._names.setdefault(part.strip(), name)
        # The longest first: one value may be the beginning of another.
        parts = sorted(self._names, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, parts))) if parts else None

    def __call__(self, text: str) -> str:
        if self._found is None:
            return text
        return self._found.sub(lambda found: f"[secret {self._names[found[0]]}]", text)
