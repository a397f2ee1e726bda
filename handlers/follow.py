"""Watching a release until it is over. Its verdict comes from its status, never from its output."""

from __future__ import annotations

import msgspec

from events.app import DeployFailed, DeployRolledBack, DeployStarted, DeploySucceeded
from events.base import Fact
from rig.contract.releases import BuildLog, Release, ShowBuildLog, ShowRelease
from rig.kernel.bus import as_rig_error
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint

WAIT = 20
"""Seconds that the platform holds an answer back while nothing changes."""
WAIT_WITH_OUTPUT = 1
"""The same while there is output to show, and before somebody is told that a release has to wait for its turn."""
PAGE = 1000
"""Lines of output that are asked for at once."""

STEPS = {
    "queued": "Waiting for the turn of {}",
    "building": "Building {}",
    "releasing": "",  # its output begins with the command
    "starting": "Starting {}",
    "checking": "Checking the health of {}",
    "switching": "Switching to {}",
}
TAKING_OVER = "Taking over the build for {}"
"""What the phase ``building`` is of a release that was promoted."""
REUSING = "Reusing the build of {}"
"""What is said in its place where the build is there."""


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
            supplied=release.supplied,
            environment=release.environment,
            promoted=release.promoted,
        )
    ]


def emit_begun(release: Release, ctx: ClientContext) -> None:
    """Note the beginning of a release for the local record."""
    for fact in begun(release):
        ctx.emit(f"app:{release.app}", fact, target=release.app)


def ended(release: Release) -> list[Fact]:
    """What is on the local record once it is over."""
    if release.outcome == "succeeded":
        done = DeploySucceeded(app=release.app, version=release.version, bundle=release.bundle, url=release.url)
        if not release.rollback_of:
            return [done]
        return [done, DeployRolledBack(app=release.app, version=release.version, restored=release.rollback_of)]
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


def follow(release: Release, ctx: ClientContext, *, resumable: bool = False) -> Release:
    """Report each step and the build's output until the release is over; gives it as it is then.

    Whatever ends the watching, the release goes on: the `RigError` says so, and the record calls its end unknown. Where
    the release is ``resumable``, it names `rig deploy --resume`.
    """
    said: list[str] = []
    shown, phase = 0, ""
    try:
        while release.outcome == "pending":
            _say_reuse(release, said, ctx)
            waits = release.phase == phase == "queued"
            phase = release.phase
            if phase != "queued" or waits:  # nearly every release has its turn at once
                _say(phase, said, release, ctx)
            noisy = phase in {"building", "releasing"}
            brief = noisy or (phase == "queued" and not waits)
            ask = ShowRelease(
                app=release.app, version=release.version, wait=WAIT_WITH_OUTPUT if brief else WAIT, seen=phase
            )
            release = ctx.ports.platform.call(ask, Release, corr=ctx.stamp.corr)
            failpoint("follow.looked")
            if noisy or (release.rebuilt and not shown):
                # A build may be over before anybody saw its phase; its output is shown all the same.
                if release.rebuilt:
                    _say("building", said, release, ctx)
                shown = _show_output(release, shown, ctx)
    except (KeyboardInterrupt, SystemExit) as signalled:
        raise _lost_sight(release, as_rig_error(signalled), resumable) from None
    except RigError as error:
        if error.code == "not_found":  # somebody has deleted the app
            raise
        raise _lost_sight(release, error, resumable) from error
    _say_reuse(release, said, ctx)  # it may have been over before anybody looked
    return release


def _say(phase: str, said: list[str], release: Release, ctx: ClientContext) -> None:
    """Report a step of a release, once."""
    text = TAKING_OVER if phase == "building" and release.promoted else STEPS.get(phase, phase)
    if text and phase not in said:
        said.append(phase)
        ctx.progress.step(text.format(f"v{release.version}"))


def _say_reuse(release: Release, said: list[str], ctx: ClientContext) -> None:
    """Report once that there is nothing to build, and whose build it is."""
    if release.built_by not in (0, release.version) and REUSING not in said:
        said.append(REUSING)
        ctx.progress.step(REUSING.format(f"v{release.built_by}"))


def _lost_sight(release: Release, error: RigError, resumable: bool) -> RigError:
    still = f"v{release.version} of {release.app} is still being made on the platform"
    look = f"`rig status app {release.app}` shows how far it is"
    look += ", and `rig deploy --resume` in its folder goes on watching." if resumable else "."
    lost = RigError(error.code, f"{error.message} As far as is known, {still}.", f"{error.hint} {look}".strip())
    lost.details, lost.unclear = error.details, True
    return lost


def _show_output(release: Release, shown: int, ctx: ClientContext) -> int:
    """Print the build output that is new; gives how many lines were printed in all."""
    while True:
        ask = ShowBuildLog(app=release.app, version=f"v{release.version}", after=shown, limit=PAGE)
        log = ctx.ports.platform.call(ask, BuildLog, corr=ctx.stamp.corr)
        for line in log.lines:
            ctx.progress.line(line.text)
        shown = log.next
        if len(log.lines) < PAGE:
            return shown


def conclude(release: Release, ctx: ClientContext) -> None:
    """Put the end of a release on the local record. Raises `RigError` with its reason if it failed."""
    outcome = "success" if release.outcome == "succeeded" else "failure"
    for fact in ended(release):
        ctx.emit(f"app:{release.app}", fact, target=release.app, outcome=outcome)
    if release.outcome == "succeeded":
        return
    ctx.record()
    still = f" v{release.previous} still serves." if release.previous else ""
    raise RigError(
        release.code or "failed",
        f"v{release.version} of {release.app} failed: {release.reason.rstrip('.')}.{still}",
        release.hint or f"`rig logs build {release.app} v{release.version}` shows its output.",
        output=release.output,
        app=release.app,
        version=release.version,
    )
