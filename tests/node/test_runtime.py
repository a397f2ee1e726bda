"""Runs, for real: a shim each, with and without a sandbox."""

from __future__ import annotations

import asyncio
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from rig.node import descriptors
from rig.node.logs.reader import LogReader, StreamInfo
from rig.node.runtime import identity, keeper
from rig.node.runtime.cgroups import MemoryLimiter
from rig.node.runtime.driver import ExitStatus, Handle, IsolationName
from rig.node.runtime.process import ProcessDriver
from tests.node.runs import Runs, gone, runs_below
from tests.support import TIMEOUT, files_with, free_port, pass_time, wait_until


@pytest.fixture(params=["none", pytest.param("bubblewrap", marks=pytest.mark.needs("bwrap"))])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    isolation: IsolationName = request.param
    with runs_below(tmp_path, isolation) as made:
        yield made


def test_output_and_status_are_kept(runs: Runs) -> None:
    spec = runs.shell("echo out; echo err >&2; exit 3")
    lines: list[str] = []
    status = asyncio.run(runs.driver.run(spec, TIMEOUT, lines.append))
    assert (status.code, status.signal, str(status)) == (3, 0, "exit 3")
    assert abs(status.at - time.time_ns()) < 60 * 10**9
    assert sorted(lines) == ["err", "out"]
    reader = LogReader(spec.log_dir)
    batch = reader.read()
    assert {(line.source, line.text) for line in batch.lines} == {("stdout", "out"), ("stderr", "err")}
    assert batch.ended == "exit 3"
    info = reader.info()
    assert isinstance(info, StreamInfo)
    assert (info.epoch, info.owner) == (spec.id, "demo/hello")


def test_the_environment_is_exactly_the_specs(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_TOKEN", "canary")
    env = {"PATH": "/usr/bin:/bin", "WORD": "a b\n=c", "LD_PRELOAD": "", "ÄÖ": "ü"}
    spec = runs.spec("/usr/bin/env", "-0", env=env)
    asyncio.run(runs.driver.run(spec, TIMEOUT))
    text = "\n".join(runs.output(spec))
    assert dict(pair.split("=", 1) for pair in text.rstrip("\0").split("\0")) == env


def test_no_descriptor_is_inherited(runs: Runs) -> None:
    spec = runs.shell("ls /proc/self/fd")
    with open(os.devnull) as held:
        os.set_inheritable(held.fileno(), True)
        asyncio.run(runs.driver.run(spec, TIMEOUT))
    assert runs.output(spec) == ["0", "1", "2", "3"]  # 3 is the folder that ls reads


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes are set on Linux alone")
def test_a_run_may_open_as_many_files_as_the_node_was_given(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(descriptors, "_given", None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        descriptors.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
        spec = runs.shell("ulimit -S -n; ulimit -H -n")
        asyncio.run(runs.driver.run(spec, TIMEOUT))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    hard = "unlimited" if before[1] == resource.RLIM_INFINITY else str(before[1])
    assert runs.output(spec) == ["256", hard]


def test_secrets_are_in_no_command_line_and_no_file(runs: Runs) -> None:
    async def scenario() -> None:
        spec = runs.spec("sleep", "60", env={"PATH": "/usr/bin:/bin", "KEY": "canary-4711"})
        handle = await runs.driver.start(spec)
        ours = [handle.pid, *identity.descendants(handle.pid)]
        assert len(ours) >= 2
        for pid in ours:
            assert b"canary-4711" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"canary-4711" not in Path(f"/proc/{handle.pid}/environ").read_bytes()
        assert files_with(runs.base, "canary-4711") == []
        await runs.driver.stop(handle)

    asyncio.run(scenario())


def test_secrets_are_hidden_in_what_is_printed_however_it_is_written(runs: Runs) -> None:
    pem = "-----BEGIN\nabcdef\n-----END\n"
    env = {"PATH": "/usr/bin:/bin", "KEY": "canary-4711", "PEM": pem, "OPEN": "canary-4712"}
    script = """
half() { printf 'key=canary'; printf -- '-4711, '; printf '%s\\n' "$OPEN"; }
half; half >&2; printf '%s' "$PEM"; printf canary-4711
"""
    spec = runs.spec("/bin/sh", "-c", script, env=env, secrets=("KEY", "PEM"))
    asyncio.run(runs.driver.run(spec, TIMEOUT))
    shown = ["key=[secret KEY], canary-4712"] * 2 + ["[secret PEM]"] * 3 + ["[secret KEY]"]
    assert sorted(runs.output(spec)) == sorted(shown)
    segments = [path.read_bytes() for path in runs.base.rglob("*.seg")]
    assert segments
    assert not any(b"4711" in segment for segment in segments)


def test_a_run_without_secrets_pays_nothing_for_hiding_them() -> None:
    code = "import sys, rig.node.runtime.keeper; print([name for name in sys.modules if 'secrets' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert keeper._mask({"secrets": [], "env": {}}) is None


def test_a_hundred_thousand_lines_arrive_once_and_in_order(runs: Runs) -> None:
    spec = runs.python("import sys\nfor i in range(100_000): sys.stdout.write(f'{i}\\n')")
    asyncio.run(runs.driver.run(spec, 5 * TIMEOUT))
    assert runs.output(spec) == [str(i) for i in range(100_000)]


def test_the_log_is_bounded(runs: Runs) -> None:
    spec = runs.python("for i in range(80_000): print('x' * 100, i)", log_bytes=3 << 20)
    asyncio.run(runs.driver.run(spec, 5 * TIMEOUT))
    assert sum(path.stat().st_size for path in spec.log_dir.iterdir()) < 4.2 * (1 << 20)
    assert LogReader(spec.log_dir).tail(1)[0].text.endswith(" 79999")
    assert LogReader(spec.log_dir).read(limit=1).gaps[0][0] == 1


def test_sigterm_lets_it_end_by_itself(runs: Runs) -> None:
    async def scenario() -> ExitStatus:
        handle = await runs.driver.start(
            runs.shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done")
        )
        wait_until(lambda: runs.output(handle) == ["up"], "the program runs")
        status = await runs.driver.stop(handle)
        assert "bye" in runs.output(handle)
        return status

    assert asyncio.run(scenario()).code == 7


def test_who_ignores_sigterm_is_killed_with_all_it_started(runs: Runs) -> None:
    script = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        for _ in range(3): os.fork()
        while True: time.sleep(100)
print("up", flush=True)
while True: time.sleep(100)
"""

    async def scenario() -> None:
        handle = await runs.driver.start(runs.python(script, stop_timeout=1))
        wait_until(lambda: runs.output(handle) == ["up"], "the program runs")
        wait_until(lambda: len(runs.driver.pids(handle)) >= 41, "its children run")
        pids = runs.driver.pids(handle)
        assert handle.pid not in pids
        began = time.monotonic()
        status = await runs.driver.stop(handle)
        assert (status.code, status.signal, str(status)) == (-1, signal.SIGKILL, "SIGKILL")
        assert time.monotonic() - began >= 1
        assert all(gone(pid) for pid in pids)
        assert not runs.driver.alive(handle)
        assert runs.driver.pids(handle) == []

    asyncio.run(scenario())


def test_what_daemonised_does_not_outlive_the_run(runs: Runs) -> None:
    script = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    time.sleep(100)
os.wait()
print("up", flush=True)
while not os.path.exists("go-on"): time.sleep(0.01)
"""

    async def scenario() -> None:
        handle = await runs.driver.start(runs.python(script))
        wait_until(lambda: runs.output(handle) == ["up"], "the program runs")
        pids = runs.driver.pids(handle)
        assert len(pids) == 2
        (runs.home / "go-on").touch()
        assert (await runs.driver.wait(handle)).code == 0
        assert all(gone(pid) for pid in pids)

    asyncio.run(scenario())


ONE_THREAD_IS_LEFT = """
import ctypes, signal, socket, threading
listener = socket.create_server(("127.0.0.1", {port}))
def rest():
    print("listens", flush=True)
    signal.pause()
threading.Thread(target=rest).start()
ctypes.CDLL(None).syscall(60, 0)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="the number of exit(2), which ends one thread"
)
def test_what_runs_on_without_its_main_thread_does_not_outlive_the_run(runs: Runs) -> None:
    """It looks like a zombie, and has its port still."""
    port = free_port()
    program = f"{os.path.realpath(sys.executable)} -I -S -c {shlex.quote(ONE_THREAD_IS_LEFT.format(port=port))}"

    async def scenario() -> None:
        handle = await runs.driver.start(runs.shell(f"{program} & wait"))
        wait_until(lambda: runs.output(handle) == ["listens"], "the program listens")
        stats = [Path(f"/proc/{pid}/stat") for pid in runs.driver.pids(handle)]
        wait_until(lambda: any(") Z " in stat.read_text() for stat in stats), "its main thread has ended")
        await runs.driver.stop(handle)

    asyncio.run(scenario())
    socket.create_server(("127.0.0.1", port)).close()


def test_a_time_limit_ends_it(runs: Runs) -> None:
    spec = runs.shell("trap '' TERM; echo before; sleep 1000")
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        pass_time(900)

    with pytest.raises(TimeoutError):
        asyncio.run(runs.driver.run(spec, 900, hear))
    assert lines == ["before"]
    handle = runs.driver.adopt(spec.state_dir)
    assert handle is not None
    assert not runs.driver.alive(handle)


def test_cancelling_a_run_ends_it(runs: Runs) -> None:
    spec = runs.shell("echo up; sleep 100")

    async def scenario() -> None:
        up = asyncio.Event()
        task = asyncio.create_task(runs.driver.run(spec, 5 * TIMEOUT, lambda line: up.set()))
        await asyncio.wait_for(up.wait(), TIMEOUT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    handle = runs.driver.adopt(spec.state_dir)
    assert handle is not None
    assert not runs.driver.alive(handle)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("no-such-program",), 127, "cannot run no-such-program: No such file or directory"),
        (("/etc",), 126, "cannot run /etc: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_run_is_an_exit_status(runs: Runs, argv: tuple[str], code: int, words: str) -> None:
    spec = runs.spec(*argv)
    assert asyncio.run(runs.driver.run(spec, TIMEOUT)).code == code
    assert [(line.source, line.text) for line in LogReader(spec.log_dir).tail(5)] == [("rig", words)]


def test_a_shim_that_is_killed_takes_the_program_with_it(runs: Runs) -> None:
    async def scenario() -> None:
        handle = await runs.driver.start(runs.shell("sleep 100 & echo up; wait"))
        wait_until(lambda: runs.output(handle) == ["up"], "the program runs")
        pids = runs.driver.pids(handle)
        assert len(pids) == 2
        os.kill(handle.pid, signal.SIGKILL)
        status = await runs.driver.wait(handle)
        assert (status.code, status.signal, str(status)) == (-1, 0, "lost")
        assert all(gone(pid) for pid in pids)

    asyncio.run(scenario())


NODE = """
import asyncio, sys
from pathlib import Path
from tests.node.runs import Runs
SCRIPT = "import time\\ni = 0\\nwhile True: print(i, flush=True); i += 1; time.sleep(0.001)"
async def main():
    runs = Runs(Path(sys.argv[1]), sys.argv[2])
    handle = await runs.driver.start(runs.python(SCRIPT))
    print(handle.state_dir, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_run_outlives_a_node_that_is_killed(runs: Runs) -> None:
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, runs.base, runs.driver.isolation], stdout=subprocess.PIPE, text=True
    )
    assert node.stdout is not None
    state_dir = Path(node.stdout.readline().strip())
    node.kill()
    node.wait()
    node.stdout.close()
    driver = ProcessDriver(runs.driver.isolation)
    handle = driver.adopt(state_dir)
    assert handle is not None
    assert driver.alive(handle)
    assert len(driver.pids(handle)) == 1
    count = len(runs.output(handle))
    wait_until(lambda: len(runs.output(handle)) > count + 100, "it goes on printing")

    async def scenario() -> None:
        waiting = asyncio.create_task(driver.wait(handle))
        assert str(await driver.stop(handle)) == "SIGTERM"
        assert str(await waiting) == "SIGTERM"

    asyncio.run(scenario())
    assert runs.output(handle) == [str(i) for i in range(len(runs.output(handle)))]


def test_a_run_that_ended_while_nobody_looked_is_adopted_with_its_status(runs: Runs) -> None:
    spec = runs.shell("exit 9")
    asyncio.run(runs.driver.start(spec))
    handle = ProcessDriver(runs.driver.isolation).adopt(spec.state_dir)
    assert handle is not None
    assert asyncio.run(runs.driver.wait(handle)).code == 9
    assert asyncio.run(runs.driver.stop(handle)).code == 9


def test_nothing_is_adopted_where_nothing_was_started(runs: Runs, tmp_path: Path) -> None:
    assert runs.driver.adopt(tmp_path / "nothing") is None


def test_a_recycled_pid_is_somebody_else(runs: Runs, tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "100"])
    try:
        began = identity.started(other.pid)
        handle = Handle(id="x", pid=other.pid, started=began - 1, state_dir=tmp_path / "x", log_dir=tmp_path)
        assert not runs.driver.alive(handle)
        assert runs.driver.pids(handle) == []
        assert str(asyncio.run(runs.driver.stop(handle))) == "lost"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_another_boot_means_that_nothing_runs(runs: Runs) -> None:
    spec = runs.shell("sleep 100")
    handle = asyncio.run(runs.driver.start(spec))
    path = spec.state_dir / "run.json"
    path.write_text(path.read_text().replace(identity.boot_id(), "another-boot"))
    adopted = runs.driver.adopt(spec.state_dir)
    assert adopted is not None
    assert adopted.pid == 0
    assert str(asyncio.run(runs.driver.wait(adopted))) == "lost"
    asyncio.run(runs.driver.stop(handle))


def test_a_memory_limit_that_cannot_be_enforced_is_refused(runs: Runs) -> None:
    if not MemoryLimiter().problem():
        pytest.skip("this machine can limit memory")
    spec = runs.spec("true", memory=1 << 30)
    with pytest.raises(RigError) as caught:
        asyncio.run(runs.driver.start(spec))
    assert caught.value.code == "bad_config"
    assert "memory limit cannot be enforced" in caught.value.message
    assert caught.value.hint


def test_shims_are_small(runs: Runs) -> None:
    async def scenario() -> None:
        handle = await runs.driver.start(runs.shell("sleep 100"))
        status = Path(f"/proc/{handle.pid}/status").read_text()
        assert int(status.partition("VmRSS:")[2].split()[0]) < 20_000
        await runs.driver.stop(handle)

    asyncio.run(scenario())
