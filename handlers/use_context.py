"""Make a context the current one."""

from __future__ import annotations

import msgspec

from handlers.list_contexts import context_row
from rig.contract.accounts import ContextRow, UseContext
from rig.kernel.client import ClientContext


def handle(command: UseContext, ctx: ClientContext) -> ContextRow:
    contexts = ctx.ports.contexts
    context = contexts.find(command.name)
    if command.network:
        context = msgspec.structs.replace(context, network=command.network)
        contexts.save(context)
    contexts.use(command.name)
    current = contexts.current()
    if current.name != command.name:
        ctx.warn(f"Commands go to `{current.name}` all the same: `--context`, RIG_URL or RIG_CONTEXT names it.")
    return context_row(context, current.name)
