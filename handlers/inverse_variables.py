"""What takes a change of variables or secrets back that no release came of: they were staged, or are a network's."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from events.config import ConfigState, SecretsChanged, VarsChanged
from rig.contract.base import Command
from rig.contract.secrets import DeleteSecret
from rig.contract.variables import CreateVars, DeleteVars
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded
from rig.kernel.words import whose


def inverse_of_variables(
    target: str, records: Sequence[Recorded], now: ConfigState, corr: str
) -> tuple[Command, str] | None:
    """The command that takes it back, and how one would type it; None where the command changed no variables.

    ``records`` are those of the app or network, and ``now`` is what they come to. Raises `RigError` ``conflict`` where
    it cannot be taken back, or where others did something since that would be taken back with it.
    """
    made = [r.fact for r in records if isinstance(r.fact, VarsChanged | SecretsChanged) and r.corr == corr]
    if not made:
        return None
    fact = made[-1]
    app, network = ("", target) if "/" not in target else (target, "")
    of = whose(app, network)
    require_untouched(fact, now, of)
    added = sorted(set(fact.set) - set(fact.before))
    if isinstance(fact, SecretsChanged):
        if fact.before or len(added) != 1:
            raise RigError(
                "conflict",
                f"Values of secrets are on no record, so the one that `{min(fact.before)}` had cannot be put back.",
                f"Set it again: `rig create secret {of} {min(fact.before)}`.",
            )
        return DeleteSecret(app=app, network=network, name=added[0]), f"rig delete secret {of} {added[0]}"
    values = " ".join(shlex.quote(f"{name}={value}") for name, value in sorted(fact.before.items()))
    put_back, take_away = f"rig create var {of} {values}", f"rig delete var {of} {' '.join(added)}"
    if fact.before and added:
        raise RigError(
            "conflict", "It made new variables, and changed others: that takes two commands.",
            f"`{take_away}`, and then `{put_back}`.",
        )  # fmt: skip
    if added:
        return DeleteVars(app=app, network=network, names=added), take_away
    return CreateVars(app=app, network=network, values=fact.before, allow_empty=True), put_back


def require_untouched(fact: VarsChanged | SecretsChanged, now: ConfigState, of: str) -> None:
    """Raise `RigError` ``conflict`` where a name has another value by now than it was given."""
    known = now.vars if isinstance(fact, VarsChanged) else now.secrets
    left = {**dict.fromkeys(fact.removed), **fact.set}
    for name, value in sorted(left.items()):
        if known.get(name) != value:
            by = now.settings[name].set_by.removeprefix("user:") if name in now.settings else ""
            raise RigError(
                "conflict",
                f"`{name}` was {f'changed since, by {by}' if by else 'removed since'}.",
                f"`rig config history {of.removeprefix('--network ')} --key {name}` tells from what.",
            )
