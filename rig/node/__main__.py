"""`python -m rig.node`: run a node in the foreground. `rig node start` calls it; a service manager may, too."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from rig.kernel.errors import RigError


def main() -> int:
    """Decode argv and serve; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rig.node", description="Run a Max node in the foreground.")
    parser.add_argument("--home", type=Path, required=True, help="folder that holds all of the node's state")
    parser.add_argument("--api-port", type=int, default=0, help="port of the API; 0: the one used before, else any")
    parser.add_argument("--edge-port", type=int, default=0, help="port that apps are served on; 0: likewise")
    parser.add_argument("--domain", default="", help="apps are served under it; any but localhost is public")
    parser.add_argument("--isolation", choices=("auto", "bubblewrap", "none"), default="auto")
    parser.add_argument("--releases", type=int, default=0, help="releases made at once; 0: as many as before, else 4")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # Sources and builds are read by users of their own. What nobody else may read is made 0600 or 0700 explicitly.
    os.umask(0o022)
    from rig.node.bootstrap import NodeOptions, serve
    from rig.node.descriptors import raise_limit

    raise_limit()
    options = NodeOptions(
        home=given.home.absolute(),
        api_port=given.api_port,
        edge_port=given.edge_port,
        domain=given.domain,
        isolation=given.isolation,
        releases=given.releases,
    )
    try:
        asyncio.run(serve(options))
    except RigError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit
    return 0


if __name__ == "__main__":
    sys.exit(main())
