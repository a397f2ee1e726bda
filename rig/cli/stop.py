"""`rig stop`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, StopApp


def show(app: App, out: Output) -> None:
    out.line(f"{app.name} is {app.working or 'stopped'}.")
    out.hint(f"To start it again: rig start {app.name}")


VERBS = {"": Verb(command=StopApp, render=show)}
