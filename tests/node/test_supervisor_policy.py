"""When an instance is started again: given what happened, when a run ends, then …"""

from __future__ import annotations

import socket
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.kernel.errors import RigError
from rig.node.runtime.driver import ExitStatus
from rig.node.supervisor.policy import Ended, Event, NotStarted, Policy, Restarts, Started, decide
from rig.node.supervisor.ports import CLAIMS, Ports
from tests.support import free_port

POLICY = Policy(first_delay=0.5, factor=2, longest_delay=30, stable=60, crashes=8, window=300)
FAILED = Ended(ExitStatus(code=1))


def after(*happened: tuple[float, Event], policy: Policy = POLICY) -> Restarts:
    return reduce(lambda state, each: decide(state, each[1], each[0], policy), happened, Restarts())


def crashes(count: int, every: float = 0.0) -> list[tuple[float, Event]]:
    """So many runs that end at once, one every so many seconds."""
    return [pair for i in range(count) for pair in ((i * every, Started()), (i * every, FAILED))]


def test_the_first_end_waits_the_first_delay() -> None:
    state = after((10.0, Started()), (11.0, FAILED))
    assert (state.state, state.delay, state.count) == ("backoff", 0.5, 0)


def test_the_delay_doubles_up_to_the_longest() -> None:
    patient = Policy(crashes=100)
    delays = [after(*crashes(n), policy=patient).delay for n in range(1, 10)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_start_counts_as_a_restart_but_for_the_first() -> None:
    assert after((0, Started())).count == 0
    assert after(*crashes(3), (9, Started())).count == 3
    assert after(*crashes(3), (9, Started())).state == "up"


def test_a_stable_run_is_forgiven_what_was_before() -> None:
    state = after(*crashes(5), (10.0, Started()), (10.0 + POLICY.stable, FAILED))
    assert (state.delay, state.streak) == (0.5, 1)
    state = after(*crashes(5), (10.0, Started()), (9.9 + POLICY.stable, FAILED))
    assert state.streak == 6


def test_too_many_ends_in_too_short_a_time_are_a_crash_loop() -> None:
    assert after(*crashes(7)).state == "backoff"
    state = after(*crashes(8))
    assert (state.state, state.delay) == ("crashed", 0)
    assert state.reason == "it ended with exit 1, and that was end number 8 within 300 seconds"


def test_ends_that_are_far_apart_are_no_crash_loop() -> None:
    assert after(*crashes(50, every=POLICY.window / 7)).state == "backoff"


def test_an_end_without_an_error_counts_as_well() -> None:
    assert after((0, Started()), (1, Ended(ExitStatus(code=0)))).state == "backoff"


def test_a_start_that_fails_counts_and_its_reason_is_told() -> None:
    state = after(*[(0.0, NotStarted("no disk"))] * 8)
    assert state.state == "crashed"
    assert "could not be started (no disk)" in state.reason


@given(st.lists(st.tuples(st.floats(0, 500), st.sampled_from([Started(), FAILED, NotStarted("x")])), max_size=60))
def test_it_never_waits_longer_than_it_may_and_remembers_no_more_than_it_needs(
    steps: list[tuple[float, Event]],
) -> None:
    state, now = Restarts(), 0.0
    for step, event in steps:
        if state.state == "crashed":
            break
        now += step
        state = decide(state, event, now, POLICY)
        assert 0 <= state.delay <= POLICY.longest_delay
        assert len(state.ends) <= POLICY.crashes
        assert (state.state == "crashed") == bool(state.reason)


def test_a_port_is_handed_out_once() -> None:
    ports = Ports(range(21000, 21040))
    first = ports.allocate()
    assert ports.allocate() != first
    assert not ports.reserve(first)
    ports.release(first)
    assert ports.reserve(first)
    ports.close()


@pytest.mark.skipif(not CLAIMS, reason="nodes cannot tell each other here")
def test_a_port_is_handed_out_once_on_a_machine() -> None:
    """Also while nobody listens on it: the app of the other node is still being started."""
    port = free_port()
    first, second = Ports(range(port, port + 1)), Ports(range(port, port + 1))
    assert first.allocate() == port
    with pytest.raises(RigError) as caught:
        second.allocate()
    assert caught.value.code == "unavailable"
    assert second.reserve(port), "what an instance has already it keeps"
    second.release(port)
    first.close()
    assert second.allocate() == port
    second.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_port_that_somebody_listens_on_is_not_handed_out(address: str) -> None:
    port = free_port()
    with socket.create_server((address, port)), pytest.raises(RigError) as caught:
        Ports(range(port, port + 1)).allocate()
    assert caught.value.code == "unavailable"
    assert caught.value.hint
    ports = Ports(range(port, port + 1))
    assert ports.allocate() == port
    ports.close()
