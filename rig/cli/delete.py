"""`rig delete network|app|member|token|var|secret`."""

from __future__ import annotations

from rig.cli.humanize import count, moment, scope
from rig.cli.output import Output
from rig.cli.variables import show_change
from rig.cli.verb import Verb
from rig.contract.apps import App, DeleteApp, ShowApp
from rig.contract.members import DeleteMember, Member, ShowMember
from rig.contract.networks import DeleteNetwork, Network, ShowNetwork
from rig.contract.secrets import DeleteSecret
from rig.contract.tokens import DeleteToken, ShowToken, Token
from rig.contract.variables import DeleteVars
from rig.kernel.errors import RigError


def show_network(network: Network, out: Output) -> None:
    out.line(f"Deleted network {network.name}.")


def show_app(app: App, out: Output) -> None:
    out.line(f"Deleted app {app.name}. Its history stays in the journal.")
    out.hint(f"To read it: rig audit --target {app.name}")


def show_member(member: Member, out: Output) -> None:
    out.line(f"{member.name} is no longer {member.role} of {scope(member.network)}.")


def show_token(token: Token, out: Output) -> None:
    out.line(f"Deleted token {token.name}. It is good for nothing any more.")


def apps_of(command: DeleteNetwork, network: Network) -> str:
    """What a network holds. Raises `RigError` ``conflict`` where its apps are in the way."""
    apps = count(network.apps, "app")
    if network.apps and not command.cascade:
        raise RigError(
            "conflict",
            f"Network `{network.name}` still has {apps}.",
            f"Delete them first, or all of it: `rig delete network {network.name} --cascade`.",
        )
    return f"It has {apps}."


VERBS = {
    "network": Verb(
        command=DeleteNetwork,
        render=show_network,
        question=lambda command: f"Delete network {command.name}{' with all its apps' if command.cascade else ''}?",
        look=lambda command: ShowNetwork(name=command.name),
        seen=apps_of,
        word=lambda command: command.name if command.cascade else "",
    ),
    "app": Verb(
        command=DeleteApp,
        render=show_app,
        question=lambda command: f"Delete app {command.app} and stop its processes?",
        look=lambda command: ShowApp(app=command.app),
        seen=lambda command, app: f"It is {app.status}{f', v{app.version}' if app.version else ''}.",
    ),
    "member": Verb(
        command=DeleteMember,
        render=show_member,
        question=lambda command: f"Take the role of {command.name} in {scope(command.network)} away?",
        look=lambda command: ShowMember(network=command.network, name=command.name),
        seen=lambda command, details: f"It is {details.member.role}.",
    ),
    "token": Verb(
        command=DeleteToken,
        render=show_token,
        question=lambda command: f"Delete token {command.name} for good?",
        look=lambda command: ShowToken(name=command.name),
        seen=lambda command, token: f"It was last used: {moment(token.used_at) or 'never'}.",
    ),
    "var": Verb(command=DeleteVars, render=show_change),
    "secret": Verb(command=DeleteSecret, render=show_change),
}
