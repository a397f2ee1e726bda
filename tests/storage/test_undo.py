"""`rig undo`: what was done last is found on the record, and what takes it back is asked for."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_type_hints

import msgspec
import pytest

import handlers
from events.app import AppCrashed, AppCreated, AppDeleted, AppLimited, AppScaled, AppStarted, AppStopped
from events.command import CommandCompleted, CommandReceived, CommandUndone
from events.config import SecretRef, SecretsChanged, VarsChanged
from events.network import NetworkCreated
from handlers import undo
from handlers.inverses import GONE, UNDOABLE
from rig.contract.apps import DeleteApp, StartApp, StopApp, UpdateApp
from rig.contract.members import DeleteMember
from rig.contract.networks import DeleteNetwork
from rig.contract.releases import Rollback
from rig.contract.secrets import DeleteSecret
from rig.contract.settings import SetSetting
from rig.contract.tokens import DeleteToken
from rig.contract.undo import Undo
from rig.contract.variables import CreateVars, DeleteVars
from rig.kernel.errors import RigError, declined
from rig.kernel.ports import Draft
from storage.journal import Journal
from tests.storage.lives import APP, Life
from tests.storage.support import stamp


class Asking:
    """Somebody at a terminal."""

    def __init__(self, answer: bool | None) -> None:
        self.interactive = answer is not None
        self.answer = bool(answer)
        self.told: list[str] = []

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        self.told.append(question)
        if not self.interactive:
            raise RigError("input_required", question)
        if not self.answer:
            raise declined()

    def tell(self, text: str) -> None:
        self.told.append(text)


def did(own: Journal, tag: str, target: str = APP, corr: str = "x", **arguments: Any) -> None:
    """A command that was carried out from here."""
    begun = CommandReceived(command=tag, arguments=arguments)
    own.append(
        [
            Draft(stream=f"command:{corr}", fact=begun, target=target, outcome="unknown"),
            Draft(stream=f"command:{corr}", fact=CommandCompleted(command=tag), target=target),
        ],
        stamp(id=corr),
    )


def undone(ctx: Any, answer: bool | None = True, **fields: Any) -> Any:
    ctx.ports.terminal = Asking(answer)
    return undo.handle(Undo(**fields), ctx)


def test_a_deployment_is_taken_back_by_a_rollback(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "second")
    did(own, "deploy", corr="second")
    ctx = asked()
    report = undone(ctx, dry_run=True)
    assert (report.command, report.done, ctx.ports.performed) == (f"rig rollback {APP} v1", False, [])
    assert any("databases" in text for text in report.remains)
    report = undone(ctx)
    assert report.done
    assert ctx.ports.performed == [Rollback(app=APP, version="v1")]
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="second", command="deploy")]
    assert any("Take back" in text for text in ctx.ports.terminal.told)
    ctx.record()
    with pytest.raises(RigError, match="nothing on the record"):
        undone(ctx)
    with pytest.raises(RigError, match="taken back already"):
        undone(ctx, id="0")


def test_a_scale_is_taken_back_by_the_numbers_before(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.happens(AppScaled(name=APP, scale={"web": 5}), corr="first")
    did(own, "app.update", corr="first")
    assert undone(ctx := asked(), yes=True, answer=None).command == f"rig update app {APP} --scale web=2"
    assert ctx.ports.performed == [UpdateApp(app=APP, scale={"web": 2})]
    life.happens(AppScaled(name=APP, scale={"web": 6}), corr="second")
    did(own, "app.update", corr="second")
    did(own, "app.update", corr="third")  # which changed nothing, and is passed over
    assert undone(asked()).command == f"rig update app {APP} --scale web=5"


def test_a_scale_that_somebody_changed_since_is_left_alone(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.happens(AppScaled(name=APP, scale={"web": 5}), corr="mine")
    did(own, "app.update", corr="mine")
    life.happens(AppScaled(name=APP, scale={"web": 9}), actor="user:bea", corr="theirs")
    with pytest.raises(RigError, match="changed once more since") as refused:
        undone(ctx := asked())
    assert f"`rig update app {APP} --scale web=2`" in refused.value.hint
    assert ctx.ports.performed == []
    life.happens(AppScaled(name=APP, scale={"web": 5}), actor="user:bea", corr="back")
    assert undone(asked()).command == f"rig update app {APP} --scale web=2"


def test_a_memory_limit_that_somebody_changed_since_is_left_alone(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.happens(AppLimited(name=APP, memory={"*": 64 << 20}), corr="mine")
    did(own, "app.update", corr="mine")
    life.happens(AppLimited(name=APP, memory={"*": 96 << 20}), actor="user:bea", corr="theirs")
    with pytest.raises(RigError, match="changed once more since"):
        undone(asked())


# -- variables that no release has yet ---------------------------------------------------------------------------------


def staged(life: Life, corr: str, **change: Any) -> None:
    life.happens(VarsChanged(scope=APP, **change), corr=corr)


def test_a_variable_that_is_new_is_taken_away(life: Life, own: Journal, asked: Any) -> None:
    life.happens(AppCreated(name=APP))
    staged(life, "new", set={"A": "1", "B": "2"})
    did(own, "var.create", corr="new")
    assert undone(ctx := asked()).command == f"rig delete var {APP} A B"
    assert ctx.ports.performed == [DeleteVars(app=APP, names=["A", "B"])]


def test_a_variable_that_was_changed_or_removed_gets_the_value_that_it_had(
    life: Life, own: Journal, asked: Any
) -> None:
    life.deploy("user:ana")
    staged(life, "change", set={"A": "new"}, before={"A": "it's old"})
    did(own, "var.create", corr="change")
    assert undone(ctx := asked()).command == f"""rig create var {APP} 'A=it'"'"'s old'"""
    staged(life, "gone", removed=["A"], before={"A": "new"})
    did(own, "var.delete", corr="gone")
    assert undone(ctx2 := asked()).command == f"rig create var {APP} A=new"
    assert ctx.ports.performed == [CreateVars(app=APP, values={"A": "it's old"}, allow_empty=True)]
    assert ctx2.ports.performed == [CreateVars(app=APP, values={"A": "new"}, allow_empty=True)]


def test_a_variable_that_somebody_changed_since_is_left_alone(life: Life, own: Journal, asked: Any) -> None:
    life.happens(AppCreated(name=APP))
    staged(life, "mine", set={"A": "1"})
    did(own, "var.create", corr="mine")
    life.happens(VarsChanged(scope=APP, set={"A": "2"}, before={"A": "1"}), actor="user:bea", corr="theirs")
    with pytest.raises(RigError, match="`A` was changed since, by bea"):
        undone(asked())
    life.happens(VarsChanged(scope=APP, removed=["A"], before={"A": "2"}), actor="user:bea", corr="theirs too")
    with pytest.raises(RigError, match="`A` was removed since"):
        undone(asked())


def test_what_takes_two_commands_is_told(life: Life, own: Journal, asked: Any) -> None:
    life.happens(AppCreated(name=APP))
    staged(life, "first", set={"A": "1"})
    staged(life, "both", set={"A": "2", "B": "3"}, before={"A": "1"})
    did(own, "var.create", corr="both")
    with pytest.raises(RigError, match="two commands") as refused:
        undone(asked())
    assert refused.value.hint == f"`rig delete var {APP} B`, and then `rig create var {APP} A=1`."


def test_a_variable_of_a_network_is_taken_back_too(life: Life, own: Journal, asked: Any) -> None:
    changed = VarsChanged(scope="demo", set={"A": "1"})
    by = msgspec.structs.replace(stamp(id="net"), corr="net")
    life.journal.append([Draft(stream="network:demo", fact=changed, target="demo")], by)
    did(own, "var.create", "demo", corr="net")
    assert undone(ctx := asked()).command == "rig delete var --network demo A"
    assert ctx.ports.performed == [DeleteVars(network="demo", names=["A"])]


def test_a_new_secret_is_taken_away_and_the_value_of_an_older_one_is_gone(life: Life, own: Journal, asked: Any) -> None:
    first, second = (SecretRef(version=number, digest=f"{number}") for number in (1, 2))
    life.happens(AppCreated(name=APP))
    life.happens(SecretsChanged(scope=APP, set={"KEY": first}), corr="new")
    did(own, "secret.create", corr="new")
    ctx = asked()
    assert undone(ctx).command == f"rig delete secret {APP} KEY"
    assert ctx.ports.performed == [DeleteSecret(app=APP, name="KEY")]
    life.happens(SecretsChanged(scope=APP, set={"KEY": second}, before={"KEY": first}), corr="other")
    did(own, "secret.create", corr="other")
    with pytest.raises(RigError, match="are on no record") as refused:
        undone(asked())
    assert f"rig create secret {APP} KEY" in refused.value.hint


def test_a_token_and_a_role_that_were_given_are_taken_away(own: Journal, asked: Any) -> None:
    did(own, "token.create", "demo", "token", name="ci", network="demo")
    did(own, "member.create", "ben", "member", name="ben", network="*", role="viewer")
    ctx = asked()
    assert undone(ctx, id="0").command == "rig delete token ci"
    assert undone(ctx).command == "rig delete member '*' ben"
    assert ctx.ports.performed == [DeleteToken(name="ci"), DeleteMember(network="*", name="ben")]


# -- what others did ---------------------------------------------------------------------------------------------------


def number_of(life: Life) -> str:
    """The number of the newest of the platform's records, as `rig audit` shows it."""
    return f"n{life.journal.info().size - 1}"


def test_what_somebody_else_did_is_taken_back_by_the_number_of_the_platforms_record(
    life: Life, own: Journal, asked: Any
) -> None:
    life.deploy("user:ana")
    life.deploy("token:ci", "job")
    ctx = asked()
    report = undone(ctx, id=number_of(life))
    assert (report.what, report.actor, report.command) == ("deploy.succeeded", "token:ci", f"rig rollback {APP} v1")
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="job", command="deploy.succeeded")]
    ctx.record()
    with pytest.raises(RigError, match="taken back already"):
        undone(asked(), id=number_of(life))


@pytest.mark.parametrize(
    ("fact", "command"),
    [
        (AppScaled(name=APP, scale={"web": 5}), f"rig update app {APP} --scale web=2"),
        (AppStopped(name=APP), f"rig start {APP}"),
        (AppStarted(name=APP), f"rig stop {APP}"),
        (VarsChanged(scope=APP, set={"A": "1"}), f"rig delete var {APP} A"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.type,
)
def test_each_kind_of_change_that_somebody_else_made(life: Life, asked: Any, fact: Any, command: str) -> None:
    life.deploy("user:ana")
    life.happens(fact, actor="user:bea", corr="theirs")
    assert undone(asked(), id=number_of(life), dry_run=True).command == command


def test_what_somebody_else_made_is_deleted(life: Life, asked: Any) -> None:
    life.happens(AppDeleted(name=APP))
    life.happens(AppCreated(name=APP), actor="user:bea", corr="theirs")
    assert undone(asked(), id=number_of(life), dry_run=True).command == f"rig delete app {APP}"
    life.journal.append([Draft(stream="network:two", fact=NetworkCreated(name="two"), target="two")], stamp(id="two"))
    assert undone(asked(), id=number_of(life), dry_run=True).command == "rig delete network two"


def test_what_the_platform_did_for_a_command_of_this_machine_is_that_command(
    life: Life, own: Journal, asked: Any
) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "mine")
    did(own, "deploy", corr="mine")
    ctx = asked()
    assert undone(ctx, id=number_of(life)).what == "deploy"
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="mine", command="deploy")]


def test_what_the_platform_did_by_itself_cannot_be_taken_back(life: Life, asked: Any) -> None:
    life.deploy("user:ana")
    life.happens(AppCrashed(name=APP, instance="web.1", version=1, reason="exit 1"), actor="system:node", corr="alone")
    with pytest.raises(RigError, match=f"`app.crashed` of {APP} cannot be taken back"):
        undone(asked(), id=number_of(life))
    with pytest.raises(RigError, match="No record is called"):
        undone(asked(), id="n999")


def test_what_was_stopped_is_started_and_the_other_way_round(own: Journal, asked: Any) -> None:
    did(own, "app.stop", corr="one")
    did(own, "app.start", corr="two")
    ctx = asked()
    assert undone(ctx, id="0").command == f"rig start {APP}"
    assert undone(ctx).command == f"rig stop {APP}"
    assert ctx.ports.performed == [StartApp(app=APP), StopApp(app=APP)]


def test_a_variable_is_taken_back_with_the_release_that_it_made(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "changed")
    did(own, "var.create", corr="changed")
    assert undone(asked()).command == f"rig rollback {APP} v1"


def test_what_was_made_is_taken_back_by_its_deletion(own: Journal, asked: Any) -> None:
    did(own, "network.create", "demo", "one")
    did(own, "app.create", corr="two")
    ctx = asked()
    assert undone(ctx, id="0").done
    assert undone(ctx).done
    assert ctx.ports.performed == [DeleteNetwork(name="demo"), DeleteApp(app=APP)]


def test_a_setting_is_taken_back_by_the_one_before(own: Journal, asked: Any) -> None:
    did(own, "settings.set", "", "one", key="network", value="demo")
    did(own, "settings.set", "", "two", key="output", value="json")
    did(own, "settings.set", "", "three", key="network", value="other")
    ctx = asked()
    with pytest.raises(RigError, match="set once more since, to `other`"):
        undone(ctx, id="0")
    undone(ctx)
    did(own, "settings.set", "", "the undoing", key="network", value="demo")
    undone(ctx, id="0")
    assert ctx.ports.performed == [SetSetting(key="network", value="demo"), SetSetting(key="network")]


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("app.delete", "cannot be taken back"),
        ("account.invite", "cannot be taken back"),
        ("token.delete", "cannot be taken back"),
        ("deploy", "first release"),
        ("release.rollback", "No release"),
    ],
)
def test_what_cannot_be_taken_back(life: Life, own: Journal, asked: Any, tag: str, message: str) -> None:
    if tag == "deploy":
        life.deploy("user:ana", "this")
    did(own, tag, corr="this")
    with pytest.raises(RigError, match=message) as refused:
        undone(asked())
    assert refused.value.code == "conflict"
    assert refused.value.hint


OTHERS = {"app.restart", "journal.register", "node.archive", "node.gc", "node.rotate_keys"}
"""Changes that leave what is wanted as it was; they are passed over."""


def test_no_change_is_passed_over_for_an_older_one() -> None:
    """Whoever takes the newest change back would take back another one than they have in mind."""
    modules = [import_module(f"handlers.{module.name}") for module in iter_modules(handlers.__path__)]
    commands = [get_type_hints(module.handle)["command"] for module in modules if hasattr(module, "handle")]
    changes = {command.__struct_config__.tag for command in commands if command.effect == "change"}
    assert changes == {*UNDOABLE, *GONE, *OTHERS} - {"settings.set"}


def test_a_deployment_that_others_followed_is_not_taken_back(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "mine")
    life.deploy("user:bea")
    did(own, "deploy", corr="mine")
    with pytest.raises(RigError, match="does not serve any more; v3 does"):
        undone(asked())


def test_what_a_rollback_brought_back_can_be_taken_back_in_turn(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "mine")
    did(own, "deploy", corr="mine")
    life.deploy("user:bea")
    life.deploy("user:bea", rollback_of=2)
    life.deploy("user:bea", rollback_of=4)
    assert undone(asked()).command == f"rig rollback {APP} v1"


def test_a_deployment_that_another_command_watched_to_its_end_is_taken_back(
    life: Life, own: Journal, asked: Any
) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "cut off")
    did(own, "deploy", corr="cut off")
    did(own, "deploy", corr="watching", resume=True)
    assert undone(ctx := asked()).command == f"rig rollback {APP} v1"
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="cut off", command="deploy")]


@pytest.mark.parametrize(("answer", "code"), [(False, "cancelled"), (None, "input_required")])
def test_nothing_is_taken_back_without_a_yes(own: Journal, asked: Any, answer: bool | None, code: str) -> None:
    did(own, "app.create", corr="this")
    ctx = asked()
    with pytest.raises(RigError) as refused:
        undone(ctx, answer)
    assert refused.value.code == code
    assert (ctx.ports.performed, ctx.drafts) == ([], [])


def test_a_query_has_nothing_to_take_back(own: Journal, asked: Any) -> None:
    own.append([Draft(stream="command:q", fact=CommandCompleted(command="app.list"))], stamp(id="q"))
    with pytest.raises(RigError, match="changed nothing"):
        undone(asked(), id="0")
