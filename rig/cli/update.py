"""`rig update app|network|member`."""

from __future__ import annotations

from rig.cli.create import show_member
from rig.cli.details import memory, show_network
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, UpdateApp
from rig.contract.members import UpdateMember
from rig.contract.networks import UpdateNetwork


def show(app: App, out: Output) -> None:
    counts = ", ".join(f"{process}={count}" for process, count in sorted(app.processes.items()))
    out.line(f"{app.name} now wants {counts or 'nothing yet'}.")
    if app.memory:
        out.line(f"Its processes may take: {memory(app)}.")


VERBS = {
    "app": Verb(command=UpdateApp, render=show),
    "network": Verb(command=UpdateNetwork, render=show_network),
    "member": Verb(command=UpdateMember, render=show_member),
}
