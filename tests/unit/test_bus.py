"""The bus and its middleware, on a real journal: what is on the record, in which order, whatever happens."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar

import pytest

from events.command import CommandCompleted, CommandReceived
from events.network import NetworkCreated
from rig.contract.base import Command, Effect, Reply, opt
from rig.kernel.bus import Bus, Policy, as_rig_error, delivery_of, outcome_of, snake_case
from rig.kernel.context import Context
from rig.kernel.errors import RigError, declined
from rig.kernel.ports import Draft, Recorded, Stamp
from rig.kernel.processes import start_time
from storage.journal import Journal
from tests.storage.support import START, open_journal

HANDLER = "handler_of_these_tests"


class Made(Reply, frozen=True, kw_only=True):
    name: str


class Make(Command, frozen=True, kw_only=True, tag="thing.make"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "change"
    look: ClassVar[str] = "dry_run"
    reply: ClassVar[type[Reply]] = Made
    name: str
    color: str = "red"
    dry_run: bool = False
    password: Annotated[str, opt("Secret.", secret=True)] = ""


class Whisper(Command, frozen=True, kw_only=True, tag="thing.whisper"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "change"
    reply: ClassVar[type[Reply]] = Made
    keeps_reply: ClassVar[bool] = False
    name: str


class Look(Command, frozen=True, kw_only=True, tag="thing.look"):
    handler: ClassVar[str] = HANDLER
    reply: ClassVar[type[Reply]] = Made
    name: str
    password: Annotated[str, opt("Secret.", secret=True)] = ""


class Tidy(Command, frozen=True, kw_only=True, tag="thing.tidy"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "local"
    name: str


class Enter(Command, frozen=True, kw_only=True, tag="thing.enter"):
    handler: ClassVar[str] = HANDLER
    effect: ClassVar[Effect] = "access"
    reply: ClassVar[type[Reply]] = Made
    name: str


class Silence:
    def step(self, text: str) -> None: ...
    def advance(self, done: int, total: int, unit: str = "bytes") -> None: ...
    def line(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...


class Handler:
    """A handler that is told what to do, and counts its effects."""

    def __init__(self) -> None:
        self.calls = 0
        self.does: Callable[[Any, Context[None]], Any] = lambda command, ctx: Made(name=command.name)

    def handle(self, command: Any, ctx: Context[None]) -> Any:
        self.calls += 1
        return self.does(command, ctx)

    def fails(self, raised: BaseException) -> None:
        def do(command: Any, ctx: Context[None]) -> Any:
            raise raised

        self.does = do


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Handler:
    handler = Handler()
    monkeypatch.setitem(sys.modules, HANDLER, SimpleNamespace(handle=handler.handle))  # type: ignore[arg-type]
    return handler


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path) as journal:
        yield journal


def make_bus(journal: Any, policy: Policy | None = None, *, authoritative: bool = False) -> Bus[None]:
    allow: Policy = lambda command, stamp: None  # noqa: E731 - a default in one place
    return Bus(journal, None, Silence(), handlers="nowhere", policy=policy or allow, authoritative=authoritative)


@pytest.fixture
def bus(journal: Journal) -> Bus[None]:
    return make_bus(journal)


def stamp(number: int = 1, key: str = "") -> Stamp:
    identity = f"command-{number}"
    return Stamp(
        id=identity, actor="user:ana", at=START, src="laptop", corr="corr-1", key=key, client="rig/0", context="local"
    )


def types(journal: Journal) -> list[str]:
    return [record.fact.type for record in journal.read()]


def last(journal: Journal) -> Recorded:
    return journal.read()[-1]


def completed(journal: Journal) -> CommandCompleted:
    fact = last(journal).fact
    assert isinstance(fact, CommandCompleted)
    return fact


def outbox(journal: Journal) -> list[tuple[str, str, str]]:
    return [(row["idem"], row["key"], row["state"]) for row in journal.rows("SELECT * FROM outbox ORDER BY idem")]


def dispatch(bus: Bus[None], command: Command, at: Stamp | None = None) -> RigError:
    """Dispatch a command that has to fail."""
    with pytest.raises(RigError) as caught:
        bus.dispatch(command, at or stamp())
    return caught.value


# -- what is on the record -------------------------------------------------------------------------------------------


def test_a_query_leaves_one_completed_and_no_outbox_row(bus: Bus[None], journal: Journal, handler: Handler) -> None:
    reply, warnings = bus.dispatch(Look(name="demo"), stamp())
    assert (reply, warnings) == (Made(name="demo"), [])
    assert types(journal) == ["command.completed"]
    record = last(journal)
    assert completed(journal) == CommandCompleted(
        command="thing.look", arguments={"name": "demo"}, client="rig/0", context="local"
    )
    assert (record.stream, record.target, record.actor, record.corr, record.outcome) == (
        "command:command-1",
        "demo",
        "user:ana",
        "corr-1",
        "success",
    )
    assert outbox(journal) == []


def test_a_change_that_only_says_what_it_would_do_is_on_the_record_as_a_query(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    bus.dispatch(Make(name="demo", dry_run=True), stamp())
    assert types(journal) == ["command.completed"]
    assert completed(journal).arguments == {"name": "demo", "dry_run": True}
    assert outbox(journal) == []
    bus.dispatch(Make(name="demo"), stamp(2))
    assert types(journal)[1:] == ["command.received", "command.completed"]


def test_who_interrupts_a_change_is_told_how_to_learn_what_became_of_it(bus: Bus[None], handler: Handler) -> None:
    handler.fails(KeyboardInterrupt())
    assert "next command" in dispatch(bus, Make(name="demo")).hint
    assert dispatch(bus, Tidy(name="demo"), stamp(2)).hint == ""
    handler.fails(declined())
    assert dispatch(bus, Make(name="demo"), stamp(3)).hint == "", "nothing was sent"


def test_what_a_command_is_about_may_be_known_at_its_end_alone(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    def do(command: Make, ctx: Context[None]) -> Made:
        ctx.target = "learnt"
        return Made(name=command.name)

    handler.does = do
    bus.dispatch(Make(name=""), stamp())
    assert [record.target for record in journal.read()] == ["", "learnt"]
    bus.dispatch(Make(name="said"), stamp(2))
    assert [record.target for record in journal.read()][2:] == ["said", "said"]


def test_intent_policy_handler_outcome_in_this_order(journal: Journal, handler: Handler) -> None:
    seen: list[tuple[str, list[str], list[tuple[str, str, str]]]] = []
    bus = make_bus(journal, lambda command, at: seen.append(("policy", types(journal), outbox(journal))))

    def do(command: Make, ctx: Context[None]) -> Made:
        seen.append(("handler", types(journal), outbox(journal)))
        ctx.emit("network:demo", NetworkCreated(name="demo"), target="demo")
        return Made(name=command.name)

    handler.does = do
    bus.dispatch(Make(name="demo"), stamp())
    pending = [("command-1", "demo", "pending")]
    assert seen == [("policy", ["command.received"], pending), ("handler", ["command.received"], pending)]
    assert types(journal) == ["command.received", "network.created", "command.completed"]
    assert outbox(journal) == [("command-1", "demo", "delivered")]
    intent = journal.read()[0]
    assert intent.outcome == "unknown"
    assert intent.fact == CommandReceived(
        command="thing.make",
        arguments={"name": "demo"},
        client="rig/0",
        context="local",
        process=f"{os.getpid()}:{start_time(os.getpid())}",
    )


@pytest.mark.parametrize("command", [Tidy(name="demo"), Enter(name="demo")])
def test_what_is_no_change_to_the_platform_has_an_intent_and_no_outbox_row(
    bus: Bus[None], journal: Journal, handler: Handler, command: Command
) -> None:
    bus.dispatch(command, stamp())
    assert types(journal) == ["command.received", "command.completed"]
    assert outbox(journal) == []


def test_a_denial_is_on_the_record_and_nothing_was_done(journal: Journal, handler: Handler) -> None:
    def deny(command: Command, at: Stamp) -> None:
        raise RigError("forbidden", "You may not.", "Ask.")

    error = dispatch(make_bus(journal, deny), Make(name="demo"))
    assert (error.code, error.exit, handler.calls) == ("forbidden", 77, 0)
    assert types(journal) == ["command.received", "command.completed"]
    fact = completed(journal)
    assert (fact.code, fact.exit, fact.message, fact.hint) == ("forbidden", 77, "You may not.", "Ask.")
    assert last(journal).outcome == "denied"
    assert outbox(journal) == [("command-1", "demo", "refused")]


@pytest.mark.parametrize(
    ("code", "outcome", "delivery"),
    [
        ("build_failed", "failure", "delivered"),
        ("not_found", "failure", "refused"),
        ("login_required", "denied", "refused"),
        ("unreachable", "failure", "refused"),
        ("pending", "unknown", "delivered"),
        ("cancelled", "unknown", "unknown"),
        ("internal", "error", "unknown"),
    ],
)
def test_how_a_failure_is_recorded_and_its_outbox_row_settled(
    bus: Bus[None], journal: Journal, handler: Handler, code: str, outcome: str, delivery: str
) -> None:
    handler.fails(RigError(code, "It went wrong."))
    assert dispatch(bus, Make(name="demo")).code == code
    assert last(journal).outcome == outcome
    assert completed(journal).code == code
    assert [state for _, _, state in outbox(journal)] == [delivery]
    error = RigError(code, "")
    assert (outcome_of(error), delivery_of(error)) == (outcome, delivery)


def test_a_no_to_a_question_is_no_open_end(bus: Bus[None], journal: Journal, handler: Handler) -> None:
    handler.fails(declined())
    assert dispatch(bus, Make(name="demo")).code == "cancelled"
    assert last(journal).outcome == "failure"
    assert [state for _, _, state in outbox(journal)] == ["refused"]


@pytest.mark.parametrize("code", ["unreachable", "failed", "unavailable"])
def test_a_change_that_was_sent_and_not_answered_is_unknown(
    bus: Bus[None], journal: Journal, handler: Handler, code: str
) -> None:
    lost = RigError(code, "It went wrong.")
    lost.unclear = True
    handler.fails(lost)
    assert dispatch(bus, Make(name="demo")).code == code
    assert last(journal).outcome == "unknown"
    assert [state for _, _, state in outbox(journal)] == ["unknown"]


def test_facts_of_a_handler_that_fails_did_not_happen_unless_it_recorded_them(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    def do(command: Make, ctx: Context[None]) -> Made:
        ctx.emit("network:one", NetworkCreated(name="one"))
        ctx.record()
        ctx.emit("network:two", NetworkCreated(name="two"))
        raise RigError("failed", "It went wrong.")

    handler.does = do
    dispatch(bus, Make(name="demo"))
    assert types(journal) == ["command.received", "network.created", "command.completed"]
    assert journal.stream("network:two") == []


def test_an_unforeseen_exception_is_a_bug_in_rig(bus: Bus[None], journal: Journal, handler: Handler) -> None:
    handler.fails(ZeroDivisionError("division by zero"))
    error = dispatch(bus, Make(name="demo"))
    assert (error.code, error.exit) == ("internal", 70)
    assert "ZeroDivisionError: division by zero" in error.message
    assert last(journal).outcome == "error"


@pytest.mark.parametrize(("raised", "exit_code"), [(KeyboardInterrupt(), 130), (SystemExit(1), 143)])
def test_an_interruption_is_on_the_record_as_unknown(
    bus: Bus[None], journal: Journal, handler: Handler, raised: BaseException, exit_code: int
) -> None:
    handler.fails(raised)
    assert dispatch(bus, Make(name="demo")).exit == exit_code
    assert last(journal).outcome == "unknown"
    assert completed(journal).exit == exit_code


def test_secret_fields_are_never_recorded(bus: Bus[None], journal: Journal, handler: Handler, tmp_path: Path) -> None:
    bus.dispatch(Make(name="demo", password="hunter2-make"), stamp(1, key="k"))
    bus.dispatch(Look(name="demo", password="hunter2-look"), stamp(2))
    assert handler.calls == 2
    dump = "\n".join(sqlite3.connect(f"file:{tmp_path}/journal.sqlite?mode=ro", uri=True).iterdump())
    assert "thing.look" in dump
    assert "hunter2" not in dump
    assert b"hunter2" not in (tmp_path / "journal.sqlite").read_bytes()


def test_a_secret_changes_the_fingerprint_all_the_same(bus: Bus[None], handler: Handler) -> None:
    bus.dispatch(Make(name="demo", password="one"), stamp(1, key="k"))
    assert dispatch(bus, Make(name="demo", password="two"), stamp(2, key="k")).code == "key_reused"


def test_an_async_handler_is_run_to_its_end(bus: Bus[None], journal: Journal, handler: Handler) -> None:
    async def work(name: str) -> Made:
        return Made(name=name)

    handler.does = lambda command, ctx: work(command.name)
    assert bus.dispatch(Make(name="demo"), stamp())[0] == Made(name="demo")
    assert last(journal).outcome == "success"


def test_warnings_go_with_the_reply_and_with_the_error(bus: Bus[None], handler: Handler) -> None:
    def do(command: Make, ctx: Context[None]) -> Made:
        ctx.warn("Mind the gap.")
        if command.name == "bad":
            raise RigError("failed", "It went wrong.")
        return Made(name=command.name)

    handler.does = do
    assert bus.dispatch(Make(name="good"), stamp(1))[1] == ["Mind the gap."]
    assert dispatch(bus, Make(name="bad"), stamp(2)).warnings == ["Mind the gap."]


def test_a_handler_is_found_by_the_name_of_its_command(journal: Journal) -> None:
    assert [snake_case(name) for name in ("Deploy", "CreateNetwork", "ShowAppStatus")] == [
        "deploy",
        "create_network",
        "show_app_status",
    ]


# -- idempotency -----------------------------------------------------------------------------------------------------


def test_the_same_key_and_command_get_the_first_result(bus: Bus[None], journal: Journal, handler: Handler) -> None:
    first, _ = bus.dispatch(Make(name="demo"), stamp(1, key="k"))
    again, _ = bus.dispatch(Make(name="demo"), stamp(2, key="k"))
    assert (first, again, handler.calls) == (Made(name="demo"), Made(name="demo"), 1)
    assert types(journal) == ["command.received", "command.completed"]


def test_the_same_key_with_another_command_is_refused(bus: Bus[None], handler: Handler) -> None:
    bus.dispatch(Make(name="demo"), stamp(1, key="k"))
    for other in (Make(name="other"), Tidy(name="demo")):
        error = dispatch(bus, other, stamp(2, key="k"))
        assert (error.code, error.exit) == ("key_reused", 73)
    assert handler.calls == 1


def test_a_final_failure_is_given_again(bus: Bus[None], handler: Handler) -> None:
    handler.fails(RigError("not_found", "There is no `demo`.", "Make it."))
    for number in (1, 2):
        error = dispatch(bus, Make(name="demo"), stamp(number, key="k"))
        assert (error.code, error.message, error.hint) == ("not_found", "There is no `demo`.", "Make it.")
    assert handler.calls == 1


def test_a_passing_failure_is_tried_again_under_the_same_stream(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    handler.fails(RigError("unavailable", "Not now."))
    dispatch(bus, Make(name="demo"), stamp(1, key="k"))
    handler.does = lambda command, ctx: Made(name="done")
    assert bus.dispatch(Make(name="demo"), stamp(2, key="k"))[0] == Made(name="done")
    records = journal.stream("command:command-1")
    assert [(record.fact.type, record.outcome) for record in records] == [
        ("command.received", "unknown"),
        ("command.completed", "failure"),
        ("command.received", "unknown"),
        ("command.completed", "success"),
    ]
    assert bus.dispatch(Make(name="demo"), stamp(3, key="k"))[0] == Made(name="done")
    assert handler.calls == 2


def test_a_command_whose_end_is_not_on_the_record_is_carried_on_under_its_stream(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    """As after a kill between intent and outcome: the retry is the same intent, and its effect happens once more at
    most, under the same key downstream."""
    handler.fails(RigError("unavailable", "Not now."))
    dispatch(bus, Make(name="demo"), stamp(1, key="k"))
    intent = journal.read()[0]
    crashed = Draft(stream="command:crashed", fact=intent.fact, target="demo", outcome="unknown")
    journal.append([crashed], stamp(9), idem="crashed")
    handler.does = lambda command, ctx: Made(name=ctx.stamp.key)
    assert bus.dispatch(Make(name="demo"), stamp(2, key="crashed"))[0] == Made(name="crashed")
    assert [record.fact.type for record in journal.stream("command:crashed")] == [
        "command.received",
        "command.received",
        "command.completed",
    ]
    assert bus.dispatch(Make(name="demo"), stamp(3, key="crashed"))[0] == Made(name="crashed")
    assert handler.calls == 2


def test_a_reply_with_a_secret_is_not_kept_and_a_retry_says_so(
    bus: Bus[None], journal: Journal, handler: Handler
) -> None:
    bus.dispatch(Whisper(name="demo"), stamp(1, key="k"))
    assert completed(journal).result == {}
    error = dispatch(bus, Whisper(name="demo"), stamp(2, key="k"))
    assert error.code == "conflict"
    assert "not kept" in error.message
    assert handler.calls == 1


def test_without_a_key_everything_is_done_every_time(bus: Bus[None], handler: Handler) -> None:
    bus.dispatch(Make(name="demo"), stamp(1))
    bus.dispatch(Make(name="demo"), stamp(2))
    assert handler.calls == 2


# -- a journal that cannot be written --------------------------------------------------------------------------------


class Full:
    """The journal on a disk that is full from the ``after``-th append on."""

    def __init__(self, journal: Journal, after: int = 0) -> None:
        self._journal = journal
        self._left = after

    def append(self, *args: Any, **options: Any) -> list[Recorded]:
        if not self._left:
            raise RigError("journal_unavailable", "The disk is full.", "Free some space.")
        self._left -= 1
        return self._journal.append(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


@pytest.mark.parametrize("command", [Make(name="demo"), Tidy(name="demo"), Enter(name="demo")])
def test_what_cannot_be_recorded_does_not_happen(journal: Journal, handler: Handler, command: Command) -> None:
    error = dispatch(make_bus(Full(journal)), command)
    assert (error.code, error.exit, handler.calls) == ("journal_unavailable", 75, 0)


def test_a_query_goes_on_with_a_warning(journal: Journal, handler: Handler) -> None:
    reply, warnings = make_bus(Full(journal)).dispatch(Look(name="demo"), stamp())
    assert reply == Made(name="demo")
    assert warnings == ["The outcome could not be written to the journal: The disk is full."]


def test_an_outcome_that_cannot_be_recorded_is_a_warning_and_stays_unknown(journal: Journal, handler: Handler) -> None:
    reply, warnings = make_bus(Full(journal, after=1)).dispatch(Make(name="demo"), stamp())
    assert reply == Made(name="demo")
    assert "could not be written" in warnings[0]
    assert outbox(journal) == [("command-1", "demo", "pending")]
    assert types(journal) == ["command.received"]


def test_a_failure_that_cannot_be_recorded_keeps_its_own_error(journal: Journal, handler: Handler) -> None:
    handler.fails(RigError("build_failed", "It went wrong."))
    error = dispatch(make_bus(Full(journal, after=1)), Make(name="demo"))
    assert error.code == "build_failed"
    assert "could not be written" in error.warnings[0]


# -- the node's bus --------------------------------------------------------------------------------------------------


def test_the_authority_fails_a_change_whose_facts_cannot_be_recorded(journal: Journal, handler: Handler) -> None:
    def do(command: Make, ctx: Context[None]) -> Made:
        ctx.emit("network:demo", NetworkCreated(name="demo"))
        return Made(name=command.name)

    handler.does = do
    error = dispatch(make_bus(Full(journal, after=1), authoritative=True), Make(name="demo"))
    assert error.code == "journal_unavailable"
    assert journal.stream("network:demo") == []


def test_the_authority_records_no_queries_unless_they_are_denied(journal: Journal, handler: Handler) -> None:
    make_bus(journal, authoritative=True).dispatch(Look(name="demo"), stamp())
    assert types(journal) == []

    def deny(command: Command, at: Stamp) -> None:
        raise RigError("forbidden", "You may not.")

    dispatch(make_bus(journal, deny, authoritative=True), Look(name="demo"))
    assert [(record.fact.type, record.outcome) for record in journal.read()] == [("command.completed", "denied")]


def test_the_authority_sends_nothing_on(journal: Journal, handler: Handler) -> None:
    make_bus(journal, authoritative=True).dispatch(Make(name="demo"), stamp())
    assert outbox(journal) == []


def test_facts_stand_under_the_version_that_was_decided_on(journal: Journal, handler: Handler) -> None:
    def do(command: Make, ctx: Context[None]) -> Made:
        ctx.emit("network:demo", NetworkCreated(name="demo"), expect=0)
        return Made(name=command.name)

    handler.does = do
    bus = make_bus(journal, authoritative=True)
    bus.dispatch(Make(name="demo"), stamp(1))
    assert dispatch(bus, Make(name="demo"), stamp(2)).code == "conflict"
    assert len(journal.stream("network:demo")) == 1
    assert [(record.fact.type, record.outcome) for record in journal.stream("command:command-2")] == [
        ("command.received", "unknown"),
        ("command.completed", "failure"),
    ]


def test_a_rig_error_is_taken_as_it_is() -> None:
    error = RigError("not_found", "There is none.")
    assert as_rig_error(error) is error
