"""The global options: they work before the verb and after it."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import msgspec

from rig.contract.base import opt
from rig.contract.settings import OutputFormat
from rig.kernel.errors import RigError

PREFIX = "global_"
"""Stands before the names of global options where they share a namespace with the fields of a command."""


class GlobalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every verb takes. An empty value means that it was not given."""

    output: Annotated[
        OutputFormat | Literal[""], opt("table, json, jsonl, yaml or csv.", "--output", "-o", metavar="FORMAT")
    ] = ""
    json: Annotated[bool, opt("The same as -o json.", "--json")] = False
    query: Annotated[str, opt("Print this part of the data (JMESPath).", "--query", "-q", metavar="EXPR")] = ""
    context: Annotated[str, opt("Use this platform.", "--context", metavar="NAME")] = ""
    config: Annotated[str, opt("Use this settings file.", "--config", metavar="FILE")] = ""
    no_input: Annotated[bool, opt("Never ask; fail and name the option instead.", "--no-input")] = False
    no_color: Annotated[bool, opt("No colour.", "--no-color")] = False
    quiet: Annotated[bool, opt("Print results and errors only.", "--quiet")] = False
    verbose: Annotated[bool, opt("Say more; show the trace of a bug.", "--verbose", "-v")] = False


def format_of(name: str) -> OutputFormat:
    """The format of this name; a table for any other."""
    match name:
        case "json" | "jsonl" | "yaml" | "csv":
            return name
    return "table"


VALUE_FLAGS = frozenset({"-o", "--output", "-q", "--query", "--context", "--config"})
BARE_FLAGS = frozenset({"--json", "--no-input", "--no-color", "--quiet", "--verbose", "-v"})


def take_word(argv: list[str]) -> tuple[list[str], str, list[str]]:
    """Split argv at its first word: (global options before it, the word, the rest). The word is empty if there is none.

    Raises `RigError` ``usage`` for an option that is no global one: it would belong to a verb that is not there yet.
    """
    i = 0
    while i < len(argv):
        token = argv[i]
        if not token.startswith("-") or token == "-":
            return argv[:i], token, argv[i + 1 :]
        name = token.partition("=")[0]
        if name in VALUE_FLAGS and name == token:
            i += 2
        elif name in VALUE_FLAGS or token in BARE_FLAGS or (token[:2] in {"-o", "-q"} and len(token) > 2):
            i += 1
        elif token in {"--help", "-h"}:
            return argv[:i], "", argv[i:]
        else:
            raise RigError(
                "usage", f"`{token}` is no global option.", "Options of a verb stand after it; see `rig --help`."
            )
    return argv, "", []


def wanted_format(argv: list[str]) -> OutputFormat:
    """The format that a failure is printed in, even if the rest of argv cannot be understood."""
    wanted = os.environ.get("RIG_OUTPUT", "")
    for token, following in zip(argv, [*argv[1:], ""], strict=True):
        if token == "--":
            break
        if token == "--json":
            wanted = "json"
        elif token in {"-o", "--output"}:
            wanted = following
        elif token.startswith("--output="):
            wanted = token.removeprefix("--output=")
        elif token.startswith("-o"):
            wanted = token.removeprefix("-o").removeprefix("=")
    return format_of(wanted)
