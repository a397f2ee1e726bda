"""The journal as evidence: the port, and the error for what does not verify. `storage.evidence` is behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from rig.kernel.errors import RigError

if TYPE_CHECKING:
    from rig.contract.evidence import Archived, Exported, Imported, Rebuilt, Replayed
    from rig.contract.verification import Finding, JournalReport, Verification
    from rig.kernel.ports import Stamp


class Evidence(Protocol):
    """Checks, exports, replays and archives the journal of this machine, and reads the exports of others.

    ``key`` is a verifier key or the path of a file that holds one; empty stands for this journal's own. ``pin`` is the
    path of a checkpoint that somebody kept, or empty.
    """

    def verify(self, pin: str) -> Verification:
        """Check the journal. Reports what is wrong; never raises."""
        ...

    def verify_export(self, export: str, key: str, pin: str) -> Verification:
        """Check an export. Reports what is wrong. Raises `RigError` ``not_found`` where there is no such file."""
        ...

    def origin_of(self, export: str) -> str:
        """The journal that an export says it is of; empty where it says nothing. Nothing is checked."""
        ...

    def info(self) -> JournalReport:
        """What the journal is and how far it goes; nothing is verified."""
        ...

    def keep_checkpoint(self, path: str) -> None:
        """Write the newest checkpoint to a file, which may hold an earlier one of the same journal.

        Raises `RigError`: ``already_exists`` where it holds anything else.
        """
        ...

    def export(
        self,
        write: Callable[[str], Any],
        *,
        since: int | None = None,
        until: int | None = None,
        positions: Sequence[int] | None = None,
        chosen_by: dict[str, str] | None = None,
        at: int,
    ) -> Exported:
        """Write an export, text by text.

        ``since`` and ``until`` are nanoseconds since the epoch. With ``positions``, in rising order, only these records
        are taken, each with its proof, and ``chosen_by`` says in the header what picked them. Raises `RigError`:
        ``tampered`` where the journal does not verify.
        """
        ...

    def put_verifier(self, folder: str, *, overwrite: bool = False) -> str:
        """Put the program that checks exports without rig into a folder; gives its path.

        Raises `RigError`: ``already_exists`` where another file has its name and is not to be replaced.
        """
        ...

    def import_export(self, export: str, to: str, key: str, pin: str) -> Imported:
        """Make a read-only database of an export that verifies. Raises `RigError`."""
        ...

    def replay(
        self, export: str, key: str, pin: str, *, until_pos: int | None, until: int | None, names: Sequence[str]
    ) -> Replayed:
        """Fold the records of an export (``.``: of the journal) where nothing else can run. Raises `RigError`."""
        ...

    def rebuild(self, names: Sequence[str]) -> Rebuilt:
        """Make projections anew, all without ``names``. Raises `RigError`."""
        ...

    def archive(self, before: int, file: str, stamp: Stamp) -> Archived:
        """Move the records from before a time to a file. Raises `RigError`."""
        ...


TOLD = 5
"""Findings of each kind that people are told of; programs get them all."""


def require_verified(report: Verification) -> None:
    """Raise `RigError` ``tampered`` or ``unverifiable``, with the whole report as its details, unless it verifies.

    What people read first is the first finding that has a place in the record: it says what to look at.
    """
    if report.verdict == "verified":
        return
    findings = report.findings
    first = next((finding for finding in findings if finding.first >= 0), findings[0])
    others = {1: "", 2: " (1 more finding)"}.get(len(findings), f" ({len(findings) - 1} more findings)")
    if report.verdict == "tampered":
        message = f"{report.path} does not verify: {first.code}, {first.message}{others}."
        hint = "Keep the file, and the `pins` folder if it is a journal, as they are; compare them with earlier copies."
    else:
        message = f"It cannot be told whether {report.path} is whole: {first.code}, {first.message}{others}."
        hint = MISSING.get(first.code, "Put back what is missing; `rig journal info` says where it belongs.")
    told = {"output": _told(findings)} if others else {}
    raise RigError(report.verdict, message, hint, verification=msgspec.to_builtins(report), **told)


def _told(findings: Sequence[Finding]) -> list[str]:
    """A line for each of the first findings of a kind, and one for the rest of them."""
    kinds = Counter(finding.code for finding in findings)
    shown: Counter[str] = Counter()
    lines = []
    for finding in findings:
        shown[finding.code] += 1
        if shown[finding.code] <= TOLD:
            lines.append(f"{finding.code}: {finding.message}")
    return lines + [f"{code}: and {count - TOLD} more" for code, count in kinds.items() if count > TOLD]


MISSING = {
    "NO_CHECKPOINT": "Export a journal that holds records.",
    "NOT_AN_EXPORT": "Name a file that `rig journal export` has written.",
    "NO_KEY": "Name the public key that you trust: `--key`. Whoever made the export prints it with `rig journal info`.",
    "NO_PIN": "Compare it with a checkpoint that you have kept: `--pin FILE`.",
    "BAD_PIN": "Name a checkpoint of this journal: `rig journal info --pin-out FILE` writes one.",
    "PIN_AHEAD": "Ask for an export that was made after the checkpoint was kept.",
    "REPLICA_BEHIND": "Move the replica away and keep it; `rig audit --sync` begins a new one behind the archive.",
    "PROJECTION_UNKNOWN": "Check it with the newest rig that has used this journal.",
}
