"""Show JSON Schemas."""

from __future__ import annotations

from rig.contract.schemas import Schema, ShowSchema, envelope_schema, replies
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: ShowSchema, ctx: ClientContext) -> Schema:
    kinds = replies()
    if command.name and command.name not in kinds:
        raise RigError("not_found", f"There is no kind `{command.name}`.", f"There are: {', '.join(sorted(kinds))}.")
    wanted = [command.name] if command.name else sorted(kinds)
    return Schema(schemas={kind: envelope_schema(kind, kinds[kind]) for kind in wanted})
