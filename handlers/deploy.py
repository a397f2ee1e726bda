"""Deploy a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from events.app import DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from handlers.follow import conclude, follow
from rig.contract.accounts import Login
from rig.contract.deploy import Deploy, Deployment
from rig.contract.names import split_app
from rig.contract.node import StartNode
from rig.contract.project import AppConfig
from rig.contract.releases import Release, StartRelease
from rig.kernel.client import ClientContext, send
from rig.kernel.errors import RigError

T = TypeVar("T")


def begun(release: Release) -> list[Fact]:
    """What is on the local record once the platform has taken a release on."""
    return [
        DeployStarted(
            app=release.app,
            version=release.version,
            bundle=release.bundle,
            config=msgspec.to_builtins(release.config),
            source=msgspec.to_builtins(release.source),
            message=release.message,
            changed=release.changed,
            previous=release.previous,
            rollback_of=release.rollback_of,
            isolation=release.isolation,
        )
    ]


def ended(release: Release) -> list[Fact]:
    """What is on the local record once it is over."""
    if release.outcome == "succeeded":
        return [DeploySucceeded(app=release.app, version=release.version, bundle=release.bundle, url=release.url)]
    return [
        DeployFailed(
            app=release.app,
            version=release.version,
            code=release.code,
            reason=release.reason,
            hint=release.hint,
            output=release.output,
        )
    ]


def handle(command: Deploy, ctx: ClientContext) -> Deployment:
    if not command.dry_run:
        settle(command, ctx)
    timings: dict[str, int] = {}
    sources = ctx.ports.sources
    config = ctx.ports.app_config(command.path, command.env)
    with_files = command.dry_run
    source = timed(
        timings,
        "listing",
        lambda: sources.survey(command.path, allow=command.allow_secret, progress=ctx.progress, files=with_files),
    )
    for warning in source.warnings:
        ctx.warn(warning)
    report = Deployment(
        app=command.app,
        dry_run=command.dry_run,
        bundle=source.bundle,
        source=sources.info(command.path),
        files=source.files,
        bytes=source.bytes,
        listing=source.listing,
        timings=timings,
    )
    if command.dry_run:
        return report
    if source.files == 0:
        raise RigError("invalid_data", f"There is nothing to deploy in `{command.path}`.", "Is it the right folder?")
    ctx.progress.step(f"Sending {source.files} files of {command.app}")
    sent = timed(timings, "upload", lambda: sources.send(source, split_app(command.app)[0], ctx.progress))
    release = timed(timings, "release", lambda: release_it(command, report, config, ctx))
    opened = command.open and ctx.ports.open_browser(release.url)
    return msgspec.structs.replace(
        report, sent=sent, url=release.url, version=release.version, release=release, opened=opened
    )


def settle(command: Deploy, ctx: ClientContext) -> None:
    """See to it that there is a platform: on a fresh machine, offer the embedded one.

    Raises `RigError` ``login_required`` where there is none and nobody agreed.
    """
    if ctx.ports.settled:
        return
    question = "You have no platform yet. Start a Max node on this machine?"
    if not command.local and not ctx.ports.terminal.agree(question, default=True):
        raise RigError(
            "login_required",
            "There is no platform to deploy to.",
            "`rig login URL` logs in to one; `rig deploy --local` starts one on this machine.",
        )
    ctx.ports.perform(StartNode())
    ctx.ports.perform(Login())


def release_it(command: Deploy, report: Deployment, config: AppConfig, ctx: ClientContext) -> Release:
    """Have the platform make the release, and watch it to its end. Raises `RigError` with the reason if it failed."""
    start = StartRelease(
        app=command.app,
        bundle=report.bundle,
        config=config,
        source=report.source,
        message=command.message,
        create=command.create,
        force=command.force,
    )
    release = send(ctx, start, Release)
    for fact in begun(release):
        ctx.emit(f"app:{release.app}", fact, target=release.app)
    ctx.record()
    release = follow(release, ctx)
    conclude(release, ended(release), ctx)
    return release


def timed(timings: dict[str, int], step: str, work: Callable[[], T]) -> T:
    """Do ``work`` and note its milliseconds under ``step``."""
    began = time.monotonic()
    try:
        return work()
    finally:
        timings[step] = round((time.monotonic() - began) * 1000)
