"""`rig whoami`."""

from __future__ import annotations

from rig.cli.humanize import moment
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.accounts import Account, Whoami


def show(account: Account, out: Output) -> None:
    roles = ", ".join(f"{role} of {network}" for network, role in sorted(account.roles.items()))
    out.pairs(
        [
            ("name", account.name),
            ("actor", account.actor),
            ("roles", "owner of the whole platform" if account.owner else roles or "none"),
            ("until", moment(account.expires_at)),
        ]
    )


VERBS = {"": Verb(command=Whoami, render=show)}
