"""`rig start`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, StartApp


def show(app: App, out: Output) -> None:
    out.line(f"{app.name} is {app.working or 'started'}; it is served at {app.url}.")


VERBS = {"": Verb(command=StartApp, render=show)}
