"""Which build a release stands on: the same source, build settings and isolation give the same build."""

from __future__ import annotations

import hashlib

import msgspec

from events.app import AppState, DeployStarted
from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.node.builder.model import BUILDER_VERSION
from rig.node.variables.resolve import plain
from rig.node.world import config_of


def build_key(started: DeployStarted, config: AppConfig, isolation: str) -> str:
    """The id of the build that this release wants: 20 hexadecimal digits, and its own where ``--force`` asked for one.

    Variables are part of it, since a build may read them.
    """
    parts = {
        "bundle": started.bundle,
        "build": config.build,
        "env": plain(started),
        "processes": {name: process.command for name, process in config.processes.items()},
        "isolation": isolation,
        "builder": BUILDER_VERSION,
    }
    digest = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:20]
    return f"{digest}-v{started.version}" if started.force else digest


def pending_build(state: AppState, isolation: str) -> str:
    """The build that the release which is being made will ask for; empty where none is made."""
    release = state.releases.get(state.pending)
    if release is None:
        return ""
    try:
        return release.build or build_key(release.started, config_of(release.started), isolation)
    except RigError:
        return ""  # its configuration cannot be understood, so it comes to nothing
