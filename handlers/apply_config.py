"""Make a network what a file says."""

from __future__ import annotations

import msgspec

from events.base import Fact
from events.network import NetworkConfigured
from handlers.changing import begin, watch
from handlers.planning import missing_secrets, plan, read, shown
from rig.contract.configuration import (
    ApplyConfig,
    ApplyNetworkConfig,
    ConfigApplied,
    ConfigChange,
    ConfigPlan,
    Configuration,
)
from rig.kernel.client import ClientContext, send
from rig.kernel.configuration import deletes_app, parts
from rig.kernel.errors import RigError
from rig.kernel.words import some_of

TOLD = 10
"""Keys that a question names."""


def decide(document: Configuration, applied: Configuration | None, changes: int) -> list[Fact]:
    """What is on the record once the platform has agreed; nothing where nothing came of it."""
    if document == applied and not changes:
        return []
    return [NetworkConfigured(name=document.network, document=msgspec.to_builtins(document))]


def handle(command: ApplyConfig, ctx: ClientContext) -> ConfigPlan:
    document, now = read(command.file, ctx)
    found = plan(document, now)
    if command.plan:
        return shown(found, values=command.show_values)
    lost = losses(found)
    agree(command, found, lost, ctx)
    apply = ApplyNetworkConfig(
        network=document.network,
        document=document,
        allow_removal=bool(lost),
        delete_apps=command.delete_apps,
        expect=now.revision,
    )
    reply = send(ctx, apply, ConfigApplied)
    for fact in decide(document, now.applied, reply.changes):
        ctx.emit(f"network:{document.network}", fact, target=document.network)
    ctx.record()
    for told in missing_secrets(document.network, found.changes):
        ctx.warn(f"A secret is not there yet, and its app needs it to be deployed: `{told}`.")
    if reply.later:
        ctx.warn(f"A release of {some_of(reply.later)} is being made; the one after it takes the change.")
    watch([begin(made, ctx) for made in reply.releases], command.detach, ctx)
    done = msgspec.structs.replace(found, done=True, releases=reply.releases, later=reply.later)
    return shown(done, values=command.show_values)


def losses(found: ConfigPlan) -> list[ConfigChange]:
    """What would go, and what there would be less of."""
    return [change for change in found.changes if change.action == "remove" or change.shrinks]


def agree(command: ApplyConfig, found: ConfigPlan, lost: list[ConfigChange], ctx: ClientContext) -> None:
    """Go on where nothing is lost, or where somebody says that it may be. Raises `RigError`."""
    apps = [parts(change.key)[0] for change in found.changes if deletes_app(change)]
    if apps and not command.delete_apps:
        raise RigError(
            "input_required",
            f"It would delete {some_of(apps, TOLD)}: applied before, and gone from the file. Nothing was changed.",
            "Say that they may go with `--delete-apps`, or put them back into the file.",
            apps=apps,
        )
    if not lost or command.yes:
        return
    terminal = ctx.ports.terminal
    question = f"Remove or shrink {some_of([change.key for change in lost], TOLD)} of {found.network}?"
    if terminal.interactive:
        terminal.tell("What would go, or be less:")
        for change in lost[:TOLD]:
            less = f"{change.live} → {change.file}" if change.shrinks and change.live else "less than now"
            terminal.tell(f"  {change.key}: {less if change.shrinks else 'removed'}")
    terminal.confirm(question, flag="--yes", word=found.network, look="--plan")
