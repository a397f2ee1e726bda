"""Records that were picked from the platform's journal, each with the proof that the platform signed it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers import export_audit, import_journal
from handlers.verify_journal import handle as verify
from rig.clients.documents import writing_to
from rig.contract.evidence import ImportJournal, VerifyJournal
from rig.contract.review import AuditExport, ExportAudit
from rig.kernel.errors import RigError
from storage import verify_export
from storage.evidence import Evidence
from storage.imports import ImportedJournal
from storage.journal import Journal
from storage.merkle import Frontier
from storage.replica import Replica
from tests.storage import records
from tests.storage.records import context, open_record, page_of, replica_of
from tests.storage.support import completed, received, stamp
from tests.support import TIMEOUT

HIDDEN = 4
COUNT = 40


class Ports(records.Ports):
    """With a journal of this machine, and files that are written."""

    def __init__(self, folder: Path, journal: Journal, replica: Replica) -> None:
        super().__init__(folder, replica)
        self.evidence = Evidence(lambda: journal)

    def writing(self, path: str, *, overwrite: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        return writing_to(path, overwrite=overwrite)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    """Every third command was denied."""
    with open_record(tmp_path / "node", "node") as journal:
        drafts = []
        for number in range(COUNT // 2):
            stream, outcome = f"command:{number}", "denied" if number % 3 == 0 else "success"
            drafts += [received(stream, "app.delete", "demo/shop"), completed(stream, "app.delete", outcome)]
        journal.append(drafts, stamp())
        yield journal


def shown(rec: str) -> bool:
    return bool(json.loads(rec)["pos"] != HIDDEN)


@pytest.fixture
def ports(tmp_path: Path, node: Journal) -> Iterator[Ports]:
    replica = replica_of(tmp_path, node, shown)
    with open_record(tmp_path / "client") as journal:
        journal.append([received("command:here", "app.create", "demo/shop")], stamp())
        yield Ports(tmp_path, journal, replica)
        replica.close()


def export(ports: Ports, file: Path, **filters: Any) -> AuditExport:
    return export_audit.handle(
        ExportAudit(file=str(file), source="observed", **filters), context(journal_of(ports), ports)
    )


def journal_of(ports: Ports) -> Journal:
    return ports.evidence._journal()


def checked_without_rig(file: Path, key: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-I", "-S", verify_export.__file__, str(file), "--key", key]
    return subprocess.run(program, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def test_every_denial_is_proven_by_what_the_platform_signed(ports: Ports, node: Journal, tmp_path: Path) -> None:
    file = tmp_path / "denied.jsonl"
    made = export(ports, file, denied=True)
    assert (made.record, made.entries, made.key) == ("observed", 7, node.info().verifier)
    assert (made.replica and made.replica.verifier) == made.key
    alone = checked_without_rig(file, made.key)
    assert (alone.returncode, "verified: 14 records" in alone.stdout) == (0, True), alone.stdout
    assert "Completeness is not proven" in alone.stdout
    # The machine that has the replica knows the platform's key.
    report = verify(VerifyJournal(export=str(file)), context(journal_of(ports), ports))
    assert (report.verdict, report.origin, report.size, report.records) == ("verified", node.info().origin, COUNT, 14)


def test_it_is_asked_like_any_export(ports: Ports, tmp_path: Path) -> None:
    file = tmp_path / "denied.jsonl"
    export(ports, file, denied=True)
    asked = context(journal_of(ports), ports)
    imported = import_journal.handle(ImportJournal(export=str(file), to=str(tmp_path / "denied.sqlite")), asked)
    with ImportedJournal(imported.file) as found:
        assert [row["outcome"] for row in found.rows("SELECT outcome FROM audit")] == ["denied"] * 7


def test_a_record_that_is_withheld_is_in_none(ports: Ports, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    made = export(ports, file)
    positions = [json.loads(line)["pos"] for line in file.read_text().splitlines()[1:-1:2]]
    assert positions == [pos for pos in range(COUNT) if pos != HIDDEN]
    assert checked_without_rig(file, made.key).returncode == 0


def test_one_that_was_edited_does_not_verify(ports: Ports, tmp_path: Path) -> None:
    file = tmp_path / "denied.jsonl"
    made = export(ports, file, denied=True)
    file.write_text(file.read_text().replace("demo/shop", "demo/sham", 1))
    assert checked_without_rig(file, made.key).returncode == 1
    with pytest.raises(RigError, match="BAD_PROOF"):
        verify(VerifyJournal(export=str(file)), context(journal_of(ports), ports))


def test_it_is_not_taken_for_one_of_this_machine(ports: Ports, tmp_path: Path) -> None:
    file = tmp_path / "denied.jsonl"
    export(ports, file, denied=True)
    own = journal_of(ports).info().verifier
    assert checked_without_rig(file, own).returncode == 1


def test_a_replica_that_was_edited_gives_none(ports: Ports, tmp_path: Path) -> None:
    replica = ports.replica
    assert replica is not None
    replica._open(write=True).execute("UPDATE event SET leaf = zeroblob(32) WHERE pos = 9")
    with pytest.raises(RigError) as refused:
        export(ports, tmp_path / "denied.jsonl", denied=True)
    assert refused.value.code == "tampered"
    assert not (tmp_path / "denied.jsonl").exists()


def test_a_replica_that_begins_behind_an_archive_proves_too(node: Journal, ports: Ports, tmp_path: Path) -> None:
    before = Frontier()
    for row in node.rows("SELECT leaf FROM event WHERE pos < 20 ORDER BY pos"):
        before.append(row["leaf"])
    replica = Replica(str(tmp_path / "late.sqlite"), records.PROJECTIONS)
    replica.extend(msgspec.structs.replace(page_of(node, 19), frontier=before.pack().hex()), asked=0, at=1)
    made = export(Ports(tmp_path, journal_of(ports), replica), tmp_path / "late.jsonl", denied=True)
    replica.close()
    assert 0 < made.entries < 7
    assert checked_without_rig(tmp_path / "late.jsonl", made.key).returncode == 0
