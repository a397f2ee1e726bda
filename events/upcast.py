"""Old shapes of facts, converted on read.

When the shape of a fact changes, its class gets the next ``sv`` and this table one pure function for the version that
was: it takes the old body as JSON values and gives the next version's. They run one after the other up to the current
version. Nothing that was written is ever rewritten, so an entry never goes away; ``tests/storage/golden`` keeps one
record of every shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Body = dict[str, Any]
Upcaster = Callable[[Body], Body]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type, sv) → the function that gives the body of sv + 1."""


def upcast(
    type_: str, sv: int, body: Body, current: int, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> Body:
    """The body of ``type_`` as version ``current`` has it. Raises `KeyError` where a step is missing."""
    for version in range(sv, current):
        body = upcasters[type_, version](body)
    return body
