"""`rig audit show`: one record with its causes and effects, and what vouches for it."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

import msgspec

from handlers.audit_sources import Sources, records
from handlers.observe import state_of
from rig.contract.review import AuditFilter, AuditRecord, ShowAudit, Source, TreeEntry
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Record

LAST = "g"
"""Behind every hexadecimal digit."""
CORRELATED = "SELECT pos, leaf, rec FROM event WHERE corr = ? AND rec IS NOT NULL ORDER BY pos LIMIT ?"
RELATED = 1_000
"""Records of a correlation that are shown, of each source."""


class Found(msgspec.Struct, frozen=True):
    """A record, and whose it is."""

    source: Source
    pos: int
    leaf: bytes
    rec: str

    @property
    def fields(self) -> dict[str, Any]:
        """What it says; decoded anew each time."""
        return msgspec.json.decode(self.rec, type=dict[str, Any])


def handle(command: ShowAudit, ctx: ClientContext) -> AuditRecord:
    sources = records(AuditFilter(), command.from_file, ctx, fetch=False)
    if not command.from_file:
        require_kept(command.id, ctx)
    found = find(command.id, sources)
    fields = found.fields
    related = [
        Found(source, row["pos"], row["leaf"], row["rec"])
        for source, record in (sources if fields["corr"] else ())
        for row in record.rows(CORRELATED, (fields["corr"], RELATED))
    ]
    signed, anchored = vouched(found, dict(sources)[found.source], ctx)
    return AuditRecord(
        source=found.source,
        pos=found.pos,
        id=fields["id"],
        record=found.rec,
        leaf=found.leaf.hex(),
        hashed=sha256(b"\x00" + found.rec.encode()).digest() == found.leaf,
        signed=signed,
        anchored=anchored,
        tree=tree(related or [found]),
    )


def find(wanted: str, sources: Sources) -> Found:
    """The one record of this id, of an id that begins so, or of this number. Raises `RigError`."""
    parameters: list[int | str]
    number = wanted.removeprefix("n")
    if number.isdecimal() and (number == "0" or number[0] != "0") and len(number) < 10:
        where, parameters = "pos = ?", [int(number)]
        sources = [each for each in sources if (each[0] == "observed") == (wanted[0] == "n")]
    else:
        where, parameters = "id >= ? AND id < ?", [wanted, wanted + LAST]
    sql = f"SELECT pos, leaf, rec FROM event WHERE {where} AND rec IS NOT NULL LIMIT 2"  # noqa: S608 - ours
    hits = [(source, row) for source, record in sources for row in record.rows(sql, parameters)]
    if not hits:
        raise RigError(
            "not_found", f"No record is called `{wanted}`.", "`rig audit` numbers them; -o json has their ids."
        )
    if len(hits) > 1:
        raise RigError("usage", f"More than one record's id begins with `{wanted}`.", "Give more of it.")
    source, row = hits[0]
    return Found(source, row["pos"], row["leaf"], row["rec"])


def require_kept(wanted: str, ctx: ClientContext) -> None:
    """Raise `RigError` ``not_found`` for a number of a record of this machine that was archived: it says where to."""
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else -1
    sql = "SELECT first, last, file FROM segment WHERE first <= ? AND last >= ?"
    for row in ctx.journal.rows(sql, (number, number)):
        file = os.path.join(os.path.dirname(ctx.journal.info().path), row["file"])
        raise RigError(
            "not_found",
            f"Record {number} was archived, with those from {row['first']} to {row['last']}, to {file}.",
            f"`rig journal import {file}` makes a database of it; then `rig audit show {number} --from` that.",
        )


def vouched(found: Found, record: Record, ctx: ClientContext) -> tuple[int, str]:
    """The size of the signed checkpoint that covers a record, and what outside of its database holds it in place."""
    if found.source == "observed":
        state = state_of(ctx.ports.replica)
        # Each page was checked against the platform's signature before it was kept.
        return (state.size, "platform's signature, replica") if state else (0, "")
    if found.source == "export":
        size = next(record.rows("SELECT size FROM evidence"))["size"]
        return size, "the export, which was verified when it was imported"
    report = ctx.journal.info()
    anchors = [name for name, size in (("pin", report.pinned), ("platform", report.witnessed)) if size > found.pos]
    return report.size, ", ".join(anchors)


def tree(related: list[Found]) -> list[TreeEntry]:
    """The records of one correlation, each below what caused it, in the order in which they happened."""
    decoded = [(found, found.fields) for found in related]
    nodes = {fields["id"]: (found, fields) for found, fields in decoded}
    commands: dict[str, str] = {}
    for identity, (_, fields) in nodes.items():
        if fields["stream"].startswith("command:"):
            commands.setdefault(fields["stream"].removeprefix("command:"), identity)
    children: dict[str, list[str]] = {}
    for identity, (_, fields) in nodes.items():
        children.setdefault(_parent(identity, fields, nodes, commands), []).append(identity)
    listed: list[TreeEntry] = []

    def walk(parent: str, depth: int) -> None:
        for identity in sorted(children.get(parent, ()), key=lambda one: int(nodes[one][1]["at"])):
            found, fields = nodes[identity]
            listed.append(
                TreeEntry(
                    depth=depth,
                    source=found.source,
                    pos=found.pos,
                    id=identity,
                    at=rfc3339(int(fields["at"])),
                    actor=fields["actor"],
                    type=fields["type"],
                    what=fields["body"].get("command", fields["type"]),
                    target=fields["target"],
                    outcome=fields["outcome"],
                )
            )
            walk(identity, depth + 1)

    walk("", 0)
    return listed


def _parent(identity: str, fields: dict[str, Any], nodes: dict[str, Any], commands: dict[str, str]) -> str:
    """The record that caused one: the one that it names, else the beginning of its command, else of the first command.

    Empty for what began it all.
    """
    for cause in (fields["caus"], commands.get(fields["caus"], ""), commands.get(fields["corr"], "")):
        if cause in nodes and cause != identity and not _causes(identity, cause, nodes, commands):
            return str(cause)
    return ""


def _causes(identity: str, other: str, nodes: dict[str, Any], commands: dict[str, str]) -> bool:
    """Whether ``other`` names ``identity`` as its cause: a forged record might go round in a circle."""
    seen: set[str] = set()
    while other and other not in seen:
        seen.add(other)
        fields = nodes[other][1] if other in nodes else None
        if fields is None:
            return False
        caus = fields["caus"]
        other = caus if caus in nodes else commands.get(caus, "")
        if other == identity:
            return True
    return False
