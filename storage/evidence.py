"""The journal of this machine as evidence. Implements `rig.kernel.evidence.Evidence`."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec

from rig.contract.evidence import Archived, Exported, Imported, Rebuilt, Replayed
from rig.contract.verification import Finding, JournalReport, Verdict, Verification
from rig.kernel.errors import RigError
from rig.kernel.evidence import require_verified
from rig.kernel.files import require_absent, write_atomic
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Stamp
from storage import archive, checkpoint, exports, imports, keys, rebuilt, verify_export
from storage.database import unavailable
from storage.export import Selection, export, exported, open_source
from storage.fold import digest_of_all
from storage.journal import Journal
from storage.projections.base import Projection
from storage.verify import UNPROVEN, verify

JOURNAL = "."
"""Stands for the journal of this machine where an export is asked for."""


class Evidence:
    """``journal`` gives it when it is needed: an export can be checked where there is none. It may raise `RigError`."""

    def __init__(self, journal: Callable[[], Journal]) -> None:
        self._journal = journal

    def verify(self, pin: str) -> Verification:
        """See `rig.kernel.evidence.Evidence.verify`."""
        try:
            journal = self._journal()
        except RigError as error:
            if "finding" not in error.details:
                raise
            return _of_another_file(error)
        return verify(
            journal.path,
            journal.key_path,
            journal.pin,
            projections=journal.projections,
            kept=[pin] if pin else [],
            timeout=journal.timeout,
        )

    def verify_export(self, export: str, key: str, pin: str) -> Verification:
        """See `rig.kernel.evidence.Evidence.verify_export`."""
        _require(export)
        try:
            trusted = self._trusted(key)
        except RigError as error:
            finding = Finding(code="NO_KEY", message=error.message)
            return Verification(verdict="unverifiable", path=export, findings=[finding])
        return exports.report(exports.check(export, trusted, pin))

    def origin_of(self, export: str) -> str:
        """See `rig.kernel.evidence.Evidence.origin_of`."""
        try:
            with open(export, "rb") as file:
                header = msgspec.json.decode(file.readline(verify_export.MAX_LINE), type=dict[str, Any])
        except (OSError, ValueError, RecursionError):
            return ""
        return str(header.get("origin", ""))

    def info(self) -> JournalReport:
        """See `rig.kernel.evidence.Evidence.info`."""
        return self._journal().info()

    def keep_checkpoint(self, path: str) -> None:
        """See `rig.kernel.evidence.Evidence.keep_checkpoint`."""
        report = self._journal().info()
        if not report.checkpoint:
            raise RigError("not_found", "The journal is empty, so there is no checkpoint.", "Run any command first.")
        if os.path.lexists(path) and not _precedes(path, report):
            raise RigError(
                "already_exists",
                f"{path} is there already, and holds no earlier checkpoint of this journal.",
                "Name another file.",
            )
        _write(path, report.checkpoint.encode())

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
        """See `rig.kernel.evidence.Evidence.export`."""
        journal = self._journal()
        with closing(open_source(journal.path, journal.timeout)) as source:
            first, end = source.positions(since, until)
            chosen = Selection(first=first, end=end, positions=positions, filter=chosen_by or {})
            verifier = _verifier(journal)
            try:
                written = export(
                    source,
                    lambda data: write(data.decode()),
                    chosen,
                    verifier=verifier,
                    exported_at=rfc3339(at),
                )
            except sqlite3.Error as error:
                raise unavailable(journal.path, error) from error
        return exported(written, verifier, complete=positions is None)

    def put_verifier(self, folder: str, *, overwrite: bool = False) -> str:
        """See `rig.kernel.evidence.Evidence.put_verifier`."""
        path = os.path.join(folder, os.path.basename(verify_export.__file__))
        with open(verify_export.__file__, "rb") as file:
            program = file.read()
        if _holds(path, program):
            return path
        if not overwrite:
            require_absent(path)
        _write(path, program)
        return path

    def import_export(self, export: str, to: str, key: str, pin: str) -> Imported:
        """See `rig.kernel.evidence.Evidence.import_export`."""
        _require(export)
        checked = exports.check(export, self._trusted(key), pin)
        require_verified(exports.report(checked))
        return imports.make(checked, os.path.abspath(to), self._journal().projections)

    def replay(
        self, export: str, key: str, pin: str, *, until_pos: int | None, until: int | None, names: Sequence[str]
    ) -> Replayed:
        """See `rig.kernel.evidence.Evidence.replay`."""
        from storage import replay

        chosen = self._projections(names)
        with tempfile.TemporaryDirectory(prefix="rig-replay-") as folder:
            if export == JOURNAL:
                journal = self._journal()
                export, key = os.path.join(folder, "journal.jsonl"), _verifier(journal)
                pin = pin or (journal.pin.path if os.path.exists(journal.pin.path) else "")
                with open(export, "w", encoding="utf-8", newline="") as file:
                    self.export(file.write, at=0)
            _require(export)
            trusted = self._trusted(key)
            answer = replay.request(os.path.abspath(export), trusted, pin, chosen, until_pos, until)
        return Replayed(
            origin=answer.origin,
            first=answer.first,
            records=answer.records,
            size=answer.size,
            root=answer.root,
            digest=digest_of_all(answer.folded),
            projections=answer.folded,
        )

    def rebuild(self, names: Sequence[str]) -> Rebuilt:
        """See `rig.kernel.evidence.Evidence.rebuild`."""
        journal, chosen = self._journal(), self._projections(names)
        try:
            before = [rebuilt.held(journal.path, projection, journal.timeout) for projection in chosen]
            records, folded = journal.rebuild(chosen)
            differed = [
                projection.name
                for projection, was, now in zip(chosen, before, folded, strict=True)
                if rebuilt.differs(journal.path, projection, journal.timeout, was, now.digest)
            ]
        except sqlite3.Error as error:
            raise unavailable(journal.path, error) from error
        return Rebuilt(records=records, projections=folded, differed=differed)

    def archive(self, before: int, file: str, stamp: Stamp) -> Archived:
        """See `rig.kernel.evidence.Evidence.archive`."""
        journal = self._journal()
        return archive.archive(journal, before, file, stamp, verifier=_verifier(journal))

    def _trusted(self, key: str) -> str:
        """The verifier key that is meant. Raises `RigError`."""
        if not key:
            return _verifier(self._journal())
        if os.path.isfile(key):
            try:
                with open(key, encoding="utf-8", errors="replace") as file:
                    return file.read(4096).strip()
            except OSError as error:
                reason = error.strerror or error
                raise RigError("usage", f"The key {key} cannot be read: {reason}.", "Name it, or its file.") from error
        return key

    def _projections(self, names: Sequence[str]) -> list[Projection]:
        known = {projection.name: projection for projection in self._journal().projections}
        for name in names:
            if name not in known:
                raise RigError("usage", f"There is no projection `{name}`.", f"It is one of: {', '.join(known)}.")
        return [known[name] for name in names] or list(known.values())


def _of_another_file(error: RigError) -> Verification:
    """What is said of a file that is not opened, because it is no journal."""
    finding = Finding(code=error.details["finding"], message=error.message.rstrip("."))
    verdict: Verdict = "unverifiable" if finding.code in UNPROVEN else "tampered"
    return Verification(verdict=verdict, path=error.details["path"], findings=[finding])


def _require(export: str) -> None:
    if not os.path.exists(export):
        raise RigError("not_found", f"There is no file {export}.", "Make one: `rig journal export --file FILE`.")


def _verifier(journal: Journal) -> str:
    signer = keys.load(journal.key_path)
    if signer is None:
        raise RigError(
            "unverifiable",
            f"The key {journal.key_path} is not there, so nobody can say what to trust.",
            "Name the public key that you trust: `--key`.",
        )
    return signer.verifier


def _precedes(path: str, report: JournalReport) -> bool:
    """Whether a file holds a checkpoint that this journal has gone on from: what is kept may be kept anew."""
    try:
        with open(path, encoding="utf-8") as file:
            kept = checkpoint.parse(file.read(checkpoint.MAX_NOTE))
    except (OSError, ValueError):
        return False
    return kept.origin == report.origin and kept.size <= report.size


def _holds(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except OSError:
        return False


def _write(path: str, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except OSError as error:
        raise RigError(
            "usage", f"{path} cannot be written: {error.strerror or error}.", "Name a file in a folder that is there."
        ) from error
