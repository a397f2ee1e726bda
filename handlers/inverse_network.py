"""What takes back what was said of a network: its description, and whether it is protected."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from events.base import Happened
from events.network import NetworkState, NetworkUpdated, evolve
from handlers.observe import history
from rig.contract.base import Command
from rig.contract.networks import UpdateNetwork
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded

FIELDS = ("description", "protected")


def inverse_of_network(name: str, corr: str, ctx: ClientContext) -> tuple[Command, str]:
    """The command that says of a network what was said before, and how one would type it.

    Raises `RigError` ``conflict`` where nothing was changed, where the record does not tell what was before, or where
    somebody changed it once more since.
    """
    record, _ = history(ctx)
    records = record.stream(f"network:{name}")
    mine = [at for at, each in enumerate(records) if each.corr == corr and isinstance(each.fact, NetworkUpdated)]
    earlier, said = (records[: mine[-1]], told(records[mine[-1]])) if mine else ([], {})
    was, now = state_of(earlier), state_of(records)
    if not was.exists and not said.keys() <= {field for each in earlier for field in told(each)}:
        raise RigError(
            "conflict",
            f"The record does not tell you what was said of `{name}` before.",
            "`rig update network` says what you name.",
        )
    before = {field: getattr(was, field) for field, value in said.items() if getattr(was, field) != value}
    if not before:
        raise RigError("conflict", "It changed nothing: all of it was so before.", changed_nothing=True)
    typed = f"rig update network {name} {flags(before)}"
    if any(getattr(now, field) != said[field] for field in before):
        raise RigError(
            "conflict", "It was changed once more since.", f"`{typed}` sets what was before it all the same."
        )
    return msgspec.convert({"name": name, **before}, UpdateNetwork), typed


def told(record: Recorded) -> dict[str, Any]:
    """What a record says of a network, by field."""
    fields = {field: getattr(record.fact, field) for field in FIELDS if isinstance(record.fact, NetworkUpdated)}
    return {field: value for field, value in fields.items() if value is not None}


def state_of(records: Sequence[Recorded]) -> NetworkState:
    """The network that its records come to."""
    state = NetworkState()
    for each in records:
        state = evolve(state, each.fact, Happened(each.at, each.actor))
    return state


def flags(before: dict[str, Any]) -> str:
    """``--description 'The shops' --no-protected``."""
    typed = [f"--description {shlex.quote(before['description'])}"] if "description" in before else []
    if "protected" in before:
        typed.append("--protected" if before["protected"] else "--no-protected")
    return " ".join(typed)
