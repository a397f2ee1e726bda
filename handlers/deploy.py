"""Deploy a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from handlers.create_vars import check_names
from handlers.follow import conclude, emit_begun, follow
from handlers.resume import find_begun, resumed_report, start_release, with_arguments
from rig.contract.accounts import Login
from rig.contract.deploy import Deploy, Deployment
from rig.contract.names import split_app
from rig.contract.node import StartNode
from rig.contract.project import AppConfig
from rig.contract.releases import Release, StartRelease
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint

T = TypeVar("T")


def handle(command: Deploy, ctx: ClientContext) -> Deployment:
    if not command.dry_run:
        ensure_platform(command, ctx)
    key = ctx.stamp.id
    if command.resume:
        earlier, release = find_begun(command.app, ctx)
        failpoint("resume.found")
        if release is not None:
            return watch(resumed_report(release), release, command, ctx)
        if earlier is not None:
            # It never got as far as a release. Under its own key it stays one intent, whatever still arrives.
            key, command = earlier.key, with_arguments(command, earlier)
    timings: dict[str, int] = {}
    sources = ctx.ports.sources
    check_vars(command)
    config, of_environment = configured(command, ctx)
    with_files = command.dry_run
    source = timed(
        timings,
        "listing",
        lambda: sources.survey(command.path, allow=command.allow_secret, progress=ctx.progress, files=with_files),
    )
    failpoint("deploy.listed")
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
    files = "1 file" if source.files == 1 else f"{source.files} files"
    ctx.progress.step(f"Sending {files} of {command.app}")
    with naming_create(command):
        sent = timed(timings, "upload", lambda: sources.send(source, split_app(command.app)[0], ctx.progress))
    report = msgspec.structs.replace(report, sent=sent)
    start = StartRelease(
        app=command.app,
        bundle=report.bundle,
        config=config,
        source=report.source,
        message=command.message,
        create=command.create,
        force=command.force,
        environment=command.env,
        environment_vars=of_environment,
        vars=command.var,
    )
    with naming_create(command):
        release = start_release(start, key, command.lock_wait, ctx)
    failpoint("deploy.accepted")
    emit_begun(release, ctx)
    ctx.record()
    failpoint("deploy.begun")
    return watch(report, release, command, ctx)


def check_vars(command: Deploy) -> None:
    """Refuse variables that cannot be; an empty one is mostly a `$NAME` that is not there. Raises `RigError`."""
    check_names(command.var)
    empty = sorted(name for name, value in command.var.items() if not value)
    if empty:
        raise RigError(
            "invalid_data",
            f"The value of `{empty[0]}` is empty.",
            f"If that is meant: `rig create var {command.app} {empty[0]}= --allow-empty`.",
        )


def configured(command: Deploy, ctx: ClientContext) -> tuple[AppConfig, dict[str, str]]:
    """What rig.toml says, and apart from it the variables of the environment that was asked for.

    They stay apart so that it can be told which of the two a value comes from.
    """
    config = ctx.ports.app_config(command.path, command.env)
    if not command.env:
        return config, {}
    file = ctx.ports.project(command.path)
    return msgspec.structs.replace(config, env=file.env), file.environments[command.env].env or {}


def watch(report: Deployment, release: Release, command: Deploy, ctx: ClientContext) -> Deployment:
    """Watch a release to its end, unless the user wants to be off; gives the report with what came of it."""
    if not command.detach:
        release = timed(report.timings, "release", lambda: follow(release, ctx, resumable=True))
        failpoint("deploy.over")
        conclude(release, ctx)
    opened = command.open and not command.detach and ctx.ports.open_browser(release.url)
    return msgspec.structs.replace(
        report, url=release.url, version=release.version, release=release, opened=opened, detached=command.detach
    )


@contextmanager
def naming_create(command: Deploy) -> Iterator[None]:
    """Where the network is not there, say how a deployment makes it; of an app, the platform says so itself."""
    try:
        yield
    except RigError as error:
        if error.code == "not_found" and not command.create and "--create" not in error.hint:
            network = split_app(command.app)[0]
            error.hint = f"Make it on the way with `--create`, or first with `rig create network {network}`."
        raise


def ensure_platform(command: Deploy, ctx: ClientContext) -> None:
    """See to it that there is a platform: on a fresh machine, offer the embedded one.

    Raises `RigError` ``login_required`` where there is none and nobody agreed.
    """
    if ctx.ports.has_platform:
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


def timed(timings: dict[str, int], step: str, work: Callable[[], T]) -> T:
    """Do ``work`` and note its milliseconds under ``step``."""
    began = time.monotonic()
    try:
        return work()
    finally:
        timings[step] = round((time.monotonic() - began) * 1000)
