"""`rig logout`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.accounts import Logout
from rig.contract.base import Done


def show(done: Done, out: Output) -> None:
    out.line(done.message or f"Logged out of {done.target}.")


VERBS = {"": Verb(command=Logout, render=show)}
