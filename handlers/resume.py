"""Going on with a deployment that was begun, and waiting for one of somebody else's: never a second release."""

from __future__ import annotations

import time

import msgspec

from events.command import CommandReceived
from handlers.follow import WAIT
from handlers.reconcile import Unsettled, unsettled
from rig.contract.apps import AppStatus, ShowAppStatus
from rig.contract.deploy import Deploy, Deployment
from rig.contract.intents import Intent, ShowIntent
from rig.contract.releases import Release, ShowRelease, StartRelease
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError


def find_begun(app: str, ctx: ClientContext) -> tuple[Unsettled | None, Release | None]:
    """The newest deployment of ``app`` from here that was cut off, and the release it got to, if it did.

    Without one, the release that is being made of the app, whoever began it. Raises `RigError` ``not_found`` where
    there is neither.
    """
    platform, corr = ctx.ports.platform, ctx.stamp.corr
    mine = [change for change in unsettled(ctx.journal, ctx.stamp.context, ctx.stamp.at, app) if _may_begin(change)]
    if mine:
        intent = platform.call(ShowIntent(key=mine[-1].key), Intent, corr=corr)
        if intent.state == "none":
            return mine[-1], None
        if intent.version:
            return mine[-1], platform.call(ShowRelease(app=app, version=intent.version), Release, corr=corr)
    status = platform.call(ShowAppStatus(app=app), AppStatus, corr=corr)
    if status.deployment:
        return None, platform.call(ShowRelease(app=app, version=status.deployment), Release, corr=corr)
    raise RigError(
        "not_found",
        f"There is no deployment of {app} to go on with.",
        f"Begin one with `rig deploy --app {app}`; `rig history {app}` shows those that are over.",
    )


def _may_begin(change: Unsettled) -> bool:
    """Whether it is a deployment of its own: one that resumes another sends nothing under a key of its own."""
    fact = change.received.fact
    return isinstance(fact, CommandReceived) and fact.command == "deploy" and not fact.arguments.get("resume")


def with_arguments(command: Deploy, earlier: Unsettled) -> Deploy:
    """The command with what the earlier one said and this one leaves open: message, environment, variables, consent."""
    fact = earlier.received.fact
    assert isinstance(fact, CommandReceived)
    names = ("message", "env", "var", "create", "force")
    kept = {name: fact.arguments[name] for name in names if name in fact.arguments}
    given = {name: value for name in kept if (value := getattr(command, name))}
    return msgspec.structs.replace(command, **{**kept, **given})


def resumed_report(release: Release) -> Deployment:
    """The report of a release whose source was sent before."""
    return Deployment(
        app=release.app, bundle=release.bundle, source=release.source, files=0, bytes=0, resumed=True, timings={}
    )


def start_release(start: StartRelease, key: str, patience: int, ctx: ClientContext) -> Release:
    """Have the platform take the release on, waiting up to ``patience`` seconds while somebody else deploys the app.

    Raises `RigError` ``locked`` that says who does, since when and why.
    """
    platform, corr = ctx.ports.platform, ctx.stamp.corr
    deadline = time.monotonic() + patience
    while True:
        try:
            return platform.call(start, Release, key=key, corr=corr)
        except RigError as error:
            other = error.details.get("version")
            if error.code != "locked" or not isinstance(other, int) or time.monotonic() >= deadline:
                raise
            ctx.progress.step(f"Waiting: {error.message}")
        phase = ""
        while (left := deadline - time.monotonic()) > 0:
            ask = ShowRelease(app=start.app, version=other, wait=min(WAIT, int(left) + 1), seen=phase)
            holder = platform.call(ask, Release, corr=corr)
            if holder.outcome != "pending":
                break
            phase = holder.phase
