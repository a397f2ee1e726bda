"""Optimistic concurrency: who decided on what was read is told what was changed since, by whom, from what to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from events import account as account_stream
from events import app as app_stream
from events import network as network_stream
from events.account import AccountState, TokenCreated
from events.app import AppState, memory_key
from events.base import Fact, Happened
from events.config import ConfigState
from events.network import NetworkState
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded
from rig.kernel.words import some_of
from rig.node.ports import NodeContext

S = TypeVar("S")
NAMED, LISTED = 3, 50
"""How many changes the message names, and how many the details list."""
LONGEST = 100
"""Characters of a value that are told: a variable may have 64 KiB."""


class Kind(msgspec.Struct, Generic[S], frozen=True):
    """How the past of one kind of thing is told."""

    initial: S
    evolve: Callable[[S, Fact, Happened], S]
    revision: Callable[[S], int]
    settings: Callable[[S], dict[str, str]]
    """What can be decided about it, flat: key → value."""
    look: str
    """The command that shows it as it is; `{}` is its name."""


def require_match(kind: Kind[Any], stream: str, name: str, revision: int, expect: int, ctx: NodeContext) -> None:
    """Let a change pass that was decided on what is still so: ``expect`` is the revision that was read, -1 for any.

    Raises `RigError` ``precondition_failed``; its details have ``changed``: ``key``, ``from``, ``to``, ``by``, ``at``.
    """
    if expect in (-1, revision):
        return
    since = changes_since(kind, ctx.journal.stream(stream), expect)
    each = [f"{one['key']} {one['from']} → {one['to']} by {one['by']}, {one['at']}" for one in since]
    told = some_of(each, NAMED, "; ")
    raise RigError(
        "precondition_failed",
        f"`{name}` was changed since it was read{': ' if told else ''}{told}. Nothing was done.",
        f"Look at it again, `{kind.look.format(name)}`, and decide anew.",
        revision=revision,
        changed=since[:LISTED],
    )


def changes_since(kind: Kind[S], records: Iterable[Recorded], revision: int) -> list[dict[str, str]]:
    """What was decided behind a revision, the oldest first."""
    found: list[dict[str, str]] = []
    state = kind.initial
    for record in records:
        after = kind.evolve(state, record.fact, Happened(record.at, record.actor))
        if kind.revision(after) > max(revision, kind.revision(state)):
            old, new = kind.settings(state), kind.settings(after)
            found += [
                {
                    "key": key,
                    "from": _told(old, key),
                    "to": _told(new, key),
                    "by": record.actor,
                    "at": rfc3339(record.at),
                }
                for key in sorted({*old, *new})
                if old.get(key) != new.get(key)
            ]
        state = after
    return found


def _told(settings: dict[str, str], key: str) -> str:
    value = settings.get(key, "none")
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"


def _variables(config: ConfigState) -> dict[str, str]:
    return {f"env.{name}": value for name, value in config.vars.items()} | {
        f"secret.{name}": ref.digest[:12] for name, ref in config.secrets.items()
    }


def _app(state: AppState) -> dict[str, str]:
    if not state.exists:
        return {}
    return {
        "app": "exists",
        "release": f"v{state.last}",
        "stopped": "yes" if state.stopped else "no",
        **{f"scale.{process}": str(count) for process, count in state.scale.items()},
        **{memory_key(process): str(limit) for process, limit in state.memory.items()},
        **_variables(state.config),
    }


def _network(state: NetworkState) -> dict[str, str]:
    if not state.exists:
        return {}
    return {
        "network": "exists",
        "description": state.description or "none",
        "protected": "yes" if state.protected else "no",
        "applied": rfc3339(state.applied.at) if state.applied else "none",
        **_variables(state.config),
    }


def member_of(network: str) -> Kind[AccountState]:
    """How the role of somebody in one network is told."""
    return Kind(
        initial=AccountState(),
        evolve=account_stream.evolve,
        revision=lambda state: state.revisions.get(network, 0),
        settings=lambda state: {"role": state.roles[network]} if network in state.roles else {},
        look=f"rig list members {network if network != '*' else repr(network)}",
    )


class _Token(msgspec.Struct, frozen=True):
    revision: int = 0
    scope: str = ""


def _fold_token(state: _Token, fact: Fact, happened: Happened) -> _Token:
    scope = f"{fact.role} of {fact.network}" if isinstance(fact, TokenCreated) else ""
    return _Token(state.revision + 1, scope)


APPS: Kind[AppState] = Kind(
    initial=AppState(),
    evolve=app_stream.evolve,
    revision=lambda state: state.revision,
    settings=_app,
    look="rig details app {}",
)
NETWORKS: Kind[NetworkState] = Kind(
    initial=NetworkState(),
    evolve=network_stream.evolve,
    revision=lambda state: state.revision,
    settings=_network,
    look="rig details network {}",
)
APP_VARIABLES: Kind[AppState] = Kind(
    initial=AppState(),
    evolve=app_stream.evolve,
    revision=lambda state: state.config.revision,
    settings=lambda state: _variables(state.config),
    look="rig list vars {}",
)
NETWORK_VARIABLES: Kind[NetworkState] = Kind(
    initial=NetworkState(),
    evolve=network_stream.evolve,
    revision=lambda state: state.config.revision,
    settings=lambda state: _variables(state.config),
    look="rig list vars --network {}",
)
TOKENS: Kind[_Token] = Kind(
    initial=_Token(),
    evolve=_fold_token,
    revision=lambda state: state.revision,
    settings=lambda state: {"token": state.scope} if state.scope else {},
    look="rig details token {}",
)
