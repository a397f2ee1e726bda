"""How variables and secrets are shown, for the verbs that have to do with them."""

from __future__ import annotations

from rig.cli.humanize import minute
from rig.cli.output import Output
from rig.cli.pages import more
from rig.contract.secrets import SecretPage
from rig.contract.variables import Layer, SecretDiff, VarDiff, VariablesChange, VarPage

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
    for made in change.releases:
        out.line(f"v{made.version} of {made.app} has it.")
    if change.staged:
        app = change.target if "/" in change.target else f"{change.target}/APP"
        out.hint(f"The next release takes it: rig deploy --app {app}")


def show_vars(page: VarPage, out: Output) -> None:
    headers = ["NAME", "VALUE", "ORIGIN", "SET BY", "SET AT", "STATE"]
    rows = [
        [
            var.name,
            f"(secret) {var.digest[:DIGITS]}" if var.secret else var.value,
            var.origin,
            var.set_by.removeprefix("user:"),
            minute(var.set_at),
            "" if var.deployed else "not deployed",
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
            secret.set_by.removeprefix("user:"),
            minute(secret.set_at),
            "hidden" if secret.hidden else "" if secret.deployed else "not deployed",
        )
        for secret in page.secrets
    ]
    shown = "DIGEST" if all(secret.redacted for secret in page.secrets) else "VALUE"
    headers = ("NAME", shown, "ORIGIN", "SET BY", "SET AT", "STATE")
    out.table(headers, rows, empty="No secrets yet. Set one: rig create secret NETWORK/APP NAME")
    more(page.next, out)
