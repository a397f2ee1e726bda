"""Which build a release stands on: the same source, build settings and isolation give the same build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from events.app import AppState, DeployStarted
from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.node.builder.model import BUILDER_VERSION
from rig.node.variables.resolve import build_secrets, plain
from rig.node.world import config_of


def build_key(started: DeployStarted, config: AppConfig, isolation: str) -> str:
    """The id of the build that this release wants: 20 hexadecimal digits, and its own where ``--force`` asked for one.

    Variables are part of it, since a build may read them, and so are the secrets that it gets: by digests under a key
    of the node's, so that nobody can guess at a value by the id.
    """
    parts: dict[str, Any] = {
        "bundle": started.bundle,
        "build": config.build,
        "env": plain(started),
        "processes": {name: process.command for name, process in config.processes.items()},
        "isolation": isolation,
        "builder": BUILDER_VERSION,
    }
    if secrets := build_secrets(started):  # the ids of all other builds are older than this
        parts["secrets"] = {name: ref.digest for name, ref in secrets.items()}
    digest = hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:20]
    return f"{digest}-v{started.version}" if started.force else digest


def lent_builds(apps: Iterable[AppState], lender: str) -> set[str]:
    """The builds of an app that others are being promoted to, and still have to copy."""
    pending = [state.releases[state.pending].started.promoted for state in apps if state.pending]
    return {promoted.build for promoted in pending if promoted is not None and promoted.app == lender}


def build_of(state: AppState, version: int, isolation: str) -> str:
    """The id of the build that a release stands on, or will stand on: what is made of the same, if it is there already.

    ``--force`` makes more than one build of the same. Then the newest release that succeeded says which is good: one
    that was forced and did not get to serve is not taken again, nor is one that was rolled back. Raises `RigError`
    ``bad_config``.
    """
    release = state.releases[version]
    if release.build:
        return release.build
    key = build_key(release.started, config_of(release.started), isolation)
    good = [
        number
        for number, other in state.releases.items()
        if other.outcome == "succeeded" and other.build.partition("-")[0] == key
    ]
    return state.releases[max(good)].build if good else key


def pending_build(state: AppState, isolation: str) -> str:
    """The build that the release which is being made will ask for; empty where none is made."""
    if state.pending not in state.releases:
        return ""
    try:
        return build_of(state, state.pending, isolation)
    except RigError:
        return ""  # its configuration cannot be understood, so it comes to nothing
