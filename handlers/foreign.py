"""What the files of other tools say of an app: .env, compose.yaml, app.json, Procfile. Pure: bytes in, tables out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from handlers import dotenv
from rig.contract.configuration import AppTable
from rig.contract.names import PROCESS_PATTERN, suggest_label, variable_problem
from rig.contract.variables import RESERVED
from rig.kernel.errors import UNREADABLE, RigError

_SECRET = re.compile(
    r"(?i)(^|_)(pass(word|wd|phrase)?|pwd|secret|token|credentials?|dsn|(api|access|private)?key)(_|$)"
)
_LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]+@")
"""A URL with a password in it."""
MAX_BITS = 1024
"""Of a number that is written out: Python refuses to do so with very long ones."""
_PROCESS = re.compile(r"^([A-Za-z0-9_-]+):[ \t]*\S", re.MULTILINE)


class Read(msgspec.Struct):
    """What was found: apps by label, the empty one for the app that is named elsewhere; and what was left out."""

    apps: dict[str, AppTable] = {}
    warnings: list[str] = []


def reader_of(path: str) -> Callable[[bytes], Read]:
    """How a file of this name is to be read. What has no name of its own is read as a .env."""
    name = re.split(r"[/\\]", path)[-1].lower()
    if re.fullmatch(r"(docker-)?compose(\..+)?\.ya?ml", name):
        return compose
    return {"app.json": app_json, "procfile": procfile}.get(name, env_file)


def env_file(data: bytes) -> Read:
    """``NAME=value`` lines. Raises `RigError` ``invalid_data``."""
    return _read({"": (dotenv.parse(data), {})})


def procfile(data: bytes) -> Read:
    """Process types, one of each. `release` is no process; it is run once for a release."""
    found = _PROCESS.findall(data.decode("utf-8", "replace"))
    return _read({"": ({}, {process: 1 for process in found if process != "release"})})


def app_json(data: bytes) -> Read:
    """`env` and `formation` of an app.json. Raises `RigError` ``invalid_data``."""
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
    except UNREADABLE as error:
        raise RigError("invalid_data", f"It is no JSON object: {error}.", "Is it an app.json?") from error
    values: dict[str, Any] = {}
    for name, item in _mapping(document.get("env")).items():
        generated = isinstance(item, dict) and item.get("generator") == "secret"
        values[name] = _GENERATED if generated else item.get("value") if isinstance(item, dict) else item
    counts = {name: _mapping(item).get("quantity") for name, item in _mapping(document.get("formation")).items()}
    label = suggest_label(str(document.get("name", "")))
    return _read({label: (values, counts)})


def compose(data: bytes) -> Read:
    """The services of a compose file, each an app. Raises `RigError` ``invalid_data``."""
    import yaml

    try:
        document = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # the second for a date that there is not
        raise RigError(
            "invalid_data", "It is no YAML that can be read.", "`docker compose config` checks it."
        ) from error
    apps: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    notes: list[str] = []
    for name, found in _mapping(_mapping(document).get("services")).items():
        label, service = suggest_label(str(name)), _mapping(found)
        if not label:
            notes.append(f"Service `{name}` is left out: it cannot be the name of an app.")
            continue
        given = service.get("environment")
        if isinstance(given, list):
            # What is no line is left out: of lists of lists a few lines of YAML are gigabytes of text.
            given = {line.partition("=")[0]: _after_sign(line) for line in given if isinstance(line, str)}
        replicas = service.get("scale", _mapping(service.get("deploy")).get("replicas"))
        apps[label] = _mapping(given), {} if replicas is None else {"web": replicas}
        if "env_file" in service:
            notes.append(f"The `env_file` of service `{name}` is not read. Import it by itself, with `--app {label}`.")
    read = _read(apps)
    read.warnings = [*notes, *read.warnings]
    return read


_GENERATED = object()
"""Stands for a value that the platform was to make up."""


def _read(apps: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Read:
    """Variables and counts of processes, as a document has them; what cannot be said there is a warning."""
    read = Read(apps={}, warnings=[])
    for label, (values, counts) in apps.items():
        env: dict[str, str] = {}
        secrets: dict[str, str] = {}
        for key, value in values.items():
            name = str(key)  # of YAML it may be a number, or true
            if problem := _problem(name, value):
                read.warnings.append(f"`{name}` is left out: {problem}.")
            elif value is _GENERATED or looks_secret(name, _text(value)):
                secrets[name] = ""
            else:
                env[name] = _text(value)
        processes = {name: count for name, count in counts.items() if _is_count(name, count)}
        read.apps[label] = AppTable(env=env, secrets=secrets, processes=processes)
    return read


def _problem(name: str, value: Any) -> str:
    """Why a variable cannot stand in a document; empty where it can."""
    if name in RESERVED:
        return f"it cannot be set: {RESERVED[name]}"
    if value is None:
        return "it has no value"
    # Of a list that holds others, and those others again, a few lines of YAML are gigabytes of text.
    if value is not _GENERATED and not isinstance(value, str | int | float | date):
        return "its value is no text"
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return "it is a number with too many digits"
    return variable_problem(name)


def looks_secret(name: str, value: str) -> bool:
    """Whether it had better not stand in a file that is shared: by its name, or as it holds a password."""
    return bool(_SECRET.search(name) or _LOGIN.search(value))


def _is_count(process: str, count: Any) -> bool:
    valid = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= 100
    return valid and re.match(PROCESS_PATTERN, process) is not None


def _after_sign(line: str) -> str | None:
    """``A=1`` → ``1``; None for a bare name, which compose takes from its own environment."""
    _, sign, value = line.partition("=")
    return value if sign else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
