"""How many files the node may have open, and how many what it starts.

Each instance costs the node two descriptors, and 1024 is what most systems give a process to begin with. That is so low
because programs that wait with select(2) cannot have more; so it is what apps get, and the node takes what it may have
(getrlimit(2), ``RLIMIT_NOFILE``).
"""

from __future__ import annotations

import contextlib
import resource

MOST = 65_536
"""As many as the node asks for, however many it may have."""
_given: tuple[int, int] | None = None
"""The limits before they were raised: soft, hard."""


def raise_limit() -> None:
    """Let this process have as many open files as it may. Nothing where what it starts could not be told apart."""
    global _given  # noqa: PLW0603 - a limit is one of the whole process
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if not hasattr(resource, "prlimit") or soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    _given = soft, hard


def restore_limit(pid: int) -> None:
    """Give a process that was just started the limit that this one had; it may have ended already."""
    if _given is not None:
        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _given)
