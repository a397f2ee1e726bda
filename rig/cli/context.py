"""`rig context list|use`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.accounts import ContextList, ContextRow, ListContexts, UseContext


def show_list(contexts: ContextList, out: Output) -> None:
    rows = [
        ("*" if row.current else "", row.name, row.url, row.account, row.network, row.store)
        for row in contexts.contexts
    ]
    out.table(
        ("", "CONTEXT", "PLATFORM", "ACCOUNT", "NETWORK", "TOKENS IN"), rows, empty="None yet. Make one: rig login"
    )


def show_used(row: ContextRow, out: Output) -> None:
    network = f", network {row.network}" if row.network else ""
    out.line(f"Commands go to {row.name} now: {row.url}{network}.")


VERBS = {
    "list": Verb(command=ListContexts, render=show_list, rows=lambda contexts: contexts.contexts),
    "use": Verb(command=UseContext, render=show_used),
}
