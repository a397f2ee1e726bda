"""`rig details app|network`."""

from __future__ import annotations

from rig.cli.humanize import moment
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, ShowApp
from rig.contract.networks import Network, ShowNetwork


def show_app(app: App, out: Output) -> None:
    out.pairs(
        [
            ("app", app.name),
            ("url", app.url),
            ("status", app.status),
            ("at", f"{moment(app.at)}, from the record" if app.at else ""),
            ("release", release(app)),
            ("commit", app.commit),
            ("message", app.message),
            ("promoted from", app.promoted_from),
            ("environment", app.environment),
            ("for this release", ", ".join(app.overrides)),
            ("processes", ", ".join(f"{name}={count}" for name, count in sorted(app.processes.items()))),
            ("created", f"{moment(app.created_at)} by {app.created_by}"),
            ("updated", moment(app.updated_at)),
        ]
    )


def release(app: App) -> str:
    """``v3, by user:ana, 2026-11-01 12:00:00Z``."""
    if not app.version:
        return "none yet"
    return f"v{app.version}, by {app.deployed_by}, {moment(app.deployed_at)}" if app.deployed_at else f"v{app.version}"


def show_network(network: Network, out: Output) -> None:
    out.pairs(
        [
            ("network", network.name),
            ("domain", network.domain),
            ("apps", str(network.apps)),
            ("your role", network.role),
            ("created", f"{moment(network.created_at)} by {network.created_by}"),
        ]
    )


VERBS = {
    "app": Verb(command=ShowApp, render=show_app),
    "network": Verb(command=ShowNetwork, render=show_network),
}
