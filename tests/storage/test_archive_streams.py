"""Streams go on across a cut, and what was archived can be folded again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from events.network import NetworkCreated, NetworkDeleted
from events.witness import JournalRegistered
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Recorded
from rig.node.world import World
from storage.archive import archived
from storage.evidence import Evidence
from storage.journal import Journal
from tests.storage.records import follow, open_record, replica_of
from tests.storage.support import received, stamp

DEMO, CLIENT = "network:demo", "witness:rig/client/1"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path, "node") as journal:
        key = Draft(stream=CLIENT, fact=JournalRegistered(origin="rig/client/1", key="k"))
        journal.append([key, network(made=True), received(), network(made=False)], stamp())
        yield journal


def network(*, made: bool) -> Draft:
    return Draft(stream=DEMO, fact=NetworkCreated(name="demo") if made else NetworkDeleted(name="demo"), target="demo")


def archive(journal: Journal, before: int) -> str:
    """Archive the records before a position; gives the file."""
    at = next(journal.rows("SELECT at FROM event WHERE pos = ?", (before,)))["at"]
    return Evidence(lambda: journal).archive(at, "", stamp()).file


def known(journal: Journal) -> World:
    """What a node knows that starts with this journal."""
    world = World()
    world.replay(journal, archived(journal))
    return world


def test_streams_keep_their_versions_across_every_cut(node: Journal) -> None:
    node.append([received("command:9")], stamp(id="nine"))
    archive(node, 4)
    (record,) = node.append([network(made=True)], stamp(), expect={DEMO: 2})
    assert record.ver == 3
    node.append([received("command:10")], stamp(id="ten"))
    archive(node, record.pos + 1)
    with pytest.raises(RigError) as refused:
        node.append([network(made=False)], stamp(), expect={DEMO: 0})
    assert (refused.value.code, refused.value.details["found"]) == ("conflict", 3)
    (last,) = node.append([network(made=False)], stamp(), expect={DEMO: 3, CLIENT: 1})
    assert last.ver == 4
    assert node.verify().verdict == "verified"


def test_a_node_knows_what_it_knew_from_the_files(node: Journal) -> None:
    node.append([network(made=True), received("command:9")], stamp(id="nine"))
    before = known(node)
    archive(node, 5)
    after = known(node)
    assert (after.networks, after.versions) == (before.networks, before.versions)
    assert after.witnessed("rig/client/1").key == "k"
    assert len(list(archived(node))) == 5
    assert all(isinstance(record, Recorded) for record in archived(node))


def test_a_file_that_is_gone_or_was_edited_is_said_so(node: Journal) -> None:
    node.append([received("command:9")], stamp(id="nine"))
    file = Path(archive(node, 3))
    text = file.read_text()
    for damage in (text.replace("demo", "deno"), None):
        if damage is None:
            file.unlink()
        else:
            file.write_text(damage)
        with pytest.raises(RigError) as refused:
            known(node)
        assert (refused.value.code, str(file) in refused.value.message) == ("unverifiable", True)


def test_replicas_from_before_and_after_hold_across_the_cut(node: Journal, tmp_path: Path) -> None:
    old = replica_of(tmp_path, node)
    node.append([received("command:9")], stamp(id="nine"))
    follow(old, node)
    archive(node, 4)
    node.append([network(made=True)], stamp())
    follow(old, node)
    assert old.verify() == []
    assert [record.ver for record in old.stream(DEMO)] == [1, 2, 3]
    old.close()
