"""How a node is put together."""

from __future__ import annotations

import subprocess
import sys

HANDLERS = """
import sys
from rig.contract.api import ROUTES
from rig.kernel.bus import snake_case
from rig.node.bootstrap import load_handlers
load_handlers()
modules = {f"rig.node.handlers.{snake_case(route.command.__name__)}" for route in ROUTES}
print(sorted(modules - set(sys.modules)), len(modules) > 40)
"""


def test_a_node_that_runs_has_all_its_handlers() -> None:
    """Else an update of rig under it would be met half-way, by the first command of a kind."""
    done = subprocess.run([sys.executable, "-c", HANDLERS], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"
