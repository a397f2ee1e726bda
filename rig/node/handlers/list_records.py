"""Show the node's journal: the records that the asker may see, and the hashes of the others."""

from __future__ import annotations

import msgspec

from rig.contract.names import split_app
from rig.contract.replica import PAGE, ListRecords, RecordPage, WireRecord
from rig.kernel.errors import RigError
from rig.node.accounts.principal import Principal
from rig.node.ports import NodeContext

OWN = ("app", "network")
"""Streams that tell what became of an app or a network: whoever may look at it may know its history."""

NOTE = """
SELECT coalesce(heartbeat.note, checkpoint.note) AS note
FROM checkpoint LEFT JOIN heartbeat ON heartbeat.size = checkpoint.size WHERE checkpoint.size = ?"""
"""With the time of the last heartbeat, where there was one: who keeps it can prove that nothing had happened."""


class Header(msgspec.Struct, frozen=True):
    """What of a record decides who may see it."""

    stream: str
    actor: str
    target: str


_decoder = msgspec.json.Decoder(Header)


def visible(header: Header, who: Principal) -> bool:
    """Whether somebody may see a record: auditors all, others the history of what they may look at, and their own."""
    kind, _, name = header.stream.partition(":")
    network = (
        split_app(name if kind in OWN else header.target)[0]
        if kind == "app" or "/" in header.target
        else (name if kind == "network" else header.target)
    )
    if who.permits("audit", "*") or header.actor == who.actor:
        return True
    if kind not in {*OWN, "command"} or not network or network == "*":
        return False  # accounts, journals, the node: for those who audit the whole platform
    return who.permits("audit", network) or (kind in OWN and who.permits("read", network))


def handle(command: ListRecords, ctx: NodeContext) -> RecordPage:
    report = ctx.journal.info()
    size = report.size
    archived = next(ctx.journal.rows("SELECT min_pos FROM head"), {"min_pos": 0})["min_pos"]
    # A page ends where a signed checkpoint is: at a multiple of PAGE, or at the end.
    first = max(min(command.after + 1, size), archived)
    end = min((first // PAGE + 1) * PAGE, size)
    note = next(ctx.journal.rows(NOTE, (end,)), None)
    if size and note is None:
        raise RigError("unverifiable", f"The checkpoint over {end} records is gone.", "Run `rig journal verify` there.")
    rows = ctx.journal.rows("SELECT rec, leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos", (first, end))
    records = []
    for row in rows:
        shown = visible(_decoder.decode(row["rec"]), ctx.ports.principal)
        records.append(WireRecord(leaf=row["leaf"].hex(), rec=row["rec"] if shown else ""))
    return RecordPage(
        origin=report.origin,
        verifier=report.verifier,
        size=size,
        first=first,
        frontier=_frontier(archived, ctx) if first == archived and archived else "",
        records=records,
        checkpoint=note["note"] if note else "",
    )


def _frontier(archived: int, ctx: NodeContext) -> str:
    """The tree over what was archived."""
    row = next(ctx.journal.rows("SELECT frontier FROM segment WHERE last = ?", (archived - 1,)), None)
    if row is None:
        raise RigError("unverifiable", "What was archived left no tree.", "Run `rig journal verify` there.")
    return str(row["frontier"].hex())
