"""Apply a document to a network: everything in one append, and what has to be released after it."""

from __future__ import annotations

from typing import Any

from events.app import AppState
from events.base import Fact
from rig.contract.configuration import ApplyNetworkConfig, ConfigApplied
from rig.contract.names import split_app
from rig.contract.variables import MadeRelease
from rig.kernel.changed import values_of
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.words import some_of
from rig.node.configuration.apply import decide
from rig.node.emitting import emit_app, emit_network
from rig.node.ports import NodeContext
from rig.node.variables.readable import require_readable
from rig.node.world import CONFIGURES

PAGE = 1_000
"""Records that are looked at together."""
TOLD = 20
"""Changes that somebody else made, of which the refusal tells."""


def require_unchanged(network: str, expect: int, ctx: NodeContext) -> None:
    """Whoever decided on what was read is told where it was changed since. Raises ``precondition_failed``."""
    revision = ctx.ports.world.configured.get(network, 0)
    if expect in (-1, revision):
        return
    since = changed_since(network, expect, ctx)
    by = ", ".join(sorted({change["by"] for change in since}))
    what = f": {some_of(sorted({change['key'] for change in since}))} by {by}" if since else ""
    raise RigError(
        "precondition_failed",
        f"The configuration of `{network}` was changed since it was read{what}. Nothing was applied.",
        "Look at the differences again, `rig config diff`, and decide anew.",
        revision=revision,
        changed=since,
    )


def changed_since(network: str, revision: int, ctx: NodeContext) -> list[dict[str, Any]]:
    """The first keys that were changed behind a revision: which, by whom, when."""
    found: list[dict[str, Any]] = []
    while len(found) < TOLD and (page := ctx.journal.read(revision, PAGE)):
        for record in page:
            scope = record.stream.partition(":")[2]
            if isinstance(record.fact, CONFIGURES) and network in (scope, split_app(scope)[0]):
                keys = keys_of(scope, record.fact)
                found += [{"key": key, "by": record.actor, "at": rfc3339(record.at)} for key in keys]
        revision = page[-1].pos
    return found[:TOLD]


def keys_of(scope: str, fact: Fact) -> list[str]:
    """What a fact has changed, in the keys of a document: some of them, or the app, or the document itself."""
    app = split_app(scope)[1] if "/" in scope else ""
    prefix = f"apps.{app}" if app else ""
    keys = [f"{prefix}.{key}".lstrip(".") for key in values_of(fact)]
    return keys or [prefix or "network"]


def handle(command: ApplyNetworkConfig, ctx: NodeContext) -> ConfigApplied:
    world = ctx.ports.world
    network = world.network(command.network)
    if command.document.network != command.network:
        raise RigError(
            "invalid_data",
            f"The document is for network `{command.document.network}`, and not for `{command.network}`.",
            "Send it to the network that it names.",
        )
    require_unchanged(command.network, command.expect, ctx)
    decided = decide(
        network, world.states_of(command.network), command, ctx.ports.isolation, ctx.ports.memory_problem()
    )
    emit_network(command.network, network, decided.network, ctx)
    for app, facts in decided.apps.items():
        require_readable(facts, ctx)
        emit_app(app, world.apps.get(app, AppState()), facts, ctx)
    if decided.later:
        ctx.warn(f"A release of {some_of(sorted(decided.later))} is being made; the one after it takes the change.")
    return ConfigApplied(
        network=command.network,
        changes=decided.changes,
        releases=[MadeRelease(app=app, version=version) for app, version in decided.releases.items()],
        later=decided.later,
    )
