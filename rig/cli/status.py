"""`rig status app`."""

from __future__ import annotations

from rig.cli.humanize import ago, size
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import AppStatus, ShowAppStatus


def show(status: AppStatus, out: Output) -> None:
    app = status.app
    out.pairs(
        [
            ("app", app.name),
            ("status", app.status),
            ("release", f"v{app.version}" if app.version else "none yet"),
            ("url", app.url),
            ("isolation", status.isolation),
            ("deploying", f"v{status.deployment}, {status.phase}" if status.deployment else ""),
        ]
    )
    if status.instances:
        out.line()
    rows = [
        (i.name, i.state, f"v{i.version}", ago(i.started_at), i.restarts, i.exit, size(i.memory) if i.memory else "")
        for i in status.instances
    ]
    out.table(("PROCESS", "STATE", "RELEASE", "STARTED", "RESTARTS", "LAST EXIT", "MEMORY"), rows)


VERBS = {"app": Verb(command=ShowAppStatus, render=show, rows=lambda status: status.instances)}
