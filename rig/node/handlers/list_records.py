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

BOUNDS = """
WITH asked AS (SELECT size, min_pos AS archived, max(min(:after + 1, size), min_pos) AS first FROM head),
    page AS (SELECT *, min((first / :page + 1) * :page, size) AS end FROM asked)
SELECT page.*, coalesce(heartbeat.note, checkpoint.note) AS note
FROM page LEFT JOIN checkpoint ON checkpoint.size = page.end LEFT JOIN heartbeat ON heartbeat.size = page.end"""
"""Of a page that ends where a signed checkpoint is: at a multiple of its size, or at the end of the journal. All at one
moment, since others append meanwhile. The note has the time of the last heartbeat, where there was one: who keeps it
can prove that nothing had happened."""


class Header(msgspec.Struct, frozen=True):
    """What of a record decides who may see it."""

    stream: str
    actor: str
    target: str


_decoder = msgspec.json.Decoder(Header)


def visible(header: Header, who: Principal) -> bool:
    """Whether somebody may see a record: auditors all, others the history of what they may look at, and their own."""
    kind, _, name = header.stream.partition(":")
    about = name if kind in OWN else header.target
    network = split_app(about)[0] or about
    if who.permits("audit", "*") or header.actor == who.actor:
        return True
    if kind not in {*OWN, "command"} or not network or network == "*":
        return False  # accounts, journals, the node: for those who audit the whole platform
    return who.permits("audit", network) or (kind in OWN and who.permits("read", network))


def handle(command: ListRecords, ctx: NodeContext) -> RecordPage:
    report = ctx.journal.info()
    page = next(ctx.journal.rows(BOUNDS, {"after": command.after, "page": PAGE}), None)
    if page is None:
        return RecordPage(origin=report.origin, verifier=report.verifier, size=0, first=0, records=[], checkpoint="")
    archived, first, end = page["archived"], page["first"], page["end"]
    if page["note"] is None:
        raise RigError("unverifiable", f"The checkpoint over {end} records is gone.", "Run `rig journal verify` there.")
    rows = ctx.journal.rows("SELECT rec, leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos", (first, end))
    records = []
    for row in rows:
        shown = visible(_decoder.decode(row["rec"]), ctx.ports.principal)
        records.append(WireRecord(leaf=row["leaf"].hex(), rec=row["rec"] if shown else ""))
    if len(records) < end - first:
        raise RigError("unavailable", "These records were archived while they were being read.", "Ask again.")
    return RecordPage(
        origin=report.origin,
        verifier=report.verifier,
        size=page["size"],
        first=first,
        frontier=_frontier(archived, ctx) if first == archived and archived else "",
        records=records,
        checkpoint=page["note"],
    )


def _frontier(archived: int, ctx: NodeContext) -> str:
    """The tree over what was archived."""
    row = next(ctx.journal.rows("SELECT frontier FROM segment WHERE last = ?", (archived - 1,)), None)
    if row is None:
        raise RigError("unverifiable", "What was archived left no tree.", "Run `rig journal verify` there.")
    return str(row["frontier"].hex())
