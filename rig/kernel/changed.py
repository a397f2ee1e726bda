"""Which settings a fact changes, in the keys of `max.toml` below its network or app. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from events.app import AppLimited, AppScaled, AppScaleReset, memory_key
from events.base import Fact
from events.config import SecretsChanged, VarsChanged

Values = Mapping[str, str | None]
"""Key → its new value, of a secret its digest; None where it was taken away."""


def values_of(fact: Fact) -> Values:
    """What a fact sets, as ``env.COLOR``, ``secrets.DB_URL``, ``processes.web``; nothing for facts of other kinds."""
    match fact:
        case VarsChanged():
            return _named("env", dict.fromkeys(fact.removed), fact.set)
        case SecretsChanged():
            return _named("secrets", dict.fromkeys(fact.removed), {name: ref.digest for name, ref in fact.set.items()})
        case AppLimited():
            gone = {memory_key(process): None for process in fact.before if process not in fact.memory}
            return {**gone, **{memory_key(process): str(limit) for process, limit in fact.memory.items()}}
        case AppScaled():
            return _named("processes", {process: str(count) for process, count in fact.scale.items()})
        case AppScaleReset():
            return _named("processes", dict.fromkeys(fact.processes))
    return {}


def _named(table: str, *values: Values) -> Values:
    return {f"{table}.{name}": value for part in values for name, value in part.items()}
