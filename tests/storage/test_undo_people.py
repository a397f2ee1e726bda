"""`rig undo` of roles, and of what is said of a network: the earlier ones are on the record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from events.account import AccountInvited, AccountJoined, RoleGranted, RoleRevoked
from events.base import Fact
from events.network import NetworkCreated, NetworkDeleted, NetworkUpdated
from rig.contract.members import CreateMember, UpdateMember
from rig.contract.networks import UpdateNetwork
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft
from storage.journal import Journal
from tests.storage.lives import APP, Life
from tests.storage.records import Ports, context
from tests.storage.support import stamp
from tests.storage.test_undo import did, number_of, undone


def happens(life: Life, fact: Fact, corr: str = "before", actor: str = "user:ana") -> None:
    """Something on the stream of the account ``ben``, or of the network ``demo``."""
    network = isinstance(fact, NetworkCreated | NetworkUpdated | NetworkDeleted)
    stream, target = ("network:demo", "demo") if network else ("account:ben", "ben")
    by = msgspec.structs.replace(stamp(actor, corr), corr=corr)
    life.journal.append([Draft(stream=stream, fact=fact, target=target)], by)


def granted(role: str, network: str = "demo") -> RoleGranted:
    return RoleGranted(name="ben", network=network, role=role)


def revoked(role: str) -> RoleRevoked:
    return RoleRevoked(name="ben", network="demo", role=role)


def joined(role: str) -> AccountJoined:
    return AccountJoined(name="ben", network="demo", role=role)


INVITED = AccountInvited(name="ben", network="demo", role="viewer", expires_at="2026-11-21T09:00:00Z")


def changed_role(life: Life, own: Journal, fact: RoleGranted | RoleRevoked) -> None:
    """A command of this machine, and what came of it on the platform."""
    happens(life, fact, "mine")
    tag = "member.update" if isinstance(fact, RoleGranted) else "member.delete"
    did(own, tag, fact.network, "mine", name="ben", network=fact.network)


def test_another_role_is_taken_back_by_the_one_before(life: Life, own: Journal, asked: Any) -> None:
    happens(life, joined("viewer"))
    happens(life, granted("auditor", "*"))
    changed_role(life, own, granted("owner"))
    report = undone(ctx := asked())
    assert (report.command, report.done) == ("rig update member demo ben --role viewer", True)
    assert report.remains == ["what was done in the role stays done"]
    assert ctx.ports.performed == [UpdateMember(network="demo", name="ben", role="viewer")]


def test_a_role_that_was_taken_away_is_given_again(life: Life, own: Journal, asked: Any) -> None:
    happens(life, granted("operator"))
    changed_role(life, own, revoked("operator"))
    report = undone(ctx := asked())
    assert (report.command, report.remains) == (
        "rig create member demo ben --role operator",
        ["sessions that ended with the role"],
    )
    assert ctx.ports.performed == [CreateMember(network="demo", name="ben", role="operator")]


def test_a_role_that_was_taken_away_is_told_by_the_record_that_took_it(life: Life, own: Journal, asked: Any) -> None:
    changed_role(life, own, revoked("operator"))
    assert undone(asked()).command == "rig create member demo ben --role operator"


def test_a_role_of_the_whole_platform_is_typed_so_that_a_shell_takes_it(life: Life, own: Journal, asked: Any) -> None:
    happens(life, granted("viewer", "*"))
    changed_role(life, own, granted("owner", "*"))
    assert undone(asked()).command == "rig update member '*' ben --role viewer"


@pytest.mark.parametrize(
    ("earlier", "mine", "since", "message"),
    [
        ([joined("viewer")], granted("owner"), [granted("operator")], "changed once more since"),
        ([joined("viewer")], granted("owner"), [revoked("owner")], "changed once more since"),
        ([joined("viewer")], revoked("viewer"), [granted("owner")], "changed once more since"),
        ([INVITED], revoked("viewer"), [], "had not taken up the invitation"),
        ([], granted("owner"), [], "does not tell you which role"),
    ],
)
def test_a_role_that_cannot_be_given_back(
    life: Life, own: Journal, asked: Any, earlier: list[Fact], mine: Any, since: list[Fact], message: str
) -> None:
    for fact in earlier:
        happens(life, fact)
    changed_role(life, own, mine)
    for fact in since:
        happens(life, fact, "theirs", "user:bea")
    with pytest.raises(RigError, match=message) as refused:
        undone(ctx := asked())
    assert (refused.value.code, bool(refused.value.hint), ctx.ports.performed) == ("conflict", True, [])


def test_a_role_that_came_back_to_what_it_was_made_is_taken_back(life: Life, own: Journal, asked: Any) -> None:
    happens(life, joined("viewer"))
    changed_role(life, own, granted("owner"))
    for role in ("operator", "owner"):
        happens(life, granted(role), "theirs", "user:bea")
    assert undone(asked()).command == "rig update member demo ben --role viewer"


def test_what_changed_no_role_is_passed_over(life: Life, own: Journal, asked: Any) -> None:
    happens(life, joined("viewer"))
    did(own, "app.stop", APP, "first")
    did(own, "member.update", "demo", "same", name="ben", network="demo", role="viewer")
    assert undone(asked()).command == f"rig start {APP}"


def test_an_account_that_one_may_not_see_is_left_alone(own: Journal, asked: Any) -> None:
    did(own, "member.update", "demo", "mine", name="ben", network="demo", role="viewer")
    with pytest.raises(RigError, match="does not tell you which role `ben` had"):
        undone(asked())


def said(life: Life, own: Journal, **fields: Any) -> None:
    happens(life, NetworkUpdated(name="demo", **fields), "mine")
    did(own, "network.update", "demo", "mine", name="demo", **fields)


def test_what_was_said_of_a_network_before_is_said_again(life: Life, own: Journal, asked: Any) -> None:
    happens(life, NetworkCreated(name="demo"))
    happens(life, NetworkUpdated(name="demo", description="ana's shops"))
    said(life, own, description="Shops", protected=True)
    happens(life, NetworkUpdated(name="demo", protected=True), "theirs", "user:bea")
    report = undone(ctx := asked())
    assert report.command == """rig update network demo --description 'ana'"'"'s shops' --no-protected"""
    assert ctx.ports.performed == [UpdateNetwork(name="demo", description="ana's shops", protected=False)]


def test_of_a_network_only_what_was_changed_is_taken_back(life: Life, own: Journal, asked: Any) -> None:
    happens(life, NetworkCreated(name="demo"))
    said(life, own, protected=True)
    happens(life, NetworkUpdated(name="demo", description="Shops"), "theirs", "user:bea")
    assert undone(asked()).command == "rig update network demo --no-protected"


def test_a_network_that_somebody_changed_since_is_left_alone(life: Life, own: Journal, asked: Any) -> None:
    happens(life, NetworkCreated(name="demo"))
    said(life, own, description="Shops")
    happens(life, NetworkUpdated(name="demo", description="Our shops"), "theirs", "user:bea")
    with pytest.raises(RigError, match="changed once more since") as refused:
        undone(ctx := asked())
    assert "`rig update network demo --description ''`" in refused.value.hint
    assert ctx.ports.performed == []


def test_what_is_not_on_the_record_of_a_network_is_not_made_up(life: Life, own: Journal, tmp_path: Any) -> None:
    """As where all that is known of it is what was done from here."""
    did(own, "network.update", "demo", "mine", name="demo", description="Shops")
    told = NetworkUpdated(name="demo", description="Shops")
    own.append([Draft(stream="network:demo", fact=told, target="demo")], stamp(id="mine"))
    with pytest.raises(RigError, match="does not tell you what was said of `demo` before"):
        undone(context(own, Ports(tmp_path)))


def test_what_changed_nothing_of_a_network_is_passed_over(life: Life, own: Journal, asked: Any) -> None:
    happens(life, NetworkCreated(name="demo"))
    did(own, "app.stop", APP, "first")
    did(own, "network.update", "demo", "same", name="demo", description="")
    assert undone(asked()).command == f"rig start {APP}"


@pytest.mark.parametrize(
    ("fact", "command"),
    [
        (granted("owner"), "rig update member demo ben --role viewer"),
        (revoked("viewer"), "rig create member demo ben --role viewer"),
        (NetworkUpdated(name="demo", protected=True), "rig update network demo --no-protected"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.type,
)
def test_what_somebody_else_did_to_people_and_networks(life: Life, asked: Any, fact: Fact, command: str) -> None:
    happens(life, NetworkCreated(name="demo"))
    happens(life, joined("viewer"))
    happens(life, fact, "theirs", "user:bea")
    assert undone(asked(), id=number_of(life), dry_run=True).command == command
