"""`rig restart`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, RestartApp


def show(app: App, out: Output) -> None:
    if not app.working:
        out.line(f"{app.name} is restarted; its new processes serve.")
        return
    out.line(f"{app.name} is being restarted; what runs serves until the new processes are healthy.")
    out.hint(f"See how it goes: rig status app {app.name}")


VERBS = {"": Verb(command=RestartApp, render=show)}
