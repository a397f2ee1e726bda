"""What was collected, for the reply and for the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from events.node import NodeCollected
from rig.contract.collect import Collection, Garbage, Thing
from rig.node.bundles.collect import Swept, Tally
from rig.node.collect.model import Retention, Verdict


def of_verdict(verdict: Verdict, size: int = 0) -> Garbage:
    """One thing of an app, which takes ``size`` bytes on the disk."""
    found, downloads = verdict.found, verdict.downloads
    return Garbage(
        what=found.kind,
        app=found.app,
        name="" if found.kind in {"app", "network", "access"} else found.name,
        reason=verdict.reason,
        count=len(downloads) or 1,
        bytes=sum(each.size for each in downloads) or size,
    )


def of_store(network: str, swept: Swept) -> list[Garbage]:
    """What goes of the sources of one network."""
    kinds: list[tuple[Thing, Tally, str]] = [
        ("contents", swept.contents, "part of no kept source"),
        ("directories", swept.directories, "part of no kept source"),
        ("upload", swept.uploads, "nothing more of it came for a day"),
        ("segment", swept.repacked, "less than half of it is needed"),
    ]
    return [
        Garbage(what=what, app=network, reason=reason, count=tally.count, bytes=tally.bytes)
        for what, tally, reason in kinds
        if tally.count
    ]


def fact_of(collection: Collection, retention: Retention) -> NodeCollected:
    """What the record says of a collection that has found something."""
    counts = Counter[str]()
    for garbage in collection.garbage:
        counts[garbage.what] += garbage.count
    return NodeCollected(
        bytes=collection.bytes, counts=dict(counts), keep=retention.keep, older_than=retention.older_than
    )


def total(garbage: Iterable[Garbage]) -> int:
    """Bytes on the disk of all of it."""
    return sum(each.bytes for each in garbage)
