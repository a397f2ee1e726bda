"""The reference of commands, made of their Structs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

from rig.cli.fields import Field, fields_of
from rig.cli.globals import GlobalOptions
from rig.cli.help_page import usage
from rig.cli.verb import Verb
from rig.contract.api import ROUTES
from rig.verbs import VERBS
from tests.docs import structs

EFFECTS = {
    "query": "Reads only; leaves one record.",
    "local": "Changes something on this machine only; its intent is on the record first.",
    "change": "Changes the platform; its intent is on the record before it travels.",
    "access": "Remote access; refused where it cannot be recorded.",
}


BOUNDS = re.compile(r"(?<![-\d])\d+ to \d+$")
"""Those of a number; one that may be -1, which stands for none, is told without."""


def verbs() -> Iterator[tuple[str, Verb]]:
    """Every verb with its noun, as ``create network``."""
    for name, (module, _, _) in VERBS.items():
        for noun, verb in import_module(module).VERBS.items():
            yield f"{name} {noun}".rstrip(), verb


def page() -> str:
    parts = [
        "# Commands\n",
        "Verb first, then what it acts on. An app is named `NETWORK/APP`; what the name leaves out comes from\n"
        "`rig.toml`, the context, or the setting `network`.\n",
        "## Everywhere\n",
        "These options work before the verb and after it.\n",
        structs.table(("option", "", ""), [_row(field) for field in fields_of(GlobalOptions)]),
        "`rig --help` lists the verbs, `rig VERB --help` explains one, `rig --version` prints the version.\n"
        "These three leave nothing on the record.\n",
    ]
    group = ""
    for name, verb in verbs():
        its_group = VERBS[name.split()[0]][2]
        if its_group != group:
            group = its_group
            parts.append(f"## {group}\n")
        parts.append(_section(name, verb))
    return "\n".join(parts)


def _section(name: str, verb: Verb) -> str:
    command = verb.command
    fields = fields_of(command)
    rows = [_row(field) for field in fields]
    if verb.question is not None:
        rows.append(("`--yes`, `-y`", "", "Do not ask."))
    parts = [
        f"### rig {name}\n",
        structs.summary(command) + "\n",
        f"    {usage(f'rig {name}', fields)}\n",
    ]
    if rows:
        parts.append(structs.table(("", "default", ""), rows))
    said = [f"`-o json` prints the kind `{command.kind}`: {structs.link(command.reply)}."]
    said.append(EFFECTS[command.effect])
    if command.look:
        said.append(f"With `--{command.look.replace('_', '-')}` it reads only.")
    route = next((route for route in ROUTES if route.command is command), None)
    if route is not None:
        said.append(f"Travels as `{route.method} {route.path}`.")
    parts.append(" ".join(said) + "\n")
    return "\n".join(parts)


def _row(field: Field) -> tuple[str, ...]:
    if field.option.positional:
        names = f"`{field.metavar}`"
    else:
        names = ", ".join(f"`{flag}`" for flag in field.flags)
        if field.metavar and "|" not in field.metavar:  # a choice is spelled out behind the text
            names += f" `{field.metavar}`"
    default = f"`{field.shown_default}`" if field.shown_default else "on" if field.default is True else ""
    if not field.optional:
        default = "required"
    kind = structs.type_text(field.type)
    bounds = BOUNDS.search(kind)
    values = f" One of {kind}." if kind.startswith("`") else f" ({bounds.group()})" if bounds else ""
    return names, default, structs.prose(field.help) + values
