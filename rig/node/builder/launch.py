"""How a build is started: the command line, environment and mounts of one process."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.node.builder.model import Build, BuildPaths, configured_commands, read_only
from rig.node.builder.toolchain import SYSTEM_PATH
from rig.node.builder.workbench import APP, HOME
from rig.node.edge.binary import find_caddy
from rig.node.runtime.driver import Driver, Mount

PATIENT = "trap exit TERM; "
"""Said to the shell before the command. A shell with a trap waits for the command that it runs, heeds the trap then,
and ends with that command's status (POSIX, 2.11 Signals and Error Handling). Without one it ends at once, what is still
finishing its requests is left without a parent, and is killed with the rest of the run. Not all shells replace
themselves by the last command of ``-c`` (dash on Debian 12 does not), and none does with two commands."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a `ProcessSpec` that the build decides."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    mounts: tuple[Mount, ...]


def process_commands(build: Build, config: AppConfig) -> dict[str, str]:
    """Process type → command line: what `[processes]` says goes before the Procfile, and that before the builder.

    Raises `RigError` ``bad_config`` where `[processes]` names a type that has no command anywhere.
    """
    commands = build.processes | configured_commands(config)
    for name in config.processes:
        if name not in commands:
            raise RigError(
                "bad_config",
                f"`[processes.{name}]` has no command, and neither the Procfile nor the builder gives one.",
                f'Set `command = "…"` under `[processes.{name}]` in rig.toml, or add `{name}: …` to the Procfile.',
            )
    return commands


def release_command(build: Build, config: AppConfig) -> str:
    """What runs once before the new version starts; empty: nothing."""
    return config.deploy.release or build.release


def launch(
    build: Build, paths: BuildPaths, driver: Driver, *, command: str, env: Mapping[str, str], port: int = 0
) -> Launch:
    """How to run ``command`` on this build. ``env`` are the app's own variables; ``port`` 0 means no PORT.

    SIGTERM goes to every process of a run, the shell among them; with :data:`PATIENT` it ends after its command and not
    before. Raises `RigError` ``conflict`` where the build was made in another place or isolation.
    """
    app = driver.place(paths.source, APP)
    if build.place != app:
        raise RigError(
            "conflict",
            f"Build {build.id} was made at {build.place} with isolation `{build.isolation}`, and its paths do not hold"
            f" at {app} with isolation `{driver.isolation}`.",
            "Deploy again, so that it is built anew.",
        )
    paths.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = build.path
    mounts = (
        Mount(source=paths.source, target=app),
        Mount(source=paths.home, target=driver.place(paths.home, HOME), writable=True),
        *read_only(build.mounts, paths),
    )
    added = {"LANG": "C.UTF-8", **build.env}
    if build.static_root:
        # Caddy is the node's own and may move with an upgrade, so it is looked for at each start.
        caddy, caddyfile = find_caddy(), driver.place(paths.caddyfile, "/run/rig/Caddyfile")
        program = driver.place(caddy, "/run/rig/bin/caddy")
        mounts += (Mount(source=caddy, target=program), Mount(source=paths.caddyfile, target=caddyfile))
        path = (*path, program.removesuffix("/caddy"))
        added |= {
            "CADDYFILE": caddyfile,
            "STATIC_ROOT": app if build.static_root == "." else f"{app}/{build.static_root}",
        }
    full = {
        **added,
        **env,
        "PATH": ":".join((*path, env.get("PATH") or ":".join(SYSTEM_PATH))),
        "HOME": driver.place(paths.home, HOME),
    }
    if port:
        full["PORT"] = str(port)
    return Launch(argv=("/bin/sh", "-c", PATIENT + command), env=full, cwd=app, mounts=mounts)
