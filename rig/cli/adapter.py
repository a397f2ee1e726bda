"""From a command's Struct to its command line: the one place where typer is told about arguments.

Every field becomes an argument or an option, described by its `msgspec.Meta`; values stay text until `msgspec.convert`
makes them what the field says, so a wrong one is refused with the same words everywhere.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import typer

from rig.cli.globals import GlobalOptions
from rig.contract.base import Command, CommandOption, option_of
from rig.kernel.errors import RigError


class Field(msgspec.Struct, frozen=True):
    """One field as the command line sees it."""

    name: str
    type: Any
    option: CommandOption
    help: str
    required: bool
    default: Any

    @property
    def base(self) -> Any:
        """The type without its annotations."""
        return get_args(self.type)[0] if get_origin(self.type) is Annotated else self.type

    @property
    def flag(self) -> str:
        """How messages name it: ``--message``, or the metavar of an argument."""
        if self.option.positional:
            return self.option.metavar.strip("[]") or self.name.upper()
        return self.option.flags[0] if self.option.flags else "--" + self.name.replace("_", "-")


def fields_of(struct: type[msgspec.Struct]) -> list[Field]:
    """The fields of a Struct that have a place on the command line."""
    hints = get_type_hints(struct, include_extras=True)
    fields = []
    for field in msgspec.structs.fields(struct):
        option = option_of(hints[field.name])
        if option.wire_only:
            continue
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        described = [m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, msgspec.Meta)]
        text = next((m.description for m in reversed(described) if m.description), "") or ""
        fields.append(Field(field.name, hints[field.name], option, text, field.required, default))
    return fields


def parse(
    command: type[Command], prog: str, argv: list[str], *, confirms: bool
) -> tuple[dict[str, Any], GlobalOptions, bool] | None:
    """Parse the arguments of one command.

    Gives the fields that were given, as text, the global options, and whether ``--yes`` was; None when help was asked
    for and printed. Raises `RigError` ``usage``.
    """
    fields, global_fields = fields_of(command), fields_of(GlobalOptions)
    parsed = _typer_command(command, fields, global_fields, confirms=confirms)
    try:
        values = parsed.main(args=argv, prog_name=prog, standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        raise RigError("usage", message.rstrip(".") + ".", f"See `{prog} --help`.") from error
    if not isinstance(values, dict):
        return None
    popped = {field.name: values.pop("global_" + field.name) for field in global_fields}
    shared = {name: value for name, value in popped.items() if value not in (None, False)}
    sure = bool(values.pop("yes_to_all", False))
    given = {field.name: values[field.name] for field in fields if values.get(field.name) not in (None, [], False)}
    return given, convert(GlobalOptions, shared, prog), sure


def convert(struct: type[Any], values: dict[str, Any], prog: str) -> Any:
    """Text values → the Struct. Raises `RigError` ``usage`` that names the option."""
    fields = {field.name: field for field in fields_of(struct)}
    ready = {name: _pairs(fields[name], value) for name, value in values.items()}
    try:
        return msgspec.convert(ready, struct, strict=False)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$.")
        name = path.split("`")[0].split(".")[0].split("[")[0]
        if name in fields:
            given = ready.get(name)
            raise RigError(
                "usage",
                f"{fields[name].flag}: `{given}` will not do. {text}.",
                fields[name].help or f"See `{prog} --help`.",
            ) from error
        raise RigError("usage", f"{text}.", f"See `{prog} --help`.") from error


def _pairs(field: Field, value: Any) -> Any:
    """``["web=2"]`` → ``{"web": "2"}`` where the field is a map."""
    if get_origin(field.base) is not dict or isinstance(value, dict):
        return value
    pairs = {}
    for text in value:
        name, sign, number = text.partition("=")
        if not sign or not name:
            raise RigError(
                "usage", f"{field.flag}: `{text}` is not of the form {field.option.metavar or 'NAME=VALUE'}."
            )
        pairs[name] = number
    return pairs


def _typer_command(command: type[Command], fields: list[Field], global_fields: list[Field], *, confirms: bool) -> Any:
    parameters = [_parameter(field, field.name) for field in fields]
    parameters += [_parameter(field, "global_" + field.name, panel="Everywhere") for field in global_fields]
    if confirms:
        sure = typer.Option("--yes", "-y", help="Do not ask.")
        parameters.append(_keyword("yes_to_all", Annotated[bool, sure], False))

    def collect(**values: Any) -> dict[str, Any]:
        return values

    collect.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    collect.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["--help", "-h"]})
    app.command(help=inspect.getdoc(command))(collect)
    return typer.main.get_command(app)


def _parameter(field: Field, name: str, panel: str | None = None) -> inspect.Parameter:
    option, metavar = field.option, field.option.metavar or None
    many = get_origin(field.base) in {list, tuple, dict}
    kind: Any = list[str] if many else bool if field.base is bool else str
    default: Any = [] if many else False if field.base is bool else None
    if option.positional:
        # Names of apps may come from rig.toml, so the parser lets them be absent and the resolver has the last word.
        optional = not field.required or option.completes == "apps"
        info: Any = typer.Argument(help=field.help, metavar=metavar, show_default=False)
        if optional and not many:
            kind = kind | None
        return _keyword(name, Annotated[kind, info], default if optional else inspect.Parameter.empty)
    info = typer.Option(
        *(option.flags or ("--" + field.name.replace("_", "-"),)),
        help=field.help,
        metavar=metavar,
        hidden=option.hidden,
        show_default=False,
        rich_help_panel=panel,
    )
    if kind is str and not many:
        kind = str | None
    return _keyword(name, Annotated[kind, info], default)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
