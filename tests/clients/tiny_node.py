"""A node without apps: the life cycle of the real one and a `GET /v1`. Started as `python -m tests.clients.tiny_node`.

``TINY_NODE`` in a variable that the node gets (`RIG_NODE_BUILD_ENV` names it) makes it fail: ``refuse`` with an error
of its own, ``crash`` without one, ``deaf`` by never answering.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from aiohttp import web

from rig.kernel.errors import RigError
from rig.node.lifecycle import Lifecycle, stop_requested
from rig.node.paths import NodePaths


async def versions(request: web.Request) -> web.Response:
    return web.json_response({"versions": ["v1"]})


async def serve(life: Lifecycle, options: argparse.Namespace) -> None:
    asked = stop_requested()
    listening = life.listen_api(options.api_port)
    app = web.Application()
    app.router.add_get("/v1", versions)
    runner = web.AppRunner(app)
    await runner.setup()
    for each in listening.sockets:
        await web.SockSite(runner, each).start()
    (life.paths.root / "seen.json").write_text(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}))
    if os.environ.get("TINY_NODE") != "deaf":
        life.ready(
            api=f"http://127.0.0.1:{listening.port}",
            edge=f"http://localhost:{options.edge_port or 1234}",
            api_port=listening.port,
            edge_port=options.edge_port or 1234,
            domain=options.domain or (life.previous.domain if life.previous else "localhost"),
            isolation="none",
            releases=options.releases or 4,
        )
    everything = await asked == "everything"
    await runner.cleanup()
    life.ended(everything=everything)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path)
    parser.add_argument("--api-port", type=int, default=0)
    parser.add_argument("--releases", type=int, default=0)
    parser.add_argument("--edge-port", type=int, default=0)
    parser.add_argument("--domain", default="")
    parser.add_argument("--isolation", default="auto")
    options = parser.parse_args()
    print("tiny node begins", flush=True)
    try:
        with Lifecycle(NodePaths(options.home)) as life:
            if os.environ.get("TINY_NODE") == "refuse":
                raise RigError("missing_program", "It lacks a program.", "Install it.", program="x")
            if os.environ.get("TINY_NODE") == "crash":
                raise ZeroDivisionError("on purpose")
            asyncio.run(serve(life, options))
    except RigError as error:
        print(error, file=sys.stderr)
        return error.exit
    return 0


if __name__ == "__main__":
    sys.exit(main())
