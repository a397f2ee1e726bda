"""Standard streams that are closed, full or gone."""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """Open what we were started without (``rig … >&-``).

    Otherwise the next file to be opened would take its number, and get whatever a child process writes there. Writing
    to a stdout that was closed fails, as it should; words for people may get lost.
    """
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, flags)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        stream = os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)


def flush() -> None:
    """Write what is buffered. What cannot be written must not be tried again, and raise, when the process exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def give_up(error: OSError) -> int:
    """Say that the output could not be written; gives the exit code."""
    flush()
    if isinstance(error, BrokenPipeError):
        return 0  # Who read our output has gone; there is nobody left to tell.
    sys.stderr.write(f"error: The output could not be written: {error.strerror or error}.\n")
    flush()
    return 1
