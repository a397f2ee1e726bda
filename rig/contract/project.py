"""What `rig.toml` may say, and what of it travels to the node with a release."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rig.contract.names import Label, ProcessType
from rig.contract.variables import EnvVars, VarName

Seconds = Annotated[int, Meta(ge=1, le=3600, description="seconds")]
Builder = Literal["auto", "python", "node", "static", "procfile"]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of what stands in a file that somebody writes: a key that it does not have is a mistake."""


class BuildConfig(Table, frozen=True, kw_only=True):
    """`[build]`: how the source becomes something that runs."""

    builder: Builder = "auto"
    command: str = ""
    """Run by `/bin/sh -c` in the source after the dependencies are installed. Empty: nothing."""
    output: str = ""
    """The folder that a static site serves, relative to the source; empty: found, or the source itself."""
    timeout: Annotated[int, Meta(ge=1, le=7200, description="seconds")] = 900
    python: str = ""
    """`3.12`, say; empty: `.python-version`, else the Python that the node runs on."""
    secrets: Annotated[list[VarName], Meta(max_length=20)] = []
    """Names of secrets that the commands of the build get, and the app's processes do not. A build gets no others."""


class ProcessConfig(Table, frozen=True, kw_only=True):
    """`[processes.NAME]`: a command line and how many of it."""

    command: str = ""
    """Empty: the one that the Procfile or the builder gives."""
    count: Annotated[int, Meta(ge=0, le=100)] = 1
    stop_timeout: Seconds = 10
    """Between SIGTERM and SIGKILL."""
    memory: Annotated[int, Meta(ge=0, description="bytes; 0 means no limit")] = 0


class HealthConfig(Table, frozen=True, kw_only=True):
    """`[health]`: when a `web` process counts as ready."""

    path: Annotated[str, Meta(pattern=r"^(/[!-~]*)?$(?!\n)", max_length=1024)] = ""
    """Asked by GET until it answers 2xx or 3xx. Empty: any HTTP answer below 500 on `/` will do."""
    timeout: Seconds = 60
    """From the start of the process to its first good answer."""
    interval: Annotated[int, Meta(ge=1, le=60, description="seconds")] = 1


class DeployConfig(Table, frozen=True, kw_only=True):
    """`[deploy]`: how versions are switched."""

    release: str = ""
    """Run once before the new version starts, as `release:` of a Procfile (which it overrides)."""
    release_timeout: Seconds = 600
    drain: Annotated[int, Meta(ge=0, le=3600, description="seconds")] = 10
    """How long requests in flight may go on after the switch."""
    watch: Annotated[int, Meta(ge=0, le=3600, description="seconds")] = 60
    """A release that ends by itself within so many seconds after the switch is rolled back. 0: never."""


class AppConfig(Table, frozen=True, kw_only=True):
    """The part of `rig.toml` that a release keeps."""

    build: BuildConfig = BuildConfig()
    processes: dict[ProcessType, ProcessConfig] = {}
    health: HealthConfig = HealthConfig()
    env: EnvVars = {}
    deploy: DeployConfig = DeployConfig()


class ProjectFile(Table, frozen=True, kw_only=True):
    """`rig.toml`, whole. `[environments.NAME]` holds overrides of the other tables."""

    network: Label | None = None
    app: Label | None = None
    build: BuildConfig = BuildConfig()
    processes: dict[ProcessType, ProcessConfig | str] = {}
    health: HealthConfig = HealthConfig()
    env: EnvVars = {}
    deploy: DeployConfig = DeployConfig()
    environments: dict[Label, Environment] = {}


class Environment(Table, frozen=True, kw_only=True):
    """`[environments.NAME]`: each table that is given here is laid over the one of the same name."""

    network: Label | None = None
    app: Label | None = None
    build: BuildConfig | None = None
    processes: dict[ProcessType, ProcessConfig | str] | None = None
    health: HealthConfig | None = None
    env: EnvVars | None = None
    deploy: DeployConfig | None = None
