"""The shim: one small process per run, that owns its pipes, writes its log, ends it, and keeps its exit status.

It is nobody's child and has its own session, so that it outlives the node, however that one ends. Stdlib only, few
imports: it has to start fast and stay small, because there is one for every process of every app.

The protocol, on the pipes that the driver gave: stdin brings the spec (marshal: both ends are the same interpreter,
and the json module would cost half as much again as the whole start) and its end; stdout answers `READY`, or why the
run could not be started. Afterwards there are signals only: SIGTERM ends the run gracefully, SIGQUIT at once.
Two files in the state folder tell the rest, to whichever node asks: `RUN` while it runs, `EXIT` when it is over.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from rig.node.logs.lines import LineSplitter
from rig.node.logs.segments import END, NOTE, STDERR, STDOUT, Writer
from rig.node.runtime import identity
from rig.node.runtime.enter import STARTED, enter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from rig.node.secrets.mask import OutputMask

READY = b"ready"
RUN = "run.json"
EXIT = "exit.json"

_CHUNK = 64 << 10
_START_LIMIT = 20.0
"""Seconds in which sandbox and program must be up."""
_DRAIN_LIMIT = 2.0
"""Seconds to read on after the end of all processes, should a pipe stay open nevertheless."""
_TICK = 10
"""Milliseconds between looks while the last processes of a run are on their way out."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
"""Number of keyctl(2), for which libc has no function."""
_KEYCTL_JOIN_SESSION_KEYRING = 1


def main() -> None:
    """Take the spec, detach, run."""
    import marshal

    data = sys.stdin.buffer.read()
    if not data:
        return  # the node died before it had said what to run
    spec = marshal.loads(data)  # noqa: S302 - from the node that started us, over a pipe
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    Keeper(spec).keep()


class Keeper:
    """One run, from its start to its exit status."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.sandboxed = bool(spec["sandbox"])
        self.writer = Writer(spec["log_dir"], total_bytes=spec["log_bytes"])
        self.outputs: dict[int, LineSplitter] = {}
        self.child = 0
        self.root = (0, 0)
        """Pid and start time of the process below which all others stand: the sandbox's init, else the child."""
        self.status: int | None = None
        """Of the child, as waitpid(2) gives it; None while it runs."""
        self.kill_at: float | None = None

    def keep(self) -> None:
        """Start it, look after it, write down how it ended."""
        self._watch_signals()
        self._write_run()
        problem = self._start()
        if problem:
            self.kill_at = time.monotonic()
        else:
            self._write_run()
            _answer(READY)
        self._loop()
        self._settle()
        if problem:
            _answer(problem)

    # Start

    def _start(self) -> bytes:
        """Start the child. Empty, or why there is nothing to look after."""
        null = os.open(os.devnull, os.O_RDWR)
        out, out_child = os.pipe()
        err, err_child = os.pipe()
        report, report_child = os.pipe()
        info, info_child = os.pipe()
        mask = _mask(self.spec)
        self.outputs = {out: LineSplitter(STDOUT, mask=mask), err: LineSplitter(STDERR, mask=mask)}
        if not self.sandboxed:
            _adopt_orphans()
        parent = os.getpid()
        self.child = os.fork()
        if not self.child:
            for number, fd in enumerate((null, out_child, err_child)):
                os.dup2(fd, number)
            self._become(parent, report_child, info_child)
        for fd in (null, out_child, err_child, report_child, info_child):
            os.close(fd)
        root = _sandbox_init(_read_all(info, _START_LIMIT)) if self.sandboxed else self.child
        self.root = (root, identity.started(root))
        said = _read_all(report, _START_LIMIT)
        os.close(info)
        os.close(report)
        if not said.startswith(STARTED):
            # bubblewrap ended before our last step ran in it: what it printed says why.
            return b"it cannot be set up: " + (said or _read_all(err, 1.0).strip()[-500:])
        if said != STARTED:
            self.writer.append([(NOTE, said[len(STARTED) :])], time.time_ns())
        return b""

    def _become(self, parent: int, report: int, info: int) -> NoReturn:
        """In the child: join the memory limit, then become the sandbox or the program itself."""
        try:
            spec = self.spec
            if spec["cgroup"]:
                with open(f"{spec['cgroup']}/cgroup.procs", "w") as file:
                    file.write("0")
            _die_with(parent)
            _forget_keys()
            inner = {key: spec[key] for key in ("argv", "env", "cwd", "uid")}
            if not self.sandboxed:
                os.setsid()
                enter(inner, report)
            import marshal

            arguments = _memory(b"\0".join(os.fsencode(word) for word in spec["sandbox_args"]))
            order = _memory(marshal.dumps(inner))
            for fd in (arguments, order, report, info):
                os.set_inheritable(fd, True)
            words = [*spec["sandbox"], "--args", str(arguments), "--info-fd", str(info)]
            os.execve(words[0], [*words, "--", *spec["sandbox_enter"], str(order), str(report)], {})  # noqa: S606
        except OSError as error:
            os.write(report, str(error).encode(errors="replace"))
        finally:
            os._exit(126)

    # Run

    def _loop(self) -> None:
        poll = select.poll()
        for fd in (*self.outputs, self.wake):
            poll.register(fd, select.POLLIN)
        gone_at = 0.0
        while True:
            for fd, _ in poll.poll(self._patience()):
                if fd == self.wake:
                    self._obey(os.read(fd, 4096))
                elif not self._read(fd):
                    poll.unregister(fd)
                    os.close(fd)
            now = time.monotonic()
            if self.kill_at is not None and now >= self.kill_at:
                self._sweep()
            if self.status is not None:
                if not self._sweep():
                    gone_at = gone_at or now
                if gone_at and (not self.outputs or now - gone_at > _DRAIN_LIMIT):
                    return

    def _patience(self) -> int | None:
        """Milliseconds to wait for something to happen, None for ever."""
        if self.status is not None:
            return _TICK
        if self.kill_at is not None:
            return max(_TICK, int((self.kill_at - time.monotonic()) * 1000))
        return None

    def _read(self, fd: int) -> bool:
        """Log what stands in a pipe; false at its end."""
        data = os.read(fd, _CHUNK)
        entries = self.outputs[fd].feed(data) if data else self.outputs.pop(fd).flush()
        if entries:
            self.writer.append(entries, time.time_ns())
        return bool(data)

    def _watch_signals(self) -> None:
        self.wake, wake_child = os.pipe()
        os.set_blocking(wake_child, False)
        signal.set_wakeup_fd(wake_child, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(number, _noted)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _obey(self, signals: bytes) -> None:
        if signal.SIGCHLD in signals:
            self._reap()
        if signal.SIGQUIT in signals:
            self.kill_at = time.monotonic()
        elif signal.SIGTERM in signals and self.kill_at is None:
            self.kill_at = time.monotonic() + self.spec["stop_timeout"]
            _signal_all(self._members(), signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.child:
                self.status = status

    # End

    def _members(self) -> list[int]:
        """Pids of the processes of the run, the sandbox's own left out."""
        if self.sandboxed:
            return identity.descendants(self.root[0]) if self.root[0] else []
        return identity.descendants(os.getpid()) if identity.LINUX else identity.session(*self.root)

    def _sweep(self) -> bool:
        """Kill what is there of the run; false once nothing is."""
        # All processes of a pid namespace die with its init, and it is gone only after the last of them.
        there = [self.root[0]] if self.sandboxed and identity.same(*self.root) else []
        if not self.sandboxed:
            there = self._members()
        if self.status is None:
            there.append(self.child)
        _signal_all(there, signal.SIGKILL)
        self._reap()
        return bool(there)

    def _settle(self) -> None:
        """Write down how it ended. Only then is the run over for everybody else."""
        code, number = self._outcome()
        how = signal.Signals(number).name if number else f"exit {code}"
        at = time.time_ns()
        self.writer.append([(END, how.encode())], at)
        self.writer.close()
        _write_durably(self.spec["state_dir"], EXIT, f'{{"code":{code},"signal":{number},"at":{at}}}')

    def _outcome(self) -> tuple[int, int]:
        """Code and signal. bubblewrap says 128 + n for a program that signal n ended, as a shell does."""
        assert self.status is not None
        if os.WIFSIGNALED(self.status):
            return -1, os.WTERMSIG(self.status)
        code = os.waitstatus_to_exitcode(self.status)
        if self.sandboxed and code - 128 in signal.valid_signals():
            return -1, code - 128
        return code, 0

    def _write_run(self) -> None:
        pid = os.getpid()
        fields = {"pid": pid, "started": identity.started(pid), "root": self.root[0], "root_started": self.root[1]}
        numbers = ",".join(f'"{name}":{value}' for name, value in fields.items())
        _write_durably(self.spec["state_dir"], RUN, f'{{"boot":"{identity.boot_id()}",{numbers}}}')


def _mask(spec: dict[str, Any]) -> OutputMask | None:
    """What hides the values of its secrets in what the run prints; None where it has none, and pays nothing for it."""
    if not spec["secrets"]:
        return None
    from rig.node.secrets.mask import OutputMask

    return OutputMask({name: spec["env"][name] for name in spec["secrets"]})


def _answer(message: bytes) -> None:
    """Tell the driver, and let go of the pipes that came from it."""
    try:  # noqa: SIM105 - contextlib would have to be imported
        os.write(1, message)
    except BrokenPipeError:
        pass  # the node is gone; the next one finds the run by its files
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _read_all(fd: int, limit: float) -> bytes:
    """What comes from ``fd`` until its end, within ``limit`` seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    until = time.monotonic() + limit
    data = b""
    while poll.poll(max(0, int((until - time.monotonic()) * 1000))):
        chunk = os.read(fd, _CHUNK)
        if not chunk:
            break
        data += chunk
    return data


def _sandbox_init(info: bytes) -> int:
    """The pid, as the host sees it, in what bubblewrap tells: ``{"child-pid": 1234, …}``; 0 where it told nothing."""
    digits = info.partition(b'"child-pid":')[2].partition(b",")[0].strip(b" }\n")
    return int(digits) if digits.isdigit() else 0


def _memory(data: bytes) -> int:
    """A descriptor that reads ``data``. Unlike a pipe it takes any amount; unlike a file nobody else can open it."""
    fd = os.memfd_create("rig")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _prctl(option: int, argument: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _adopt_orphans() -> None:
    """Make whatever daemonises below us our child, so that it is found in the end. Linux only."""
    if identity.LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _die_with(parent: int) -> None:
    """Get SIGKILL when the shim dies. Linux only: elsewhere the node ends what a killed shim left."""
    if identity.LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(126)


def _forget_keys() -> None:
    """Begin with an empty session keyring. The node's own would be inherited, and who inherits one may read the keys
    in it, whatever its user (keyrings(7)). Linux only; where the kernel has no keyrings there is nothing to forget."""
    number = _KEYCTL.get(os.uname().machine) if identity.LINUX else None
    if number is not None:
        import ctypes

        ctypes.CDLL(None).syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def _signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it was faster


def _noted(number: int, frame: object) -> None:
    """A handler has to be there for the wake-up descriptor to be written."""


def _write_durably(folder: str, name: str, text: str) -> None:
    """Whole or not at all, and on the disk when this returns."""
    temporary = f"{folder}/.{name}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, f"{folder}/{name}")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
