"""`rig create network|app`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, CreateApp
from rig.contract.networks import CreateNetwork, Network


def show_network(network: Network, out: Output) -> None:
    out.line(f"Made network {network.name}; its apps are served under {network.domain}.")
    out.hint(f"Next: rig deploy --app {network.name}/APP --create")


def show_app(app: App, out: Output) -> None:
    out.line(f"Made app {app.name}; it will be served at {app.url}.")
    out.hint(f"Next: rig deploy --app {app.name}")


VERBS = {
    "network": Verb(command=CreateNetwork, render=show_network),
    "app": Verb(command=CreateApp, render=show_app),
}
