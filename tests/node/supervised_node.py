"""A node that runs the web process of one app until it is killed: ``supervised_node.py FOLDER ISOLATION VERSION…``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rig.node.paths import NodePaths
from rig.node.runtime.driver import Mount
from rig.node.runtime.process import ProcessDriver
from rig.node.supervisor.model import InstanceSpec
from rig.node.supervisor.supervisor import Supervisor

SERVER = """
import os, socket, time
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("up", os.environ["VERSION"], flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(os.environ["VERSION"].encode())
    connection.close()
"""


def web(driver: ProcessDriver, base: Path, version: int = 1, index: int = 1, script: str = SERVER) -> InstanceSpec:
    """An instance that answers every connection with its version."""
    home = base / "home"
    home.mkdir(parents=True, exist_ok=True)
    return InstanceSpec(
        app="demo/hello",
        version=version,
        process="web",
        index=index,
        argv=("/usr/bin/env", "python3", "-S", "-c", script),
        env={"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin", "VERSION": str(version)},
        cwd=driver.place(home, "/home/app"),
        mounts=(Mount(source=home, target="/home/app", writable=True),),
        stop_timeout=1,
    )


async def main() -> None:
    base, isolation, *versions = sys.argv[1:]
    driver = ProcessDriver("bubblewrap" if isolation == "bubblewrap" else "none")
    supervisor = Supervisor(driver, NodePaths(Path(base)))
    await supervisor.adopt()
    for version in versions:
        instance = await supervisor.launch(web(driver, Path(base), int(version)))
        if version != "99":  # the version whose deployment does not come to its end
            supervisor.commit(instance)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
