"""`rig journal export|import`, through their handlers."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from handlers import export_journal, import_journal, journal_info
from handlers.verify_journal import handle as verify
from rig.contract.evidence import (
    ExportJournal,
    ImportJournal,
    JournalInfo,
    VerifyJournal,
)
from rig.kernel.errors import RigError
from storage import verify_export
from storage.evidence import Evidence
from storage.imports import ImportedJournal
from storage.journal import Journal
from tests.storage.evidencing import COUNT, at, check, context, export, replay
from tests.storage.support import (
    fill,
    open_journal,
)


def test_an_export_to_standard_output_is_the_one_to_a_file(journal: Journal, tmp_path: Path) -> None:
    asked = context(journal)
    export_journal.handle(ExportJournal(), asked)
    exported = export(journal, file=str(tmp_path / "export.jsonl"))
    assert asked.ports.printed == Path(exported.file).read_text()
    assert (exported.records, exported.complete, exported.size) == (COUNT, True, COUNT)
    report = check(journal, tmp_path / "export.jsonl")
    assert (report.verdict, report.records, report.root) == ("verified", COUNT, exported.root)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [("", "", (0, COUNT)), (at(3), "", (2, COUNT)), ("", at(3), (0, 2)), (at(3), at(5), (2, 4)), (at(99), "", (9, 9))],
)
def test_a_time_gives_the_range_that_holds_it(
    journal: Journal, tmp_path: Path, since: str, until: str, expected: tuple[int, int]
) -> None:
    exported = export(journal, file=str(tmp_path / "part.jsonl"), since=since, until=until)
    assert (exported.first, exported.end) == expected
    assert check(journal, tmp_path / "part.jsonl").verdict == "verified"


def test_the_verifier_is_put_beside_it(journal: Journal, tmp_path: Path) -> None:
    exported = export(journal, file=str(tmp_path / "export.jsonl"), with_verifier=True)
    assert "Ed25519" in Path(exported.verifier).read_text()
    with pytest.raises(RigError, match="none is named"):
        export(journal, with_verifier=True)


def test_picked_records_say_what_picked_them(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "picked.jsonl"
    with path.open("w", encoding="utf-8") as file:
        evidence = Evidence(lambda: journal)
        exported = evidence.export(file.write, positions=[1, 8], chosen_by={"actor": "user:ana"}, at=0)
    assert (exported.records, exported.complete) == (2, False)
    report = check(journal, path)
    assert (report.verdict, report.complete, report.records) == ("verified", False, 2)
    with pytest.raises(RigError) as refused:
        replay(journal, export=str(path))
    assert refused.value.code == "unverifiable"


def test_an_export_of_another_journal_needs_a_key(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    key = journal.info().verifier
    with open_journal(tmp_path / "other") as other:
        with pytest.raises(RigError) as refused:
            check(other, tmp_path / "export.jsonl")
        assert refused.value.code == "tampered"
        assert check(other, tmp_path / "export.jsonl", key=key).verdict == "verified"


def test_without_a_key_nothing_can_be_told(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    Path(journal.key_path).unlink()
    with pytest.raises(RigError, match="NO_KEY") as refused:
        check(journal, tmp_path / "export.jsonl")
    assert (refused.value.exit, "--key" in refused.value.hint) == (65, True)


def test_a_checkpoint_that_was_kept_is_compared(journal: Journal, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    journal_info.handle(JournalInfo(pin_out=str(kept)), context(journal))
    fill(tmp_path, 2)
    export(journal, file=str(tmp_path / "export.jsonl"))
    assert check(journal, tmp_path / "export.jsonl", pin=str(kept)).anchored == COUNT
    report = verify(VerifyJournal(pin=str(kept)), context(journal))
    assert [(anchor.kind, anchor.size) for anchor in report.anchors] == [("pin", COUNT + 2), ("kept", COUNT)]


def test_a_checkpoint_is_kept_over_an_earlier_one_of_the_journal_and_over_nothing_else(
    journal: Journal, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"

    def keep() -> None:
        journal_info.handle(JournalInfo(pin_out=str(kept)), context(journal))

    keep()
    earlier = kept.read_text()
    fill(tmp_path, 2)
    keep()
    later = kept.read_text()
    assert (earlier.split("\n")[1], later.split("\n")[1]) == (str(COUNT), str(COUNT + 2))
    for other in (
        "notes of my own\n",
        later.replace(f"\n{COUNT + 2}\n", "\n999\n"),
        later.replace("/client/", "/other/"),
    ):
        kept.write_text(other)
        with pytest.raises(RigError, match="is there already") as refused:
            keep()
        assert (refused.value.exit, kept.read_text()) == (73, other)


def test_an_export_replaces_no_file_unless_it_is_told_to(journal: Journal, tmp_path: Path) -> None:
    file, program = tmp_path / "export.jsonl", tmp_path / "verify_export.py"
    file.write_text("mine")
    with pytest.raises(RigError, match="is there already") as refused:
        export(journal, file=str(file), with_verifier=True)
    assert (refused.value.exit, file.read_text(), program.exists()) == (73, "mine", False)
    file.unlink()
    program.write_text("mine, too")
    with pytest.raises(RigError, match="is there already"):
        export(journal, file=str(file), with_verifier=True)
    assert (file.exists(), program.read_text()) == (False, "mine, too")
    export(journal, file=str(file), with_verifier=True, overwrite=True)
    export(journal, file=str(tmp_path / "another.jsonl"), with_verifier=True)
    assert file.read_text().startswith('{"complete":true')
    assert program.read_bytes() == Path(verify_export.__file__).read_bytes()


def test_an_import_can_be_asked_and_not_written(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    imported = import_journal.handle(ImportJournal(export=str(tmp_path / "export.jsonl")), context(journal))
    assert (imported.records, imported.file) == (COUNT, str(tmp_path / "export.sqlite"))
    assert stat.S_IMODE(os.stat(imported.file).st_mode) == 0o400
    with ImportedJournal(imported.file) as database:
        assert database.read() == journal.read()
        assert database.stream("command:0") == journal.stream("command:0")
        assert database.header["complete"] is True
        query = "SELECT * FROM audit ORDER BY pos"
        assert list(database.rows(query)) == list(journal.rows(query))
        with pytest.raises(RigError):
            database.rows("DELETE FROM audit")
    with pytest.raises(RigError, match="is there already"):
        import_journal.handle(ImportJournal(export=str(tmp_path / "export.jsonl")), context(journal))
    with pytest.raises(RigError, match="another program"):
        Journal.open(imported.file, origin="client")


def test_what_does_not_verify_is_not_imported(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    export(journal, file=str(path))
    path.write_bytes(path.read_bytes().replace(b"user:ana", b"user:eve"))
    with pytest.raises(RigError) as refused:
        import_journal.handle(ImportJournal(export=str(path)), context(journal))
    assert refused.value.code == "tampered"
    assert not (tmp_path / "export.sqlite").exists()


def test_only_what_was_imported_is_taken_for_it(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("No database, and long enough to be looked at. " * 100)
    (tmp_path / "empty").touch()
    for path in (journal.path, str(tmp_path / "notes"), str(tmp_path / "empty")):
        with pytest.raises(RigError, match="was not made by") as refused:
            ImportedJournal(path)
        assert refused.value.exit == 65


def test_nothing_can_be_appended_to_an_import(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    import_journal.handle(ImportJournal(export=str(tmp_path / "export.jsonl")), context(journal))
    with closing(ImportedJournal(str(tmp_path / "export.sqlite"))) as database:
        assert not hasattr(database, "append")
        assert database.by_idem("none") is None
