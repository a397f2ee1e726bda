"""Whose key an export is checked with where none is named."""

from __future__ import annotations

from rig.kernel.client import ClientContext
from rig.kernel.evidence import Evidence


def trusted(export: str, key: str, evidence: Evidence, ctx: ClientContext) -> str:
    """The key that was named; for an export of the platform's record the one by which the replica of it was checked.

    Empty for any other: it is this machine's own then.
    """
    if key or ctx.ports.replica is None:
        return key
    origin = evidence.origin_of(export)
    known = ctx.ports.replica.state() if origin else None
    return known.verifier if known is not None and known.origin == origin else ""
