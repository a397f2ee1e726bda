"""`rig journal export|import|replay|rebuild|archive`, through their handlers."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from handlers import archive_journal, export_journal, import_journal, journal_info, rebuild_projections, replay_journal
from handlers.verify_journal import handle as verify
from rig.clients.documents import writing_to
from rig.contract.audit import Verification
from rig.contract.evidence import (
    Archived,
    ArchiveJournal,
    Exported,
    ExportJournal,
    ImportJournal,
    JournalInfo,
    RebuildProjections,
    Replayed,
    ReplayJournal,
    VerifyJournal,
)
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Draft, OutboxRow, Progress, Settled
from storage import verify_export, verify_records, verify_work
from storage.evidence import Evidence
from storage.imports import ImportedJournal
from storage.journal import Journal
from tests.storage.reaching import Attaching, Reaching
from tests.storage.support import (
    START,
    FakeClock,
    completed,
    fill,
    findings,
    fingerprint,
    open_journal,
    received,
    stamp,
    tamper,
    verification,
)

COUNT = 9


class Ports(SimpleNamespace):
    """The ports that these handlers use; what goes to standard output is kept."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(evidence=Evidence(lambda: journal), replica=None, printed="")

    def writing(self, path: str, *, overwrite: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        return writing_to(path, overwrite=overwrite) if path else nullcontext(self._print)

    def _print(self, text: str) -> None:
        self.printed += text


def context(journal: Journal) -> Context[Any]:
    silent: Any = None
    progress: Progress = silent
    return Context(stamp(), journal, Ports(journal), progress)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Nine intents, a second apart, the last one ended."""
    fill(tmp_path, COUNT - 1)
    with open_journal(tmp_path, clock=FakeClock(START + (COUNT - 1) * 1_000_000_000)) as opened:
        opened.append([completed("command:0")], stamp())
        yield opened


def export(journal: Journal, **fields: Any) -> Exported:
    return export_journal.handle(msgspec.convert(fields, ExportJournal), context(journal))


def check(journal: Journal, path: Path, **fields: Any) -> Verification:
    return verify(VerifyJournal(export=str(path), **fields), context(journal))


def replay(journal: Journal, **fields: Any) -> Replayed:
    return replay_journal.handle(msgspec.convert(fields, ReplayJournal), context(journal))


def archive(journal: Journal, before: str, **fields: Any) -> Archived:
    asked = context(journal)
    return archive_journal.handle(ArchiveJournal(before=before, **fields), asked)


def at(second: int) -> str:
    return rfc3339(START + second * 1_000_000_000)


# -- export and import ------------------------------------------------------------------------------------------------


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


def test_only_what_was_imported_is_taken_for_it(journal: Journal) -> None:
    with pytest.raises(RigError, match="was not made by"):
        ImportedJournal(journal.path)


# -- replay and rebuild -----------------------------------------------------------------------------------------------


def test_a_replay_comes_to_what_the_projections_hold(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    ours, theirs = replay(journal), replay(journal, export=str(tmp_path / "export.jsonl"))
    assert ours.projections == theirs.projections
    assert (ours.digest, ours.records) == (theirs.digest, COUNT)
    rebuilt = rebuild_projections.handle(RebuildProjections(), context(journal))
    assert (rebuilt.projections, rebuilt.differed) == (ours.projections, [])


def test_the_digest_is_the_same_wherever_it_is_made(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    digests = set()
    for seed, zone, language in (("0", "UTC", "C"), ("1", "Asia/Kathmandu", "tr_TR.UTF-8"), ("7", "", "de_DE@euro")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("LC_ALL", language)
        digests.add(replay(journal, export=str(tmp_path / "export.jsonl")).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(("until", "records"), [("0", 0), ("4", 4), (at(4), 3), ("999", COUNT)])
def test_a_replay_stops_where_it_is_told(journal: Journal, until: str, records: int) -> None:
    assert replay(journal, until=until).records == records


def test_an_expected_digest_that_is_another_one_fails(journal: Journal) -> None:
    first = replay(journal, until="5", projection=["audit"])
    assert [each.name for each in first.projections] == ["audit"]
    assert replay(journal, until="5", projection=["audit"], expect=first.digest).digest == first.digest
    with pytest.raises(RigError) as refused:
        replay(journal, until="6", projection=["audit"], expect=first.digest)
    assert refused.value.code == "content_mismatch"
    with pytest.raises(RigError, match="no projection"):
        replay(journal, projection=["nothing"])


def test_what_does_not_verify_is_not_folded(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    export(journal, file=str(path))
    path.write_bytes(path.read_bytes().replace(b"user:ana", b"user:eve"))
    with pytest.raises(RigError) as refused:
        replay(journal, export=str(path))
    assert (refused.value.code, refused.value.exit) == ("tampered", 1)


def test_a_fact_that_is_not_known_fails_and_says_so(journal: Journal) -> None:
    class Mystery(type(received().fact), frozen=True, kw_only=True):  # type: ignore[misc]
        type = "mystery.happened"

    journal.projections = ()
    journal.append([Draft(stream="m:1", fact=Mystery(command="x"))], stamp())
    with open_journal(Path(journal.path).parent / "other") as other:
        journal.projections = other.projections
    for projection in journal.projections:  # whether it looks at such facts or not
        with pytest.raises(RigError, match=r"no fact `mystery\.happened`") as refused:
            replay(journal, projection=[projection.name])
        assert "Upgrade rig" in refused.value.hint


def test_a_projection_that_reaches_out_is_stopped(journal: Journal) -> None:
    for projection, said in ((Reaching(), "may not be opened for writing"), (Attaching(), "not authorized")):
        journal.projections = (projection,)
        with pytest.raises(RigError, match=said) as refused:
            replay(journal)
        assert refused.value.code == "internal"
    assert not list(Path(tempfile.gettempdir()).glob(f"rig-reached-{journal.read()[0].id}*"))


def test_a_rebuild_mends_what_somebody_edited(journal: Journal, tmp_path: Path) -> None:
    tamper(tmp_path, "UPDATE audit SET actor = 'user:eve' WHERE pos = 3")
    asked = context(journal)
    rebuilt = rebuild_projections.handle(RebuildProjections(projection=["audit"]), asked)
    assert (rebuilt.differed, rebuilt.records) == (["audit"], COUNT)
    assert "were not what the records come to" in asked.warnings[0]
    assert findings(tmp_path) == ("verified", [])
    assert next(journal.rows("SELECT actor FROM audit WHERE pos = 3"))["actor"] == "user:ana"


def test_what_is_as_it_should_be_is_folded_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []
    monkeypatch.setattr(
        "storage.rebuilt.Shadow.__init__", lambda self, path, projections, *_, **__: folded.append(path)
    )
    assert rebuild_projections.handle(RebuildProjections(), context(journal)).differed == []
    assert folded == []


@pytest.mark.parametrize("edited", [False, True])
def test_what_others_append_meanwhile_is_no_difference(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: bool
) -> None:
    if edited:
        tamper(tmp_path, "UPDATE audit SET actor = 'user:eve' WHERE pos = 3")
    rebuild = journal.rebuild

    def late(projections: Any) -> Any:
        journal.append([Draft(stream="command:late", fact=received().fact, outcome="unknown")], stamp())
        return rebuild(projections)

    monkeypatch.setattr(journal, "rebuild", late)
    done = rebuild_projections.handle(RebuildProjections(), context(journal))
    assert (done.differed, done.records) == (["audit"] if edited else [], COUNT + 1)
    assert findings(tmp_path) == ("verified", [])


@pytest.mark.parametrize(
    "sql", ["DROP TABLE audit", "UPDATE projection SET pos = 1 << 50 WHERE name = 'audit'", "DELETE FROM audit"]
)
def test_a_rebuild_mends_what_is_broken(journal: Journal, tmp_path: Path, sql: str) -> None:
    tamper(tmp_path, sql)
    done = rebuild_projections.handle(RebuildProjections(), context(journal))
    assert done.differed == ["audit"]
    assert findings(tmp_path) == ("verified", [])


# -- archive ----------------------------------------------------------------------------------------------------------


def test_what_was_archived_is_whole_and_so_is_what_is_left(journal: Journal, tmp_path: Path) -> None:
    done = archive(journal, at(5))
    assert (done.first, done.records, done.left) == (0, 4, COUNT - 4 + 1)
    assert check(journal, Path(done.file)).verdict == "verified"
    assert findings(tmp_path) == ("verified", [])
    report = verification(tmp_path)
    assert (report.first, report.records, report.size) == (4, COUNT - 4 + 1, COUNT + 1)
    assert [(s.first, s.last, s.present) for s in report.segments] == [(0, 3, True)]
    assert [record.pos for record in journal.read()] == list(range(4, COUNT + 1))
    (noted,) = journal.stream("journal:archive")
    assert noted.fact.sha256 == done.sha256
    assert next(journal.rows("SELECT min(pos) AS first FROM audit"))["first"] == 4


def test_records_that_are_archived_during_a_check_are_no_gap(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_range = verify_records.Reader.range
    cuts = [at(5), at(3)]

    def and_archive(self: verify_records.Reader, first: int, end: int) -> verify_records.Range:
        found = check_range(self, first, end)
        if cuts:
            archive(journal, cuts.pop())
        return found

    monkeypatch.setattr(verify_work, "PAGE", 2)
    monkeypatch.setattr(verify_records.Reader, "range", and_archive)
    report = journal.verify()
    assert (report.verdict, report.first, len(report.segments), cuts) == ("verified", 4, 2, [])
    tamper(tmp_path, "DELETE FROM event WHERE pos < 6")
    assert findings(tmp_path)[0] == "tampered", "who takes records out without a word is found all the same"


def test_a_journal_goes_on_behind_a_cut(journal: Journal, tmp_path: Path) -> None:
    archive(journal, at(3))
    fill(tmp_path, 3)
    done = archive(journal, at(6))
    assert (done.first, findings(tmp_path)) == (2, ("verified", []))
    assert check(journal, Path(done.file)).verdict == "verified"
    assert replay(journal).first == done.first + done.records
    whole = export(journal, file=str(tmp_path / "rest.jsonl"))
    assert whole.first == done.first + done.records
    assert check(journal, tmp_path / "rest.jsonl").verdict == "verified"
    with open_journal(tmp_path) as again:
        again.append([completed("command:9")], stamp())
    assert findings(tmp_path) == ("verified", [])


def test_everything_can_be_archived(journal: Journal, tmp_path: Path) -> None:
    done = archive(journal, at(10_000))
    assert (done.records, done.left) == (COUNT, 1)
    assert findings(tmp_path) == ("verified", [])
    assert archive(journal, at(0)).file == ""


def test_a_change_on_its_way_stays(journal: Journal, tmp_path: Path) -> None:
    from events.command import CommandReceived

    fact = CommandReceived(command="app.create", arguments={"app": "demo/shop"})
    body = b'{"command":"app.create","app":"demo/shop"}'
    row = OutboxRow(idem="shop", key="demo/shop", fingerprint=fingerprint(fact), body=body)
    draft = Draft(stream="command:shop", fact=fact, target="demo/shop", outcome="unknown")
    journal.append([draft], stamp(id="shop"), outbox=row)
    fill(tmp_path, 2)
    done = archive(journal, at(10_000))
    assert (done.records, "not known yet" in done.held_back) == (COUNT, True)
    assert findings(tmp_path) == ("verified", [])
    end = completed("command:shop", "app.create")
    journal.append([end], stamp(id="shop"), settle=Settled(idem="shop", state="delivered"))
    assert archive(journal, at(10_000)).held_back == ""
    assert findings(tmp_path) == ("verified", [])


def test_an_archive_is_never_written_over(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RigError, match="is there already"):
        archive(journal, at(5), to=str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_text() == "mine"
    assert findings(tmp_path) == ("verified", [])
    with pytest.raises(RigError, match="cannot be written"):
        archive(journal, at(5), to=str(tmp_path / "nowhere" / "mine"))
    assert len(journal.read()) == COUNT


def test_an_archive_that_was_changed_is_found_and_one_that_was_moved_is_not_missed(
    journal: Journal, tmp_path: Path
) -> None:
    done = archive(journal, at(5))
    path = Path(done.file)
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"user:ana", b"user:eve"))
    assert findings(tmp_path) == ("tampered", ["ARCHIVE_MISMATCH"])
    path.unlink()
    assert findings(tmp_path) == ("verified", [])
    assert not verification(tmp_path).segments[0].present


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("INSERT INTO segment SELECT 99, 100, frontier, note, file, sha256 FROM segment", "BAD_CUT"),
        ("UPDATE segment SET frontier = zeroblob(32)", "ROOT_MISMATCH"),
        ("UPDATE segment SET sha256 = zeroblob(32)", "BAD_CUT"),
        ("DELETE FROM segment", "BAD_CUT"),
        ("UPDATE head SET min_pos = 0", "GAP"),
        ("UPDATE head SET min_pos = 5", "BAD_CUT"),
        ("UPDATE segment SET note = 'hello'", "BAD_SIGNATURE"),
        ("DELETE FROM event WHERE pos = 4", "GAP"),
        ("UPDATE event SET rec = replace(rec, 'user:ana', 'user:eve') WHERE pos = 4", "EDITED"),
    ],
)
def test_tampering_with_a_cut_is_found(journal: Journal, tmp_path: Path, damage: str, code: str) -> None:
    archive(journal, at(5))
    tamper(tmp_path, damage)
    verdict, codes = findings(tmp_path)
    assert (verdict, code in codes) == ("tampered", True), codes


def test_a_newer_rig_s_tables_are_not_left_telling_of_what_is_gone(journal: Journal, tmp_path: Path) -> None:
    tamper(tmp_path, "INSERT INTO projection VALUES ('later', 1, 9)")
    with pytest.raises(RigError, match="newer rig"):
        archive(journal, at(5))
    assert len(journal.read()) == COUNT


def test_nothing_can_be_appended_to_an_import(journal: Journal, tmp_path: Path) -> None:
    export(journal, file=str(tmp_path / "export.jsonl"))
    import_journal.handle(ImportJournal(export=str(tmp_path / "export.jsonl")), context(journal))
    with closing(ImportedJournal(str(tmp_path / "export.sqlite"))) as database:
        assert not hasattr(database, "append")
        assert database.by_idem("none") is None
