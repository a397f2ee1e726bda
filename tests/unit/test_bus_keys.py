"""Commands under a key: the same one gets the first result, and a retry goes on where the first try was cut off."""

from __future__ import annotations

from rig.kernel.bus import Bus
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft
from storage.journal import Journal
from tests.unit.buses import (
    Handler,
    Made,
    Make,
    Tidy,
    Whisper,
    completed,
    dispatch,
    stamp,
    types,
)


def test_a_secret_changes_the_fingerprint_all_the_same(bus: Bus[None], handler: Handler) -> None:
    bus.dispatch(Make(name="demo", password="one"), stamp(1, key="k"))
    assert dispatch(bus, Make(name="demo", password="two"), stamp(2, key="k")).code == "key_reused"


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
