"""Waiting until the platform has done to an app what it has agreed to."""

from __future__ import annotations

import time

import msgspec

from rig.contract.apps import App, AppStatus, ShowAppStatus
from rig.kernel.bus import as_rig_error
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError

WAIT = 20
"""Seconds that the platform holds an answer back while something is being done."""
DONE = {"starting": "started", "stopping": "stopped", "restarting": "restarted", "scaling": "scaled"}


def settle(app: App, doing: str, ctx: ClientContext, *, no_wait: bool, timeout: int) -> App:
    """Put on the local record what was agreed to, and wait for its end; gives the app as it is then.

    Raises `RigError` with the reason where it did not come off, ``pending`` where ``timeout`` seconds are over.
    """
    if no_wait:
        return msgspec.structs.replace(app, working=doing)
    ctx.record()
    try:
        return _watch(app, doing, timeout, ctx)
    except (KeyboardInterrupt, SystemExit) as signalled:
        error = as_rig_error(signalled)
        raise _goes_on(error.code, error.message, app, doing) from None


def _watch(app: App, doing: str, timeout: int, ctx: ClientContext) -> App:
    deadline = time.monotonic() + timeout
    said = False
    while True:
        left = deadline - time.monotonic()
        # The first look is a short one: nearly everything is done at once, and needs no word.
        wait = min(WAIT if said else 1, max(1, int(left)))
        status = ctx.ports.platform.call(ShowAppStatus(app=app.name, wait=wait), AppStatus, corr=ctx.stamp.corr)
        if not status.app.working:
            return _ended(status, doing)
        if time.monotonic() >= deadline:
            raise _goes_on("pending", f"{app.name} is not {DONE[doing]} yet, after {timeout} s.", app, doing)
        if not said:
            ctx.progress.step(f"{doing.capitalize()} {app.name}")
            said = True


def _goes_on(code: str, said: str, app: App, doing: str) -> RigError:
    return RigError(
        code,
        f"{said} The platform goes on {doing} {app.name}.",
        f"`rig status app {app.name}` shows how far it is.",
    )


def _ended(status: AppStatus, doing: str) -> App:
    trouble, name = status.trouble, status.app.name
    if trouble is None:
        return status.app
    kept = " What ran before still serves." if doing == "restarting" else ""
    raise RigError(
        trouble.code,
        f"{name} could not be {DONE[doing]}: {trouble.message}{kept}",
        trouble.hint or f"`rig status app {name}` shows how it is.",
        output=trouble.output,
    )
