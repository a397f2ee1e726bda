"""The last step before a process is somebody else's program: give up what is ours, then become it. Stdlib only.

Without a sandbox the shim calls :func:`enter` in the forked child. In a sandbox bubblewrap starts this file as a
script; argv, environment and user come through a descriptor, because a command line can be read by every process of
the machine, and an environment given to bubblewrap itself would be obeyed by it (think of LD_PRELOAD).
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

STARTED = b"+"
"""Reported right before the program takes over; an error may still follow it."""


def enter(spec: dict[str, Any], report: int) -> NoReturn:
    """Become ``spec["argv"]``, with exactly ``spec["env"]``, in ``spec["cwd"]``, as user ``spec["uid"]`` (0: stay).

    ``report`` closes when the program has taken over. Where it cannot, the reason is written there, and the process
    ends with 127 (no such program) or 126, as a shell would.
    """
    what = "change the user"
    try:
        uid = spec["uid"]
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        os.umask(0o022)
        # Python ignores these two, and what is ignored stays so in the program that takes over.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        what = f"change to the folder {spec['cwd']}"
        os.chdir(spec["cwd"])
        what = f"run {spec['argv'][0]}"
        os.set_inheritable(report, False)
        os.write(report, STARTED)
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - no shell, on purpose
    except OSError as error:
        os.write(report, f"cannot {what}: {error.strerror}".encode(errors="replace"))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    except ValueError as error:
        os.write(report, f"cannot {what}: {error}".encode(errors="replace"))
        os._exit(126)


def main() -> None:
    """As a script: ``enter.py SPEC_FD REPORT_FD``."""
    import marshal

    source, report = int(sys.argv[1]), int(sys.argv[2])
    with os.fdopen(source, "rb") as file:
        spec = marshal.load(file)  # noqa: S302 - written by our own shim, the same interpreter, into memory
    os.closerange(3, report)
    os.closerange(report + 1, 256)
    enter(spec, report)


if __name__ == "__main__":
    main()
