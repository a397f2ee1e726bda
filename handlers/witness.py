"""Having the platform witness the journal of this machine.

After a change the newest checkpoint is sent, with the hashes of what was appended since the last one that was
witnessed. The platform countersigns it only if it continues that one, so a journal that was rewritten or set back is
found out even where nothing on this machine tells any more.
"""

from __future__ import annotations

from typing import Any

from handlers.observe import AWAY
from rig.contract.replica import MAX_LEAVES, Cosigned, WitnessCheckpoint
from rig.kernel.errors import RigError
from rig.kernel.ports import Journal, Platform, Stamp

STEPS = 8
"""Requests at most; a journal that is far ahead is caught up with over several commands."""


def witness(journal: Journal, platform: Platform, stamp: Stamp) -> list[str]:
    """Send the newest checkpoint, best effort; gives a warning where the platform has seen another past."""
    try:
        report = journal.info()
        known = report.witnessed
        for _ in range(STEPS):
            request = following(journal, report.origin, known)
            if request is None:
                break
            try:
                answer = platform.call(request, Cosigned, corr=stamp.corr)
            except RigError as error:
                size = error.details.get("size")
                if error.code != "conflict" or not isinstance(size, int) or size == known:
                    raise
                if size > report.size:
                    return [set_back(size, report.size)] if size > journal.info().size else []
                known = size  # another process, or another copy of this journal, was there before
                continue
            journal.keep_witness(answer.checkpoint, answer.verifier)
            known = answer.size
    except RigError as error:
        if error.code == "journal_forked":
            return [f"{error.message} {error.hint}"]
        if error.code in AWAY or error.code == "journal_unavailable":
            return []
        return [f"The platform could not witness the journal of this machine: {error.message}"]
    return []


def set_back(witnessed: int, size: int) -> str:
    """The warning for a journal that is shorter than it was."""
    return (
        f"The platform has witnessed {witnessed} records of the journal of this machine, and {size} are"
        " here: it was replaced by an older copy. Run `rig journal verify`."
    )


def following(journal: Journal, origin: str, known: int) -> WitnessCheckpoint | None:
    """The request for the next checkpoint behind ``known`` records; None where there is none."""
    sql = (
        "SELECT head.size, head.frontier, checkpoint.note FROM head JOIN checkpoint ON checkpoint.size = head.size"
        if known == 0
        # As far as the hashes of one request go, or to the end.
        else "SELECT size, note FROM checkpoint WHERE size > ? AND size <= ? ORDER BY size DESC LIMIT 1"
    )
    row: dict[str, Any] | None = next(journal.rows(sql, () if known == 0 else (known, known + MAX_LEAVES)), None)
    if row is None:
        return None
    if known == 0:
        return WitnessCheckpoint(origin=origin, checkpoint=row["note"], frontier=row["frontier"].hex())
    rows = journal.rows("SELECT leaf FROM event WHERE pos >= ? AND pos < ? ORDER BY pos", (known, row["size"]))
    leaves = [each["leaf"].hex() for each in rows]
    if len(leaves) != row["size"] - known:
        return None  # archived meanwhile: what was witnessed stays so
    return WitnessCheckpoint(origin=origin, checkpoint=row["note"], old_size=known, leaves=leaves)
