"""What the shell around a command does when the run is told to end."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from rig.node.builder.launch import launch
from rig.node.builder.model import Build, BuildPaths
from rig.node.runtime.isolation import choose
from rig.node.runtime.process import ProcessDriver
from rig.node.runtime.sandbox import base_python
from tests.node.runs import Runs, runs_below
from tests.support import until

PROGRAM = """
import os, signal, time
def finish(number, frame):
    # Not by print: it may be at work, below us.
    os.write(1, b"finishes\\n")
    # Until the test has seen it: by then a shell that does not wait would have ended, and we with it.
    while not os.path.exists("go-on"):
        time.sleep(0.01)
    os.write(1, b"has finished\\n")
    os._exit(7)
signal.signal(signal.SIGTERM, finish)
print("runs", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("command", ["{}", "true && {}", "cd . && PLACE=here {}"])
def test_a_program_may_finish_after_sigterm(tmp_path: Path, command: str) -> None:
    """However the command is written, and whatever shell the system has."""
    driver = ProcessDriver(choose("auto", public=False))
    paths = BuildPaths(tmp_path / "app", "build")
    paths.source.mkdir(parents=True)
    build = Build(id="build", builder="procfile", isolation=driver.isolation, place=driver.place(paths.source, "/app"))
    program = f"{shlex.quote(base_python())} -I -S -c {shlex.quote(PROGRAM)}"
    started = launch(build, paths, driver, command=command.format(program), env={})

    async def main(runs: Runs) -> None:
        spec = runs.spec(*started.argv, env=started.env, stop_timeout=120)
        handle = await driver.start(spec)

        async def said(line: str) -> bool:
            return line in runs.output(handle)

        await until(lambda: said("runs"), "the program runs")
        stopping = asyncio.create_task(driver.stop(handle))
        await until(lambda: said("finishes"), "it was told to end")
        (runs.home / "go-on").touch()
        status = await stopping
        assert runs.output(handle)[-1] == "has finished"
        assert status.code == 7

    with runs_below(tmp_path / "runs", driver.isolation) as runs:
        asyncio.run(main(runs))
