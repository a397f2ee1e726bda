"""Which isolation is in force, and why not a better one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from rig.kernel.errors import RigError
from rig.node.runtime import sandbox
from rig.node.runtime.driver import IsolationName, ProcessSpec

Wanted = Literal["auto", "bubblewrap", "none"]

_INSTALL = "Install it with `apt-get install bubblewrap` (or `dnf install bubblewrap`)"
_PROBE = "import os; os.setgroups([]) if not os.getuid() else None; uid = {uid}; uid and os.setresuid(uid, uid, uid)"


def find_bwrap() -> str:
    """The bubblewrap program, empty where there is none."""
    return shutil.which("bwrap", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin") or ""


def probe() -> str:
    """Why bubblewrap cannot be used here; empty where it can. It is tried, with the arguments of a real run."""
    bwrap = find_bwrap()
    if not bwrap:
        return "bubblewrap is not installed"
    host = sandbox.Host.inspect(bwrap)
    with tempfile.TemporaryDirectory(prefix="rig-probe-") as name:
        folder = Path(name)
        for file, text in sandbox.etc_files(0, 0).items():
            (folder / file).write_text(text)
        spec = ProcessSpec(id="probe", argv=("true",), env={}, cwd="/", state_dir=folder, log_dir=folder)
        script = _PROBE.format(uid=sandbox.user_of("") if host.switch_user else 0)
        argv = [bwrap, *sandbox.arguments(spec, host, folder), "--", host.python, "-I", "-S", "-c", script]
        try:
            done = subprocess.run(argv, env={}, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not work: {error}"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return f"bubblewrap does not work: {lines[-1]}"
    return ""


def choose(wanted: Wanted, *, public: bool) -> IsolationName:
    """The isolation of a node, which is ``public`` where it can be reached from other machines.

    ``auto`` takes bubblewrap where it works; without it, a node on loopback alone goes on with ``none`` (its caller
    says so, with :func:`probe` as the reason), and a public one refuses. Raises `RigError` ``missing_program``, or
    ``bad_config`` where bubblewrap is there and does not work.
    """
    if wanted == "none":
        return "none"
    problem = probe()
    if not problem:
        return "bubblewrap"
    if wanted == "auto" and not public:
        return "none"
    anyway = "run `rig node start --isolation none` to let apps see this machine's files."
    if not find_bwrap():
        raise RigError("missing_program", f"Apps cannot be isolated: {problem}.", f"{_INSTALL}, or {anyway}")
    mend = "Allow unprivileged user namespaces (see docs/guides/isolation.md)"
    raise RigError("bad_config", f"Apps cannot be isolated: {problem}.", f"{mend}, or {anyway}")
