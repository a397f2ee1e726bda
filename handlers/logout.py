"""Log out."""

from __future__ import annotations

from rig.contract.accounts import Logout
from rig.contract.base import Done
from rig.kernel.client import ClientContext


def handle(command: Logout, ctx: ClientContext) -> Done:
    contexts = ctx.ports.contexts
    context = contexts.find(command.name) if command.name else contexts.current()
    if context.store == "none":
        return Done(target=context.name, message=f"You were not logged in to {context.url}.")
    warning = ctx.ports.logins.end(context)
    if warning:
        ctx.warn(warning)
    return Done(target=context.name, message=f"Logged out of {context.url}.")
