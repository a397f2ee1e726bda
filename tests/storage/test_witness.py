"""A platform that witnesses the journals of its clients: it goes along with what continues, and with nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers.witness import witness
from rig.contract.replica import Cosigned, WitnessCheckpoint
from rig.kernel.errors import RigError
from storage import keys
from storage.checkpoint import COSIGNATURE, parse_verifier_key, verify
from storage.cosigned import every
from storage.journal import Journal
from storage.witness import Witness, cosigned_at
from tests.storage.records import open_record
from tests.storage.support import START, received, stamp


class Node:
    """A platform that does nothing but witness."""

    def __init__(self, folder: Path, verifier: str) -> None:
        folder.mkdir()
        keys.create(str(folder / "node.key"), "node")
        self.witness = Witness(str(folder / "witnessed"), str(folder / "node.key"))
        self.verifier = verifier
        self.asked: list[WitnessCheckpoint] = []

    def call(self, command: Any, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        self.asked.append(command)
        witnessed = self.witness.countersign(
            self.verifier,
            command.checkpoint,
            old_size=command.old_size,
            leaves=command.leaves,
            frontier=command.frontier,
            at=START,
        )
        return Cosigned(size=witnessed.size, checkpoint=witnessed.note, verifier=self.witness.verifier)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path / "own") as journal:
        grow(journal, 3)
        yield journal


@pytest.fixture
def node(tmp_path: Path, own: Journal) -> Node:
    return Node(tmp_path / "node", own.info().verifier)


def grow(journal: Journal, count: int, target: str = "demo") -> None:
    size = journal.info().size
    drafts = [received(f"command:{number}", target=target) for number in range(size, size + count)]
    journal.append(drafts, stamp())


def test_each_checkpoint_that_continues_is_countersigned_and_kept(own: Journal, node: Node) -> None:
    assert witness(own, node, stamp()) == []
    assert own.info().witnessed == 3
    grow(own, 4)
    assert witness(own, node, stamp()) == []
    ((verifier, note),) = every(str(Path(own.pin.path).parent))
    name, public = parse_verifier_key(verifier, COSIGNATURE)
    own_name, own_public = parse_verifier_key(own.info().verifier)
    assert (note.size, own.info().witnessed, own.info().witness) == (7, 7, name)
    assert verify(note.note, own_name, own_public)
    assert cosigned_at(note.note, name, public) == START // 1_000_000_000
    assert [len(command.leaves) for command in node.asked] == [0, 4]


def test_nothing_is_sent_where_nothing_is_new(own: Journal, node: Node) -> None:
    witness(own, node, stamp())
    assert witness(own, node, stamp()) == []
    assert len(node.asked) == 1


def test_a_cosignature_over_something_else_is_none(own: Journal, node: Node) -> None:
    witness(own, node, stamp())
    ((verifier, note),) = every(str(Path(own.pin.path).parent))
    name, public = parse_verifier_key(verifier, COSIGNATURE)
    assert not cosigned_at(note.note.replace("\n3\n", "\n4\n", 1), name, public)
    assert not cosigned_at(note.note, name, bytes(32))
    with pytest.raises(RigError):
        own.keep_witness(note.note.replace("\n3\n", "\n4\n", 1), verifier)


def test_a_journal_that_is_far_ahead_catches_up_in_steps(own: Journal, node: Node) -> None:
    witness(own, node, stamp())
    for _ in range(10):
        grow(own, 1000)
    assert witness(own, node, stamp()) == []
    assert own.info().witnessed == 10_003
    assert max(len(command.leaves) for command in node.asked) <= 4096
    assert len(node.asked) == 4


def test_a_client_that_forgot_what_was_witnessed_is_told(own: Journal, node: Node) -> None:
    witness(own, node, stamp())
    for kept in Path(own.pin.path).parent.glob("*.cosigned"):
        kept.unlink()
    grow(own, 2)
    assert witness(own, node, stamp()) == []
    assert own.info().witnessed == 5


def test_a_journal_that_was_set_back_is_found_out(own: Journal, node: Node, tmp_path: Path) -> None:
    """Even where its pin was taken away with it."""
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "own", old)
    grow(own, 5)
    witness(own, node, stamp())
    shutil.rmtree(old / "pins")
    with open_record(old) as restored:
        assert "8 records of the journal of this machine, and 3 are here" in witness(restored, node, stamp())[0]
        # When it has grown beyond what was witnessed, it has another past.
        grow(restored, 7, "other")
        assert "does not continue" in witness(restored, node, stamp())[0]
        assert restored.info().witnessed == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"old_size": 2}, "conflict"),
        ({"checkpoint": "nothing"}, "invalid_data"),
        ({"leaves": []}, "journal_forked"),
        ({"leaves": ["00" * 32] * 2}, "journal_forked"),
    ],
    ids=str,
)
def test_what_does_not_continue_is_refused(own: Journal, node: Node, change: dict[str, Any], code: str) -> None:
    witness(own, node, stamp())
    grow(own, 2)
    witness(own, node, stamp())
    grow(own, 2)
    request = WitnessCheckpoint(
        origin=own.info().origin,
        checkpoint=own.info().checkpoint,
        old_size=5,
        leaves=[row["leaf"].hex() for row in own.rows("SELECT leaf FROM event WHERE pos >= 5 ORDER BY pos")],
    )
    with pytest.raises(RigError) as refused:
        node.call(msgspec.structs.replace(request, **change), Cosigned)
    assert (refused.value.code, refused.value.kind.status) == (code, 422 if code == "invalid_data" else 409)
    if code == "conflict":
        assert refused.value.details["size"] == 5
    assert node.call(request, Cosigned).size == 7


def test_a_checkpoint_of_another_key_is_refused(own: Journal, node: Node, tmp_path: Path) -> None:
    with open_record(tmp_path / "other") as other:
        grow(other, 1)
        note = other.info().checkpoint
    with pytest.raises(RigError, match="good signature"):
        node.call(WitnessCheckpoint(origin=own.info().origin, checkpoint=note), Cosigned)


@pytest.mark.parametrize("code", ["unreachable", "login_required", "not_found", "unavailable"])
def test_a_platform_that_does_not_answer_is_no_trouble(own: Journal, code: str) -> None:
    class Away:
        def call(self, command: Any, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
            raise RigError(code, "No.")

    assert witness(own, Away(), stamp()) == []
