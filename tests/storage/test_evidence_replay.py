"""`rig journal replay|rebuild`, through their handlers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from events.command import CommandReceived
from handlers import rebuild_projections
from rig.contract.evidence import (
    RebuildProjections,
)
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft
from storage.journal import Journal
from tests.storage.evidencing import COUNT, at, context, export, replay
from tests.storage.reaching import FOLDER, Attaching, Reaching
from tests.storage.support import (
    findings,
    open_journal,
    received,
    stamp,
    tamper,
)


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
    class Mystery(CommandReceived, frozen=True, kw_only=True):
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
    assert not list(FOLDER.glob(f"rig-reached-{journal.read()[0].id}*"))


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
