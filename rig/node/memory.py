"""Limits of memory that are set for an app: from what is typed to what is recorded. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rig.kernel.errors import RigError
from rig.kernel.sizes import bytes_of
from rig.node.rules import require_process

SMALLEST = 4 << 20
"""Bytes with which nothing starts."""
LARGEST = 1 << 50
"""Bytes that no machine has. A number beyond 2**53 could not be recorded."""


def wanted_limits(
    app: str, now: Mapping[str, int], asked: Sequence[str], processes: Collection[str] = ()
) -> dict[str, int]:
    """An app's own limits once ``asked`` is heeded, in its order: bytes by process type, `*` for all, 0 for none.

    ``processes`` are the types that the app has, empty before its first release. Raises `RigError` ``invalid_data``.
    """
    limits = dict(now)
    for text in asked:
        process, sign, size = text.rpartition("=")
        if sign:
            require_process(app, process, processes)
        if not sign:
            # What is said of all types goes for those, too, that had a limit of their own.
            process, limits = "*", {}
        if size == "default":
            limits.pop(process, None)
        else:
            limits[process] = limit_of(size)
    return limits


def limit_of(size: str) -> int:
    """The bytes of ``512M``, 0 for ``none``.

    Raises `RigError` ``invalid_data`` for fewer than anything lives on, and for more than there are anywhere.
    """
    count = bytes_of(size)
    if 0 < count < SMALLEST:
        raise RigError(
            "invalid_data",
            f"No process can live on {count} bytes.",
            "Give it more, as `512M`; without a unit it is bytes.",
        )
    if count > LARGEST:
        raise RigError("invalid_data", f"No machine has {size} of memory.", "Say `none` for no limit.")
    return count
