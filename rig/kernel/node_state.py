"""Reading ``node.json``, by which a node and the clients on its machine find each other."""

from __future__ import annotations

import os

import msgspec

from rig.contract.node import STATE_FILE, NodeState
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.processes import alive

MAX_BYTES = 65536


def read_state(folder: str | os.PathLike[str]) -> NodeState | None:
    """What the node in ``folder`` wrote last; None where none ever ran. Raises `RigError` ``bad_config``."""
    path = os.path.join(folder, STATE_FILE)
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(MAX_BYTES), type=NodeState)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RigError(
            "bad_config", f"{path} cannot be read: {error.strerror}.", f"Look at its permissions: `ls -l {path}`."
        ) from error
    except UNREADABLE as error:
        raise RigError(
            "bad_config",
            f"{path} cannot be understood: {error}.",
            f"Move it away; the next node writes it: `mv {path} /tmp`.",
        ) from error


def runs(state: NodeState | None) -> bool:
    """Whether the node that wrote this is there, ready or not."""
    return state is not None and alive(state.pid, state.started)
