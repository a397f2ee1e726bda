"""A journal that cannot be written, and the bus of a node, which is the authority for what it records."""

from __future__ import annotations

import pytest

from events.network import NetworkCreated
from rig.contract.base import Command
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Stamp
from storage.journal import Journal
from tests.unit.buses import (
    Enter,
    Full,
    Handler,
    Look,
    Made,
    Make,
    Tidy,
    dispatch,
    make_bus,
    outbox,
    stamp,
    types,
)


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
