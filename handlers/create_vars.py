"""Set variables."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.changing import change
from handlers.dotenv import parse
from rig.contract.names import suggest_variable, variable_problem
from rig.contract.variables import RESERVED, CreateVars, VariablesChange
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.words import whose


def handle(command: CreateVars, ctx: ClientContext) -> VariablesChange:
    values = wanted(command, parse(ctx.ports.inputs.file(command.from_file)) if command.from_file else {})
    return change(
        ctx,
        app=command.app,
        network=command.network,
        detach=command.detach,
        set_vars=values,
        stage=command.stage,
        expect=command.expect,
    )


def wanted(command: CreateVars, filed: dict[str, str]) -> dict[str, str]:
    """What to set: the command line wins over the file. Raises `RigError` ``usage`` or ``invalid_data``."""
    values = {**filed, **command.values}
    if not values:
        raise RigError("usage", "Nothing to set.", "Say what, as `A=1`, or name a file with `--from-file`.")
    check_names(values)
    empty = sorted(name for name, value in values.items() if not value)
    if empty and not command.allow_empty:
        of = whose(command.app, command.network)
        raise RigError(
            "invalid_data",
            f"The value of `{empty[0]}` is empty.",
            f"If that is meant: `--allow-empty`. To remove it: `rig delete var {of} {empty[0]}`.",
        )
    return values


def check_names(names: Iterable[str]) -> None:
    """Refuse what cannot be the name of a variable, and say why. Raises `RigError` ``invalid_data``."""
    for name in names:
        if problem := variable_problem(name):
            near = suggest_variable(name)
            raise RigError(
                "invalid_data",
                f"`{name}` cannot be the name of a variable: {problem}.",
                f"Would `{near}` do?" if near else "A name has letters, digits and underscores.",
            )
        if name in RESERVED:
            raise RigError("invalid_data", f"`{name}` cannot be set: {RESERVED[name]}.", "Choose another name.")
