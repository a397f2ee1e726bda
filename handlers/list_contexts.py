"""List contexts."""

from __future__ import annotations

from rig.contract.accounts import Context, ContextList, ContextRow, ListContexts
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: ListContexts, ctx: ClientContext) -> ContextList:
    contexts = ctx.ports.contexts
    try:
        current = contexts.current().name
    except RigError as error:
        # A list has to show what there is, above all when none of it is the current one.
        ctx.warn(f"{error.message} {error.hint}")
        current = ""
    return ContextList(contexts=[context_row(context, current) for context in contexts.all()])


def context_row(context: Context, current: str) -> ContextRow:
    """One context, and whether it is the one that commands go to."""
    return ContextRow(
        name=context.name,
        url=context.url,
        account=context.account,
        network=context.network,
        store=context.store,
        current=context.name == current,
    )
