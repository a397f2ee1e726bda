"""Limits of memory that are set for an app: from what is typed to what is recorded. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rig.kernel.errors import RigError

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SMALLEST = 4 << 20
"""Bytes with which nothing starts."""


def wanted_limits(now: Mapping[str, int], asked: Sequence[str], processes: Collection[str]) -> dict[str, int]:
    """An app's own limits once ``asked`` is heeded, in its order: bytes by process type, `*` for all, 0 for none.

    ``processes`` are the types that the app has, empty before its first release. Raises `RigError` ``invalid_data``.
    """
    limits = dict(now)
    for text in asked:
        process, sign, size = text.rpartition("=")
        if sign and processes and process not in processes:
            known = ", ".join(sorted(processes))
            raise RigError("invalid_data", f"There is no process type `{process}`.", f"There are: {known}.")
        if not sign:
            # What is said of all types goes for those, too, that had a limit of their own.
            process, limits = "*", {}
        if size == "default":
            limits.pop(process, None)
        else:
            limits[process] = 0 if size == "none" else _bytes(size)
    return limits


def _bytes(size: str) -> int:
    digits = size.rstrip("KMG")
    count = int(digits) * UNITS[size[len(digits) :]]
    if count < SMALLEST:
        raise RigError(
            "invalid_data",
            f"No process can live on {count} bytes.",
            "Give it more, as `512M`; without a unit it is bytes.",
        )
    return count
