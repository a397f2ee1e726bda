"""`rig delete network|app|member|token|var|secret`."""

from __future__ import annotations

from rig.cli.create import whole
from rig.cli.output import Output
from rig.cli.variables import show_change
from rig.cli.verb import Verb
from rig.contract.apps import App, DeleteApp
from rig.contract.members import DeleteMember, Member
from rig.contract.networks import DeleteNetwork, Network
from rig.contract.secrets import DeleteSecret
from rig.contract.tokens import DeleteToken, Token
from rig.contract.variables import DeleteVars


def show_network(network: Network, out: Output) -> None:
    out.line(f"Deleted network {network.name}.")


def show_app(app: App, out: Output) -> None:
    out.line(f"Deleted app {app.name}. Its history stays in the journal.")


def show_member(member: Member, out: Output) -> None:
    out.line(f"{member.name} is no longer {member.role} of {whole(member.network)}.")


def show_token(token: Token, out: Output) -> None:
    out.line(f"Deleted token {token.name}. It is good for nothing any more.")


VERBS = {
    "network": Verb(
        command=DeleteNetwork,
        render=show_network,
        question=lambda command: f"Delete network {command.name}{' with all its apps' if command.cascade else ''}?",
        word=lambda command: command.name if command.cascade else "",
    ),
    "app": Verb(
        command=DeleteApp, render=show_app, question=lambda command: f"Delete app {command.app} and stop its processes?"
    ),
    "member": Verb(
        command=DeleteMember,
        render=show_member,
        question=lambda command: f"Take the role of {command.name} in {whole(command.network)} away?",
    ),
    "token": Verb(
        command=DeleteToken, render=show_token, question=lambda command: f"Delete token {command.name} for good?"
    ),
    "var": Verb(command=DeleteVars, render=show_change),
    "secret": Verb(command=DeleteSecret, render=show_change),
}
