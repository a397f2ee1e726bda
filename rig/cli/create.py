"""`rig create network|app|member|token|var|secret`."""

from __future__ import annotations

from rig.cli.humanize import moment, scope
from rig.cli.output import Output
from rig.cli.variables import show_change
from rig.cli.verb import Verb
from rig.contract.apps import App, CreateApp
from rig.contract.members import CreateMember, Member
from rig.contract.networks import CreateNetwork, Network
from rig.contract.secrets import CreateSecret
from rig.contract.tokens import CreateToken, NewToken
from rig.contract.variables import CreateVars


def show_network(network: Network, out: Output) -> None:
    out.line(f"Made network {network.name}; its apps are served under {network.domain}.")
    out.hint(f"Next: rig deploy --app {network.name}/APP --create")


def show_app(app: App, out: Output) -> None:
    out.line(f"Made app {app.name}; it will be served at {app.url}.")
    out.hint(f"Next: rig deploy --app {app.name}")


def show_member(member: Member, out: Output) -> None:
    out.line(f"{member.name} is {member.role} of {scope(member.network)} now.")


def show_token(token: NewToken, out: Output) -> None:
    # The token alone goes to standard output, so that it can be piped to where a CI keeps its secrets.
    may = f"{token.role} of {scope(token.network)}"
    out.note(f"Token {token.name}: {may}, until {moment(token.expires_at)}. It is shown this once:")
    out.line(token.token)


VERBS = {
    "network": Verb(command=CreateNetwork, render=show_network),
    "app": Verb(command=CreateApp, render=show_app),
    "member": Verb(command=CreateMember, render=show_member),
    "token": Verb(command=CreateToken, render=show_token),
    "var": Verb(command=CreateVars, render=show_change),
    "secret": Verb(command=CreateSecret, render=show_change),
}
