"""What goes into a build, what comes out, and where it lies on disk."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.kernel.files import write_atomic
from rig.node.runtime.driver import IsolationName, Mount

BUILDER_VERSION = 1
"""Part of every layer's key: raised whenever a builder would install the same lock files in another way."""

_BUILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_build_id(name: str) -> bool:
    """Whether a build can have this id, which is the name of its folder."""
    return _BUILD_ID.fullmatch(name) is not None


class BuildPaths(msgspec.Struct, frozen=True):
    """The folders of one build inside its app's folder (`NodePaths.app`). An app shares none of them with another."""

    app_dir: Path
    id: str

    def __post_init__(self) -> None:
        if not is_build_id(self.id):
            raise ValueError(f"{self.id!r} is no build id")

    @property
    def root(self) -> Path:
        return self.app_dir / "builds" / self.id

    @property
    def source(self) -> Path:
        """Where the caller puts the source. The build works in it, and it is what runs afterwards."""
        return self.root / "app"

    @property
    def site(self) -> Path:
        """What a build installs of the project itself, beside its dependencies."""
        return self.root / "site"

    @property
    def caddyfile(self) -> Path:
        return self.root / "Caddyfile"

    @property
    def record(self) -> Path:
        """``build.json``: written last, so that a build that has one is complete."""
        return self.root / "build.json"

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def steps(self) -> Path:
        """State and output of each command, while the build goes on."""
        return self.root / "steps"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def build_home(self) -> Path:
        """HOME of the build's commands, gone with the build: what an app writes into its own home must not decide what
        the next release is made of, as a ``.npmrc`` or ``.config/pip/pip.conf`` would."""
        return self.root / "home"

    @property
    def home(self) -> Path:
        """HOME of what runs, kept between releases."""
        return self.app_dir / "home"

    @property
    def layers(self) -> Path:
        return self.app_dir / "cache" / "layers"

    def download_cache(self, tool: str) -> Path:
        """The app's own download cache of ``pip`` or ``npm``."""
        return self.app_dir / "cache" / tool


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One build. The source lies at ``paths.source`` already; one app has at most one build at a time."""

    owner: str
    """``network/app``: whose processes these are."""
    paths: BuildPaths
    config: AppConfig = AppConfig()
    env: dict[str, str] = {}
    """The app's own variables, those of `[env]` among them, and the secrets of its build."""
    secrets: dict[str, str] = {}
    """The names in ``env`` that are secrets, each with the keyed digest of its value. They are hidden in the output."""
    settings: dict[str, str] = {}
    """What the node's operator lets through to builds, see `rig.node.builder.settings.build_settings`."""


class BuildMount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A folder that the build needs when it runs, read-only."""

    source: str
    """Relative to the app's folder, or absolute for what belongs to the machine, such as a language's prefix."""
    inside: str
    """Where it goes in an isolated process, see `Driver.place`."""


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A build that succeeded: all that is needed to run it, today or after a rollback."""

    id: str
    builder: str
    """``python``, ``node``, ``static`` or ``procfile``."""
    isolation: IsolationName
    """What it was built under."""
    place: str
    """Where its source was, as its processes saw it. Such paths are part of what was installed: it runs there alone."""
    language: str = ""
    """``Python 3.12.1``, ``Node 22.3.0``; empty where there is none."""
    processes: dict[str, str] = {}
    """Process type → command line for ``/bin/sh -c``, as the user wrote it. Without what only `[processes]` names."""
    release: str = ""
    """The ``release:`` of the Procfile, to be run once before the new version starts; empty: none."""
    static_root: str = ""
    """The folder that a static site serves, relative to the source; ``.`` is the source itself."""
    mounts: tuple[BuildMount, ...] = ()
    path: tuple[str, ...] = ()
    """What is put in front of PATH, as the process sees it."""
    env: dict[str, str] = {}
    """Variables that the builder adds; the app's own win over them."""
    layers: tuple[str, ...] = ()
    """Keys of the dependency layers it stands on."""
    installed: bool = False
    """Whether dependencies had to be installed, or an earlier build's were used."""
    warnings: tuple[str, ...] = ()
    built_at: int = 0
    """Nanoseconds since the epoch, when it was complete."""
    milliseconds: int = 0
    """How long it took."""


def configured_commands(config: AppConfig) -> dict[str, str]:
    """Process type → command line, of those that `[processes]` gives one."""
    return {name: process.command for name, process in config.processes.items() if process.command}


def save_build(build: Build, paths: BuildPaths) -> None:
    """Write ``build.json``, whole or not at all, on disk when this returns."""
    write_atomic(paths.record, msgspec.json.format(msgspec.json.encode(build), indent=2))


def load_build(paths: BuildPaths) -> Build | None:
    """The build that was completed there; None where there is none, or where its record cannot be read any more."""
    try:
        return msgspec.json.decode(paths.record.read_bytes(), type=Build)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def host_path(mount: BuildMount, paths: BuildPaths) -> Path:
    """Where the mount's folder lies on this machine."""
    return paths.app_dir / mount.source


def relative_mount(host: Path, inside: str, paths: BuildPaths) -> BuildMount:
    """A mount of something inside the app's folder."""
    return BuildMount(source=str(host.relative_to(paths.app_dir)), inside=inside)


def prefix_mount(prefix: Path) -> tuple[BuildMount, ...]:
    """The mount that a language's prefix needs to be seen: none for what every process sees, as ``/usr``.

    Raises `RigError` ``missing_program`` for one that holds more than the language, as a home folder.
    """
    if any(prefix.is_relative_to(folder) for folder in ("/usr", "/bin", "/lib", "/sbin")):
        return ()
    home = Path.home()
    if prefix in (Path("/"), Path("/home"), home, home / ".local", home.parent):
        raise RigError(
            "missing_program",
            f"The language in {prefix} cannot be shown to apps, because that folder holds other things, too.",
            "Install it into a folder of its own (pyenv, uv, nvm) or below /usr.",
        )
    return (BuildMount(source=str(prefix), inside=str(prefix)),)


def read_only(mounts: tuple[BuildMount, ...], paths: BuildPaths) -> tuple[Mount, ...]:
    """The same mounts as the driver wants them."""
    return tuple(Mount(source=host_path(mount, paths), target=mount.inside) for mount in mounts)
