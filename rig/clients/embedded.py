"""The address of this machine's own node, and whether it is the node that answers there."""

from __future__ import annotations

from rig.kernel.errors import RigError
from rig.kernel.node_state import read_state, runs

_LOOPBACK = "http://127.0.0.1:"


def require_own_node(folder: str, url: str) -> None:
    """Raise `RigError` ``unreachable`` where ``url`` is that of the node in ``folder``, which does not run.

    Its port is free then, and any program of any user of this machine can listen there: it would be handed the tokens.
    """
    if not url.startswith(_LOOPBACK):
        return
    state = read_state(folder)
    if state is None or url != f"{_LOOPBACK}{state.api_port}" or (state.api and runs(state)):
        return
    raise RigError(
        "unreachable",
        "The node of this machine does not run, so nothing is sent to its address.",
        "Start it: `rig node start`. To reach another node through a forwarded port, forward one that is not its own.",
    )
