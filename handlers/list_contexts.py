"""List contexts."""

from __future__ import annotations

from rig.contract.accounts import Context, ContextList, ContextRow, ListContexts
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: ListContexts, ctx: ClientContext) -> ContextList:
    known, current = ctx.ports.contexts.all(), ""
    try:
        current = ctx.ports.contexts.current().name
    except RigError as error:
        # A list has to show what there is, above all when none of it is the current one.
        if known:
            ctx.warn(f"{error.message} {error.hint}")
    return ContextList(contexts=[context_row(context, current) for context in known])


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
