"""`rig.toml`: read, checked, one environment laid over it. Errors name file, line and what was probably meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from rig.clients.tomlfile import convert, decode
from rig.contract.project import AppConfig, ProcessConfig, ProjectFile
from rig.kernel.errors import RigError

if TYPE_CHECKING:
    from pathlib import Path

PROJECT_FILE = "rig.toml"
SIZE_LIMIT = 1024 * 1024
"""Bytes of a `rig.toml`."""

PAGE = "docs/reference/rig-toml.md"


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
    Raises `RigError` ``bad_config``, ``not_found`` where the file or ``[environments.NAME]`` is missing, or ``usage``
    for a file that is none of TOML.
    """
    folder = os.path.isdir(place)
    path = os.path.join(place, PROJECT_FILE) if folder else os.fspath(place)
    if not folder and os.path.isfile(path) and not path.endswith(".toml"):
        raise RigError("usage", f"`{path}` is a file.", "Name the folder of the app, or run the command inside it.")
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
    text, document = decode(data, path)
    file = convert(document, ProjectFile, text, path, PAGE)
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
        file = convert(with_environment(document, overlay), ProjectFile, text, path, PAGE)
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
