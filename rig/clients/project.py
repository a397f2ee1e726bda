"""`rig.toml`: read, checked, one environment laid over it. Errors name file, line and what was probably meant."""

from __future__ import annotations

import os
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union, get_args, get_origin

import msgspec

from rig.contract.names import LABEL_PATTERN, LABEL_RULE, PROCESS_PATTERN, VARIABLE_PATTERN
from rig.contract.project import AppConfig, ProcessConfig, ProjectFile
from rig.kernel.errors import RigError

if TYPE_CHECKING:
    from pathlib import Path

PROJECT_FILE = "rig.toml"
SIZE_LIMIT = 1024 * 1024
"""Bytes of a `rig.toml`."""

Keys = tuple[str, ...]
"""The way to a value: ``("processes", "web", "count")``."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A `rig.toml` with one of its environments laid over it."""

    path: str
    """The file; empty where there is none, and everything has its default."""
    environment: str = ""
    file: ProjectFile = ProjectFile()

    @property
    def app(self) -> str:
        """``network/app``, or ``app`` alone, as the file names it; empty where it does not."""
        network, app = self.file.network or "", self.file.app or ""
        return f"{network}/{app}" if network and app else app

    @property
    def config(self) -> AppConfig:
        """What of it travels with a release."""
        file = self.file
        return AppConfig(
            build=file.build,
            processes={
                name: ProcessConfig(command=process) if isinstance(process, str) else process
                for name, process in file.processes.items()
            },
            health=file.health,
            env=file.env,
            deploy=file.deploy,
        )


def load_project(place: str | Path, environment: str = "") -> Project:
    """Read the `rig.toml` of a folder, or the file ``place`` itself; a folder need not have one.

    Only the given folder is looked at, not those above it: what is deployed is the folder that the file describes.
    Raises `RigError` ``bad_config``, or ``not_found`` where the file or ``[environments.NAME]`` is missing.
    """
    folder = os.path.isdir(place)
    path = os.path.join(place, PROJECT_FILE) if folder else os.fspath(place)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            # A pipe to which nobody writes would be waited for without end.
            raise RigError("bad_config", f"`{path}` is no file.", f"Remove it, or make {PROJECT_FILE} a file.")
        with open(path, "rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        if folder and not environment:
            return Project(path="")
        raise RigError(
            "not_found",
            f"There is no `{path}`" + (f" to take the environment `{environment}` from." if environment else "."),
            "Name the folder of the app, or run the command inside it.",
        ) from None
    except OSError as error:
        raise RigError(
            "bad_config", f"{path} cannot be read: {error.strerror}.", "Check the file's permissions."
        ) from error
    return parse_project(data, path, environment)


def parse_project(data: bytes, path: str = PROJECT_FILE, environment: str = "") -> Project:
    """Decode a `rig.toml`; ``path`` is for messages. All environments are checked, and ``environment`` is laid over."""
    if len(data) > SIZE_LIMIT:
        raise RigError("bad_config", f"{path} is larger than {SIZE_LIMIT} bytes.", "It holds settings, no data.")
    text, document = _decode(data, path)
    file = _convert(document, text, path)
    if environment:
        overlay = document.get("environments", {}).get(environment)
        if overlay is None:
            known = ", ".join(f"`{name}`" for name in sorted(file.environments)) or "none"
            raise RigError(
                "not_found",
                f"{path} has no environment `{environment}`; it has {known}.",
                f"Add a table [environments.{environment}] to {path}, or name one that is there.",
                environments=sorted(file.environments),
            )
        file = _convert(with_environment(document, overlay), text, path)
    return Project(path=path, environment=environment, file=file)


def with_environment(document: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """The document with the overlay's values in it: table by table and key by key, the rest as it was.

    Works on what the file says and not on what it means, so that a value which happens to be a default counts too.
    """
    merged = dict(document)
    for key, value in overlay.items():
        under = merged.get(key)
        if key == "processes" and isinstance(under, dict):
            merged[key] = with_environment(_long_form(under), _long_form(value))
        elif isinstance(value, dict) and isinstance(under, dict):
            merged[key] = with_environment(under, value)
        else:
            merged[key] = value
    return merged


def _long_form(processes: dict[str, Any]) -> dict[str, Any]:
    return {name: {"command": value} if isinstance(value, str) else value for name, value in processes.items()}


def _decode(data: bytes, path: str) -> tuple[str, dict[str, Any]]:
    import re
    import tomllib

    try:
        text = data.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(path, line, "it is not UTF-8 text", f"Save {path} as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        reason = str(error).split(" (at ", maxsplit=1)[0]
        _refuse(path, line, reason[:1].lower() + reason[1:], "See https://toml.io for the syntax.")


def _convert(document: dict[str, Any], text: str, path: str) -> ProjectFile:
    try:
        return msgspec.convert(document, ProjectFile)
    except msgspec.ValidationError as error:
        keys, problem, hint = _explain(document, ProjectFile, ()) or ((), str(error), "")
        _refuse(
            path,
            line_of(text, keys),
            problem,
            hint or "docs/reference/rig-toml.md lists all keys and their types.",
            key=".".join(keys),
        )


def _refuse(path: str, line: int, problem: str, hint: str, **details: Any) -> NoReturn:
    where = f"{path}, line {line}" if line else path
    raise RigError("bad_config", f"{where}: {problem}.", hint, file=path, line=line, **details)


def _explain(value: Any, expected: Any, keys: Keys) -> tuple[Keys, str, str] | None:
    """What is wrong with ``value``: where, what, and a hint. None where nothing is."""
    expected = _alternative(value, expected)
    if isinstance(value, dict) and isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(expected)}
        for key, inner in value.items():
            if key not in fields:
                return (*keys, key), f"{_name((*keys, key))} is not known", _suggest(key, list(fields), keys)
            found = _explain(inner, fields[key], (*keys, key))
            if found:
                return found
        return None
    if isinstance(value, dict) and get_origin(expected) is dict:
        key_type, value_type = get_args(expected)
        for key, inner in value.items():
            found = _mismatch(key, key_type, (*keys, key)) or _explain(inner, value_type, (*keys, key))
            if found:
                return found
        return None
    return _mismatch(value, expected, keys)


def _alternative(value: Any, expected: Any) -> Any:
    """Of a union the member that is meant: the table for a table, else the rest."""
    if get_origin(expected) not in (Union, UnionType):
        return expected
    members = [member for member in get_args(expected) if member is not NoneType]
    tables = [m for m in members if get_origin(m) is dict or (isinstance(m, type) and issubclass(m, msgspec.Struct))]
    if isinstance(value, dict) and tables:
        return tables[0]
    rest = [member for member in members if member not in tables]
    return members[0] if len(members) == 1 else Union[tuple(rest or members)]  # noqa: UP007 - made at run time


def _mismatch(value: Any, expected: Any, keys: Keys) -> tuple[Keys, str, str] | None:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        reason = str(error).split(" - at ", maxsplit=1)[0]
        if "matching regex" in reason or "enum value" in reason:
            return keys, f"{_name(keys)} cannot be `{value}`", _rule(expected)
        for name, word in _WORDS.items():
            reason = reason.replace(f"`{name}`", word)
        quoted = (
            f'Write it in quotes: `{keys[-1]} = "{value}"`.'
            if isinstance(value, int) and "a text, got" in reason
            else ""
        )
        return keys, f"{_name(keys)}: {reason[:1].lower() + reason[1:]}", quoted
    return None


_WORDS = {"int": "a whole number", "str": "a text", "object": "a table", "array": "a list", "bool": "true or false"}
"""msgspec's names of types → words for somebody who writes TOML."""

_RULES = {
    LABEL_PATTERN: LABEL_RULE,
    PROCESS_PATTERN: "1 to 30 letters, digits, `-` and `_`",
    VARIABLE_PATTERN: "letters, digits and `_`, no digit first",
}


def _rule(expected: Any) -> str:
    """What the type allows, in words."""
    if get_origin(expected) is Literal:
        return "It is one of " + ", ".join(f"`{choice}`" for choice in get_args(expected)) + "."
    members = get_args(expected) if get_origin(expected) in (Union, UnionType) else (expected,)
    patterns = [meta.pattern for member in members for meta in getattr(member, "__metadata__", ()) if meta.pattern]
    rule = next((_RULES[pattern] for pattern in patterns if pattern in _RULES), "a path that begins with `/`")
    return f"It is {rule}."


def _name(keys: Keys) -> str:
    """``timeout`` in ``[build]``, as a reader of the file would say it."""
    table = f" in [{'.'.join(keys[:-1])}]" if len(keys) > 1 else ""
    return f"`{keys[-1]}`{table}" if keys else "the file"


def _suggest(key: str, known: list[str], keys: Keys) -> str:
    import difflib

    near = difflib.get_close_matches(key.lower(), known, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    if not keys:
        for field in msgspec.structs.fields(ProjectFile):
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                inside = [inner.encode_name for inner in msgspec.structs.fields(field.type)]
                if key in inside:
                    return f"Did you mean `{key}` in [{field.name}]?"
    return "Known here: " + ", ".join(f"`{name}`" for name in known) + "."


def line_of(text: str, keys: Keys) -> int:
    """The line, from 1, on which the value at ``keys`` stands, or the nearest table above it; 0 where none is found.

    A reader of lines, not a parser: it knows headers, dotted keys and multi-line strings. The file was parsed before.
    """
    best = best_length = 0
    table: Keys = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        was_inside, inside = inside, _still_inside(line, inside)
        if was_inside or not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            table = here = _split_key(stripped.strip("[").split("]", maxsplit=1)[0])
        else:
            here = (*table, *_split_key(stripped.split("=", maxsplit=1)[0]))
        length = len(here)
        if length > best_length and keys[:length] == here:
            best, best_length = number, length
    return best


def _still_inside(line: str, inside: str) -> str:
    """The quotes of the multi-line string that is open at the end of the line; empty where none is."""
    for quotes in ('"""', "'''"):
        if inside in ("", quotes) and line.count(quotes) % 2:
            return "" if inside else quotes
    return inside


def _split_key(key: str) -> Keys:
    return tuple(part.strip().strip("\"'") for part in key.split("."))
