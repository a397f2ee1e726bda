"""The one place where typer is told about arguments: it knows what is wrong with an argv, and whether help is wanted.

The help page is drawn by `rig.cli.help_page`, since typer's reads what stands in brackets as markup and is a screen
longer than what it says.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from rig.cli.fields import Field
from rig.cli.help_page import HELP_FLAGS, help_page
from rig.contract.base import Command
from rig.kernel.errors import RigError


def parse_with_typer(
    command: type[Command], fields: Mapping[str, Field], prog: str, argv: list[str]
) -> dict[str, Any] | None:
    """The fields that were given, as `rig.cli.argv.read` has them; None when help was asked for and printed.

    Raises `RigError` ``usage``.
    """
    try:
        values = _typer_command(command, fields, prog).main(args=argv, prog_name=prog, standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message.startswith("Got unexpected extra argument"):
            message = _too_many(fields, prog)
        raise RigError("usage", message.rstrip(".") + ".", f"See `{prog} --help`.") from error
    except SystemExit as ended:
        # Nobody reads the help page any more; typer would end the process for that.
        raise BrokenPipeError from ended
    if not isinstance(values, dict):
        return None
    return {name: value for name, value in values.items() if value not in (None, [])}


def _too_many(fields: Mapping[str, Field], prog: str) -> str:
    """That there are too many arguments. They are not repeated: one may be the value of a secret."""
    taken = sum(field.option.positional for field in fields.values())
    if not taken:
        return f"`{prog}` takes no arguments"
    return f"`{prog}` takes {taken} argument{'' if taken == 1 else 's'} at most, and was given more"


def _typer_command(command: type[Command], fields: Mapping[str, Field], prog: str) -> Any:
    class WithOurPage(TyperCommand):
        def get_help(self, ctx: Any) -> str:
            return help_page(command, fields, prog)

    parameters = [_parameter(name, field) for name, field in fields.items()]

    def collect(**values: Any) -> dict[str, Any]:
        return values

    collect.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    collect.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(add_completion=False, context_settings={"help_option_names": list(HELP_FLAGS)})
    app.command(cls=WithOurPage)(collect)
    return typer.main.get_command(app)


def _parameter(name: str, field: Field) -> inspect.Parameter:
    kind: Any = list[str] if field.many else bool if field.base is bool else str
    default: Any = [] if field.many else None
    if field.option.positional:
        info: Any = typer.Argument(metavar=field.metavar or None)
        if not field.optional:
            return _keyword(name, Annotated[kind, info], inspect.Parameter.empty)
    else:
        info = typer.Option(*field.flags)
    return _keyword(name, Annotated[kind if field.many else kind | None, info], default)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
