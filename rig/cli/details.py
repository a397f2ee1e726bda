"""`rig details app|network|var|secret|token|member`."""

from __future__ import annotations

from rig.cli.humanize import moment, scope, size, who
from rig.cli.output import Output
from rig.cli.variables import DIGITS, shown, state
from rig.cli.verb import Verb
from rig.contract.apps import App, ShowApp
from rig.contract.members import MemberDetails, ShowMember
from rig.contract.networks import Network, ShowNetwork
from rig.contract.secrets import SecretDetails, ShowSecret
from rig.contract.tokens import ShowToken, Token
from rig.contract.variables import ShowVar, Var


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
            ("processes", processes(app)),
            ("memory", memory(app)),
            ("created", f"{moment(app.created_at)} by {who(app.created_by)}"),
            ("updated", moment(app.updated_at)),
        ]
    )


def processes(app: App) -> str:
    """``web=2, worker=1``."""
    return ", ".join(f"{name}={count}" for name, count in sorted(app.processes.items()))


def memory(app: App) -> str:
    """``web 512.0 MiB, worker 1.0 GiB``: what a process of each type may take."""
    limits = sorted(app.memory.items())
    return ", ".join(f"{'each' if process == '*' else process} {size(limit)}" for process, limit in limits)


def release(app: App) -> str:
    """``v3, by ana, 2026-11-01 12:00:00Z``."""
    if not app.version:
        return "none yet"
    made = f", by {who(app.deployed_by)}, {moment(app.deployed_at)}" if app.deployed_at else ""
    return f"v{app.version}{made}"


def show_network(network: Network, out: Output) -> None:
    out.pairs(
        [
            ("network", network.name),
            ("domain", network.domain),
            ("apps", str(network.apps)),
            ("your role", network.role),
            ("about", network.description),
            ("protected", "yes: neither it nor its apps can be deleted" if network.protected else ""),
            ("created", f"{moment(network.created_at)} by {who(network.created_by)}"),
        ]
    )


def show_var(var: Var, out: Output) -> None:
    out.pairs(
        [
            ("variable", var.name),
            ("value", shown(var)),
            ("from", var.origin),
            ("set", f"{moment(var.set_at)} by {who(var.set_by)}" if var.set_at else ""),
            ("state", state(var)),
        ]
    )
    if len(var.stack) > 1:
        out.line()
    rows = [(layer.origin, shown(layer), who(layer.set_by), moment(layer.set_at)) for layer in var.stack[1:]]
    out.table(("HIDES", "VALUE", "SET BY", "SET AT"), rows)


def show_secret(secret: SecretDetails, out: Output) -> None:
    out.pairs([("secret", secret.name)])
    out.line()
    rows = [
        (
            layer.origin,
            layer.digest[:DIGITS],
            layer.version,
            who(layer.set_by),
            moment(layer.set_at),
            state(layer),
        )
        for layer in secret.secrets
    ]
    out.table(("FROM", "DIGEST", "VERSION", "SET BY", "SET AT", "STATE"), rows)


def show_token(token: Token, out: Output) -> None:
    out.pairs(
        [
            ("token", token.name),
            ("may", f"{token.role} of {scope(token.network)}"),
            ("until", moment(token.expires_at)),
            ("last used", moment(token.used_at) or "never"),
            ("made", f"{moment(token.created_at)} by {who(token.created_by)}"),
        ]
    )


def show_member(details: MemberDetails, out: Output) -> None:
    member = details.member
    state = " (invited)" if member.state == "invited" else ""
    out.pairs([("member", member.name), ("may", f"{member.role} of {scope(member.network)}{state}")])
    if details.changes:
        out.line()
    rows = [(moment(change.at), change.what, change.role, who(change.by)) for change in details.changes]
    out.table(("WHEN", "WHAT", "ROLE", "BY"), rows)


VERBS = {
    "app": Verb(command=ShowApp, render=show_app),
    "network": Verb(command=ShowNetwork, render=show_network),
    "var": Verb(command=ShowVar, render=show_var, rows=lambda var: var.stack),
    "secret": Verb(command=ShowSecret, render=show_secret, rows=lambda secret: secret.secrets),
    "token": Verb(command=ShowToken, render=show_token),
    "member": Verb(command=ShowMember, render=show_member, rows=lambda details: details.changes),
}
