"""`rig journal export`: the record, as a file that can be checked without it."""

from __future__ import annotations

import os

import msgspec

from rig.contract.evidence import Exported, ExportJournal
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.times import instant


def handle(command: ExportJournal, ctx: ClientContext) -> Exported:
    """Write the whole journal, or the range that holds all records of a time."""
    now = ctx.stamp.at
    if command.with_verifier and not command.file:
        raise RigError("usage", "The verifier is put beside a file, and none is named.", "Name one: `--file`.")
    evidence = ctx.ports.node_evidence if command.node else ctx.ports.evidence
    folder = os.path.dirname(os.path.abspath(command.file))
    verifier = ""
    with ctx.ports.writing(command.file, overwrite=command.overwrite) as write:
        if command.with_verifier:
            verifier = evidence.put_verifier(folder, overwrite=command.overwrite)
        exported = evidence.export(
            write,
            since=instant(command.since, now, "--since") if command.since else None,
            until=instant(command.until, now, "--until") if command.until else None,
            at=now,
        )
    if not command.file:
        return exported
    return msgspec.structs.replace(exported, file=os.path.abspath(command.file), verifier=verifier)
