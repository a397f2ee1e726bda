"""The bus and its middleware, on a real journal: what is on the record, in which order, whatever happens."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from events.command import CommandCompleted, CommandReceived
from events.network import NetworkCreated
from rig.contract.base import Command
from rig.kernel.bus import Bus, as_rig_error, delivery_of, outcome_of, snake_case
from rig.kernel.context import Context
from rig.kernel.errors import RigError, declined
from rig.kernel.ports import Stamp
from rig.kernel.processes import start_time
from storage.journal import Journal
from tests.unit.buses import (
    Enter,
    Handler,
    Look,
    Made,
    Make,
    ShowThing,
    Tidy,
    completed,
    dispatch,
    last,
    make_bus,
    outbox,
    stamp,
    types,
)


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
    with closing(sqlite3.connect(f"file:{tmp_path}/journal.sqlite?mode=ro", uri=True)) as database:
        dump = "\n".join(database.iterdump())
    assert "thing.look" in dump
    assert "hunter2" not in dump
    assert b"hunter2" not in (tmp_path / "journal.sqlite").read_bytes()


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


def test_a_handler_is_found_by_the_name_of_its_command(
    bus: Bus[None], handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [snake_case(name) for name in ("Deploy", "CreateNetwork", "ShowAppStatus")] == [
        "deploy",
        "create_network",
        "show_app_status",
    ]
    monkeypatch.setitem(sys.modules, "nowhere.show_thing", SimpleNamespace(handle=handler.handle))
    assert bus.dispatch(ShowThing(name="demo"), stamp())[0] == Made(name="demo")


def test_a_rig_error_is_taken_as_it_is() -> None:
    error = RigError("not_found", "There is none.")
    assert as_rig_error(error) is error
