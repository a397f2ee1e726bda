"""How variables and secrets are shown, for the verbs that have to do with them."""

from __future__ import annotations

from rig.cli.humanize import minute, who
from rig.cli.output import Output
from rig.cli.pages import more
from rig.contract.secrets import Secret, SecretPage
from rig.contract.variables import Layer, MadeRelease, SecretDiff, Var, VarDiff, VariablesChange, VarPage

DIGITS = 12
"""Of a digest: enough to see that two values are equal or not."""


def show_change(change: VariablesChange, out: Output) -> None:
    diffs: dict[str, VarDiff | SecretDiff] = {**change.vars, **change.secrets}
    of = f"of {change.target}"
    for name, diff in sorted(diffs.items()):
        if diff.after is None:
            out.line(f"Removed {name} {of}.")
        else:
            out.line(f"{'Set' if diff.before is None else 'Changed'} {name} {of}.")
    for name in change.unchanged:
        out.line(f"{name} {of} was so already.")
    show_releases(change.releases, out)
    if change.staged:
        app = change.target if "/" in change.target else f"{change.target}/APP"
        out.hint(f"The next release takes it: rig deploy --app {app}")


def show_releases(releases: list[MadeRelease], out: Output) -> None:
    """The releases that a change has made."""
    for made in releases:
        out.line(f"v{made.version} of {made.app} has it.")


def shown(one: Var | Layer) -> str:
    """A value; of a secret the beginning of its digest."""
    return f"(secret) {one.digest[:DIGITS]}" if one.secret else one.value


def state(one: Var | Secret) -> str:
    """What keeps a value from being in force: another one wins over it, or it waits for the next release."""
    return "hidden" if isinstance(one, Secret) and one.hidden else "" if one.deployed else "not deployed"


def show_vars(page: VarPage, out: Output) -> None:
    headers = ["NAME", "VALUE", "ORIGIN", "SET BY", "SET AT", "STATE"]
    rows = [
        [
            var.name,
            shown(var),
            var.origin,
            who(var.set_by),
            minute(var.set_at),
            state(var),
        ]
        for var in page.vars
    ]
    if any(var.stack for var in page.vars):
        headers.append("HIDES")
        for row, var in zip(rows, page.vars, strict=True):
            row.append(", ".join(map(_hidden, var.stack[1:])))
    out.table(headers, rows, empty="No variables yet. Set one: rig create var NETWORK/APP NAME=VALUE")
    more(page.next, out)


def _hidden(layer: Layer) -> str:
    """A value over which another one wins."""
    return f"{layer.origin}: {'(secret)' if layer.secret else layer.value}"


def show_secrets(page: SecretPage, out: Output) -> None:
    rows = [
        (
            secret.name,
            secret.digest[:DIGITS] if secret.redacted else secret.value,
            secret.origin,
            who(secret.set_by),
            minute(secret.set_at),
            state(secret),
        )
        for secret in page.secrets
    ]
    column = "DIGEST" if all(secret.redacted for secret in page.secrets) else "VALUE"
    headers = ("NAME", column, "ORIGIN", "SET BY", "SET AT", "STATE")
    out.table(headers, rows, empty="No secrets yet. Set one: rig create secret NETWORK/APP NAME")
    more(page.next, out)
