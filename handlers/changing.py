"""Changes of variables and secrets, as the commands for them share it: send, record, watch what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.base import Fact
from events.config import SecretsChanged, VarsChanged
from handlers.follow import conclude, emit_begun, follow
from rig.contract.releases import Release, ShowRelease
from rig.contract.variables import (
    ChangeNetworkVariables,
    ChangeVariables,
    MadeRelease,
    SecretDiff,
    VarDiff,
    VariablesChange,
)
from rig.kernel.client import ClientContext, send
from rig.kernel.errors import RigError


def change(ctx: ClientContext, *, app: str, network: str, detach: bool, **what: Any) -> VariablesChange:
    """Make one change of an app, or of a network where one is named, and see its releases through.

    Raises `RigError` where it is refused, or where a release fails.
    """
    command = ChangeNetworkVariables(name=network, **what) if network else ChangeVariables(app=app, **what)
    reply = send(ctx, command, VariablesChange)
    stream = f"network:{network}" if network else f"app:{app}"
    for fact in decide(reply):
        ctx.emit(stream, fact, target=reply.target)
    ctx.record()
    watch([begin(made, ctx) for made in reply.releases], detach, ctx)
    return reply


def decide(reply: VariablesChange) -> list[Fact]:
    """What is on the record once the platform has agreed."""
    facts: list[Fact] = []
    if reply.vars:
        facts.append(VarsChanged(scope=reply.target, **_sides(reply.vars)))
    if reply.secrets:
        facts.append(SecretsChanged(scope=reply.target, **_sides(reply.secrets)))
    return facts


def _sides(changed: Mapping[str, VarDiff | SecretDiff]) -> dict[str, Any]:
    """What a fact says of a change: what is set now, what was removed, and what was before."""
    return {
        "set": {name: diff.after for name, diff in changed.items() if diff.after is not None},
        "removed": sorted(name for name, diff in changed.items() if diff.after is None),
        "before": {name: diff.before for name, diff in changed.items() if diff.before is not None},
    }


def begin(made: MadeRelease, ctx: ClientContext) -> Release:
    ask = ShowRelease(app=made.app, version=made.version)
    try:
        release = ctx.ports.platform.call(ask, Release, corr=ctx.stamp.corr)
    except RigError as error:
        error.unclear = True  # the change itself was made
        raise
    emit_begun(release, ctx)
    return release


def watch(releases: list[Release], detach: bool, ctx: ClientContext) -> None:
    """Watch releases to their end, unless the user wants to be off. Raises `RigError` if one of them failed."""
    ctx.record()
    failures = []
    for begun_release in [] if detach else releases:
        if len(releases) > 1:
            ctx.progress.step(f"Making v{begun_release.version} of {begun_release.app}")
        release = follow(begun_release, ctx)
        try:
            conclude(release, ctx)
        except RigError as error:
            failures.append(error)
    if not failures:
        return
    first = failures[0]
    more = f" So did {len(failures) - 1} other releases." if len(failures) > 1 else ""
    first.message += f"{more} The change is kept, and the next release takes it."
    raise first
