"""Set a secret. Its value comes from outside of the command, so that no record of the command can hold it."""

from __future__ import annotations

from handlers.changing import change
from rig.contract.secrets import CreateSecret
from rig.contract.variables import MAX_VALUE, RESERVED, VariablesChange
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def handle(command: CreateSecret, ctx: ClientContext) -> VariablesChange:
    name, inputs = command.name, ctx.ports.inputs
    if not name:
        raise RigError("usage", "Which secret?", "Name it, as `rig create secret NETWORK/APP NAME`.")
    if name in RESERVED:
        raise RigError("invalid_data", f"`{name}` cannot be set: {RESERVED[name]}.", "Choose another name.")
    data = inputs.file(command.from_file) if command.from_file else inputs.secret(f"Value of {name}: ")
    value, trimmed = read_value(data, raw=command.raw)
    if trimmed:
        ctx.warn("The line end behind the value was left out; `--raw` keeps it.")
    return change(
        ctx,
        app=command.app,
        network=command.network,
        detach=command.detach,
        set_secrets={name: value},
        stage=command.stage,
        expect=command.expect,
    )


def read_value(data: bytes, *, raw: bool) -> tuple[str, bool]:
    """The value that bytes stand for, and whether a line end behind a single line was left out.

    Raises `RigError` ``invalid_data`` or ``too_large``, which tell nothing of the value.
    """
    try:
        value = data.decode()
    except UnicodeDecodeError as error:
        raise RigError("invalid_data", "The value is not UTF-8.", "Encode it first, as with `base64`.") from error
    trimmed = False
    if not raw and value.count("\n") == 1 and value.endswith("\n"):
        value, trimmed = value.removesuffix("\n").removesuffix("\r"), True
    if not value:
        raise RigError("invalid_data", "The value is empty.", "Was anything sent? To remove it: `rig delete secret`.")
    if "\0" in value:
        raise RigError("invalid_data", "The value holds a zero byte.", "No environment can hold one; encode it first.")
    if len(value.encode()) > MAX_VALUE:
        raise RigError("too_large", f"The value has more than {MAX_VALUE} bytes.", "Keep it in a file or a store.")
    return value, trimmed
