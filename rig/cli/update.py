"""`rig update app|network|member`."""

from __future__ import annotations

from rig.cli.create import show_member
from rig.cli.details import memory, processes, show_network
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, UpdateApp
from rig.contract.members import UpdateMember
from rig.contract.networks import UpdateNetwork


def show(app: App, out: Output) -> None:
    out.line(f"{app.name} now wants {processes(app) or 'nothing yet'}.")
    if app.memory:
        out.line(f"Its processes may take: {memory(app)}.")


VERBS = {
    "app": Verb(command=UpdateApp, render=show),
    "network": Verb(command=UpdateNetwork, render=show_network),
    "member": Verb(command=UpdateMember, render=show_member),
}
