"""Which build a release stands on: the same source, build settings and isolation give the same build."""

from __future__ import annotations

import hashlib

import msgspec

from events.app import DeployStarted
from rig.contract.project import AppConfig
from rig.node.builder.model import BUILDER_VERSION


def build_key(started: DeployStarted, config: AppConfig, isolation: str) -> str:
    """The id of the build that this release wants: 20 hexadecimal digits, and its own where ``--force`` asked for one.

    Variables are part of it, since a build may read them.
    """
    parts = {
        "bundle": started.bundle,
        "build": config.build,
        "env": config.env,
        "processes": {name: process.command for name, process in config.processes.items()},
        "isolation": isolation,
        "builder": BUILDER_VERSION,
    }
    digest = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:20]
    return f"{digest}-v{started.version}" if started.force else digest
