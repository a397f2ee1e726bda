"""The reference of errors, events, settings and output, made of the contract and the facts."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterable

import msgspec

import events
from events.base import Fact
from events.codec import facts_of
from rig.contract.api import ROUTES
from rig.contract.base import SCHEMA
from rig.contract.errors import ERRORS, ErrorBody
from rig.contract.schemas import replies
from rig.contract.settings import SETTINGS
from tests.docs import structs
from tests.docs.commands_page import verbs

EXITS = {
    0: "Success.",
    1: "The operation was tried and failed.",
    2: "A success that found differences, where `--detailed-exitcode` asked for it.",
    4: "A login is needed.",
    8: "Not over yet; the wait has ended.",
    64: "The call is wrong.",
    65: "The data is wrong.",
    66: "It is not there.",
    69: "The platform cannot be reached; nothing was queued.",
    70: "A bug in rig.",
    73: "It exists already, or the state does not allow it.",
    75: "Nothing was accepted; try again.",
    77: "Forbidden.",
    78: "The configuration or the machine is not as it has to be.",
    130: "Ctrl-C.",
    143: "SIGTERM.",
}
"""The numbers of sysexits.h where there is one, and 128 + signal as the shell has it."""

SETTINGS_INTRODUCTION = """\
# Settings

Your own preferences, in one TOML file: `settings.toml` under `RIG_HOME`, or in the configuration folder of your system.
`rig settings list --origin` shows what is in force, and where each value comes from. A flag beats the environment, that
beats the file, that beats the default. Where several variables are named, the first that is set counts.
[Environment](environment.md) has the variables that are no settings.
"""

OUTPUT_INTRODUCTION = """\
# Output

Data goes to standard output, everything else to standard error. `-o json` prints one document, on success and on
failure:

```json
{"schema": "SCHEMA", "kind": "deployment", "data": {}, "error": null, "warnings": []}
```

`data` is null on failure, and `error` is null on success. Times are RFC 3339 in UTC, sizes are bytes, lists are never
null. A new member does not change the schema's version, a changed meaning does. `rig schema KIND` prints the JSON
Schema of a kind.

- `-o yaml` is the same document in YAML.
- `-o jsonl` is a stream of JSON Lines: `{"type":"version"}` first, then `step`, `progress`, `line` and `warning` as
  they happen, `item` for each row of a list, `{"type":"result"}` last. If the last one is missing, the output was cut
  off.
- `-o csv` prints the rows of a list. Text that a spreadsheet would take for a formula begins with `'`.
- `--query EXPR` prints a part of the data, by [JMESPath](https://jmespath.org): with `-o json` as the `data` of the
  document, else alone.
"""


def errors() -> str:
    rows = [
        (f"`{code}`", str(kind.exit), str(kind.status), "yes" if kind.retryable else "", structs.prose(kind.meaning))
        for code, kind in ERRORS.items()
    ]
    exits = [(str(number), meaning) for number, meaning in EXITS.items()]
    return "\n".join(
        [
            "# Errors and exit codes\n",
            "A failure has a code, which never changes its meaning; the exit code and the HTTP status follow from it.\n"
            "Programs go by the code: it is `error.code` with `-o json`, and `code` in the platform's answers.\n",
            "## Exit codes\n",
            structs.table(("exit", "means"), exits),
            "## Codes\n",
            '"Again" says whether the same command may succeed later without being changed.\n',
            structs.table(("code", "exit", "HTTP", "again", "means"), rows),
        ]
    )


def event_modules() -> list[str]:
    """The modules of `events` that hold facts."""
    names = (f"events.{module.name}" for module in pkgutil.iter_modules(events.__path__))
    return [name for name in sorted(names) if facts_of(name)]


def event_types() -> dict[str, type[Fact]]:
    """Every fact by its type."""
    return {name: fact for module in event_modules() for name, fact in facts_of(module).items()}


def event_page() -> str:
    parts = [
        "# Events\n",
        "What the [journal](../journal.md) records: facts, in the past tense, in streams. `sv` is the version of a\n"
        "fact's shape; a shape that was written once stays readable. Every record also says who, when, from where and\n"
        "how it ended. A field that has its default is left out of the record.\n",
    ]
    for module in event_modules():
        first, _, rest = inspect.cleandoc(sys.modules[module].__doc__ or "").partition("\n\n")
        parts.append(f"## {module.removeprefix('events.')}\n")
        parts.append(structs.prose(" ".join(first.split())) + "\n")
        if rest:
            parts.append(structs.prose(rest) + "\n")
        for name, fact in facts_of(module).items():
            parts.append(f"### {name}\n")
            parts.append(f"{structs.summary(fact)} sv {fact.sv}.".strip() + "\n")
            parts.append(_fields(fact))
    named: list[type[msgspec.Struct]] = []
    for fact in event_types().values():
        _collect(fact, named)
    return "\n".join([*parts, *_types(set(named) - set(event_types().values()))])


def settings() -> str:
    rows = []
    for name, setting in SETTINGS.items():
        variables = [f"`{v}`" + (f" (means `{value}`)" if value else "") for v, value in setting.environment.items()]
        rule = f" Value: {setting.rule}." if setting.rule else ""
        default = f"`{setting.default}`" if setting.default else ""
        flag = f"`{setting.flag}`" if setting.flag else ""
        rows.append((f"`{name}`", default, setting.description + rule, ", ".join(variables), flag))
    return SETTINGS_INTRODUCTION + "\n" + structs.table(("setting", "default", "", "environment", "flag"), rows)


def output() -> str:
    answers = replies()
    printed_by: dict[str, list[str]] = {}
    for name, verb in verbs():
        printed_by.setdefault(verb.command.kind, []).append(f"`rig {name}`")
    kinds = [
        (f"`{kind}`", structs.type_text(answers[kind]), ", ".join(printed_by[kind])) for kind in sorted(printed_by)
    ]
    named: list[type[msgspec.Struct]] = [ErrorBody]
    for reply in [*(answers[kind] for kind in printed_by), *(route.command.reply for route in ROUTES)]:
        _collect(reply, named)
    parts = [
        OUTPUT_INTRODUCTION.replace("SCHEMA", SCHEMA, 1),
        f"`error` is {structs.type_text(ErrorBody)}; `data` goes by the kind.\n",
        "## Kinds\n",
        structs.table(("kind", "data", "printed by"), kinds),
        *_types(named),
    ]
    return "\n".join(parts)


def _types(named: Iterable[type[msgspec.Struct]]) -> list[str]:
    """The last chapter of a page: every Struct that it mentions, by name."""
    parts = ["## Types\n"]
    for struct in sorted(named, key=lambda struct: struct.__name__):
        parts.append(f"### {struct.__name__}\n")
        if structs.summary(struct):
            parts.append(structs.summary(struct) + "\n")
        parts.append(_fields(struct))
    return parts


def _collect(struct: type[msgspec.Struct], named: list[type[msgspec.Struct]]) -> None:
    if struct not in named:
        named.append(struct)
        for field in structs.fields(struct):
            for inner in field.inner:
                _collect(inner, named)


def _fields(struct: type[msgspec.Struct]) -> str:
    rows = [(f"`{field.name}`", field.type, field.default, field.meaning) for field in structs.fields(struct)]
    return structs.table(("field", "type", "default", ""), rows)
