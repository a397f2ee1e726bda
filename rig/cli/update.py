"""`rig update app|member`."""

from __future__ import annotations

from rig.cli.create import show_member
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.apps import App, UpdateApp
from rig.contract.members import UpdateMember


def show(app: App, out: Output) -> None:
    counts = ", ".join(f"{process}={count}" for process, count in sorted(app.processes.items()))
    out.line(f"{app.name} now wants {counts}.")


VERBS = {
    "app": Verb(command=UpdateApp, render=show),
    "member": Verb(command=UpdateMember, render=show_member),
}
