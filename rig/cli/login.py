"""`rig login`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.accounts import LoggedIn, Login


def show(login: LoggedIn, out: Output) -> None:
    out.line(f"Logged in to {login.url} as {login.account.name}; the context is called {login.context}.")
    if login.account.owner and not login.account.roles:
        out.hint("Next: rig create network NAME")


VERBS = {"": Verb(command=Login, render=show)}
