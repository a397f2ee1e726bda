"""The node's handlers of accounts, through the real bus and journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.account import AccountInvited
from events.witness import JournalRegistered
from rig.contract.accounts import Account, Invitation, Invite, Whoami
from rig.contract.base import Command
from rig.contract.members import Member
from rig.contract.replica import RegisterJournal
from rig.kernel.bus import Bus
from rig.kernel.errors import RigError
from rig.kernel.ids import SystemClock, uuid7
from rig.kernel.ports import Stamp
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.principal import Principal
from rig.node.accounts.store import Store
from rig.node.paths import NodePaths
from rig.node.world import FoldingJournal, World
from storage.checkpoint import verifier_key
from storage.journal import Journal
from tests.accounts_server import CHEAP, SECRET, Ledger
from tests.support import files_with


class Node:
    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.journal = FoldingJournal(Journal.open(folder / "journal.sqlite", origin="node"), self.world)
        self.accounts = Accounts(
            Store(folder / "credentials.sqlite"),
            owner="ana",
            secret=SECRET,
            url=lambda: "https://max.example.com",
            record=Ledger(),
            cost=CHEAP,
        )

    def run(self, command: Command, name: str = "ana") -> Any:
        principal = Principal(actor=f"user:{name}", name=name, owner=name == "ana", roles={"shop": "viewer"})
        ports: Any = SimpleNamespace(accounts=self.accounts, principal=principal, world=self.world)
        progress: Any = SimpleNamespace()
        bus: Bus[Any] = Bus(self.journal, ports, progress, handlers="rig.node.handlers", authoritative=True)
        return bus.dispatch(command, Stamp(id=uuid7(), actor=principal.actor, at=SystemClock().now()))[0]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.journal.close()
    node.accounts.close()


def test_whoami(node: Node) -> None:
    assert node.run(Whoami(), "bea") == Account(actor="user:bea", name="bea", roles={"shop": "viewer"})


def test_an_invitation_is_on_the_record_without_its_code(node: Node, tmp_path: Path) -> None:
    invitation = node.run(Invite(name="bea", role="viewer"))
    assert isinstance(invitation, Invitation)
    code = invitation.link.removeprefix("https://max.example.com/invite/")
    assert node.accounts.invited(code) is not None
    (record,) = node.journal.stream("account:bea")
    assert record.fact == AccountInvited(name="bea", role="viewer", expires_at=invitation.expires_at)
    assert files_with(tmp_path, code) == []


def test_nobody_is_invited_to_a_network_that_is_not_there(node: Node) -> None:
    with pytest.raises(RigError) as refused:
        node.run(Invite(name="bea", network="nowhere"))
    assert refused.value.code == "not_found"


def test_nobody_but_the_owner_can_set_the_owner_s_passphrase(node: Node) -> None:
    with pytest.raises(RigError) as refused:
        node.run(Invite(name="ana"), "bea")
    assert refused.value.code == "forbidden"
    assert node.run(Invite(name="ana"), "ana").name == "ana"


ORIGIN = "rig/client/0011223344556677"


def test_a_journal_is_registered_once(node: Node) -> None:
    key = verifier_key(ORIGIN, bytes(32))
    for _ in range(2):
        assert node.run(RegisterJournal(origin=ORIGIN, key=key), "bea").target == ORIGIN
    (record,) = node.journal.stream(f"witness:{ORIGIN}")
    assert (record.fact, record.actor) == (JournalRegistered(origin=ORIGIN, key=key), "user:bea")


def test_another_key_for_a_journal_that_is_known_is_refused(node: Node) -> None:
    node.run(RegisterJournal(origin=ORIGIN, key=verifier_key(ORIGIN, bytes(32))))
    with pytest.raises(RigError) as refused:
        node.run(RegisterJournal(origin=ORIGIN, key=verifier_key(ORIGIN, b"x" * 32)))
    assert refused.value.code == "conflict"


@pytest.mark.parametrize("key", ["nonsense", verifier_key("rig/client/other", bytes(32))])
def test_a_key_that_does_not_fit_is_refused(node: Node, key: str) -> None:
    with pytest.raises(RigError) as refused:
        node.run(RegisterJournal(origin=ORIGIN, key=key))
    assert refused.value.code == "invalid_data"


def test_a_network_that_is_deleted_leaves_no_roles_and_no_invitations(node: Node) -> None:
    link, _ = node.accounts.invite("bea", "*", "viewer", "user:ana")
    node.accounts.join(link.rpartition("/")[2], "correct horse battery", "")
    node.accounts.members.give(Member(name="bea", network="shop", role="owner"))
    assert node.accounts.person("bea").roles == {"*": "viewer", "shop": "owner"}
    pending, _ = node.accounts.invite("cyd", "shop", "owner", "user:ana")
    node.accounts.forget_network("shop")
    assert node.accounts.person("bea").roles == {"*": "viewer"}
    assert node.accounts.invited(pending.rpartition("/")[2]) is None


def test_a_node_whose_user_changed_has_one_owner(tmp_path: Path) -> None:
    for owner in ("ana", "bea"):
        paths = NodePaths(tmp_path / "node")
        accounts = Accounts.open(paths, owner=owner, url=lambda: "", record=Ledger())
        assert accounts.person(owner).owner
        accounts.close()
    accounts = Accounts.open(paths, owner="bea", url=lambda: "", record=Ledger())
    assert not accounts.person("ana").owner
    accounts.close()
