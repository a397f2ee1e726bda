"""Which hostname has which slot, when a configuration has to be loaded, and what stands in the files."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rig.contract.names import LABEL_PATTERN
from rig.node.edge.config import EdgeOptions, render
from rig.node.edge.slots import FEW, NOBODY, Route, Slot, SlotFiles, access_log, assign, lay_out

A, B = "a.demo.localhost", "b.demo.localhost"

labels = st.from_regex(LABEL_PATTERN, fullmatch=True)
some_routes = st.lists(
    st.builds(
        Route,
        hostname=st.builds("{}.demo.localhost".format, labels),
        ports=st.lists(st.integers(1, 65535), max_size=12).map(tuple),
        proof=st.sampled_from(["", "", "", "secret"]),
    ),
    unique_by=lambda route: route.hostname,
    max_size=6,
).map(tuple)


def route(hostname: str, *ports: int, proof: str = "") -> Route:
    return Route(hostname=hostname, app=f"demo/{hostname[0]}", ports=ports, proof=proof)


def by_hostname(slots: tuple[Slot, ...]) -> dict[str, Slot]:
    return {slot.hostname: slot for slot in slots if slot.hostname and not slot.gone}


def test_who_comes_takes_a_spare_one_and_who_goes_gives_it_to_nobody() -> None:
    slots = lay_out((), (route(A, 1),), 2)
    assert [(slot.hostname, slot.named) for slot in slots] == [(A, True), ("", False), ("", False)]
    taken = assign(slots, (route(B, 2),))
    assert taken is not None
    assert [(slot.hostname, slot.named, slot.gone) for slot in taken] == [
        (A, True, True),
        (B, False, False),
        ("", False, False),
    ]
    again = assign(taken, (route(A, 1), route(B, 2)))
    assert again is not None
    assert by_hostname(again)[A].id == 3
    assert assign(again, (route("c.demo.localhost", 3),)) is None


def test_few_more_instances_fit_and_many_do_not() -> None:
    [slot] = lay_out((), (route(A, *range(10)),), 0)
    assert slot.counts == (*range(1, FEW + 1), *range(10 - FEW, 10 + FEW + 1))
    for count in (0, *slot.counts):
        assert assign((slot,), (route(A, *range(count)),)) == (slot,)
    assert assign((slot,), (route(A, *range(FEW + 1)),)) is None
    assert assign((slot,), (route(A, *range(10 + FEW + 1)),)) is None


def test_another_proof_is_loaded() -> None:
    slots = lay_out((), (route(A, 1, proof="one"),), 1)
    assert assign(slots, (route(A, 1, proof="one"),)) == slots
    assert assign(slots, (route(A, 1, proof="two"),)) is None
    assert assign(slots, (route(A, 1, proof="one"), route(B, 1, proof="one"))) is None


@given(st.lists(some_routes, max_size=6), st.integers(0, 4))
def test_whatever_comes_each_route_has_a_slot_that_fits(changes: list[tuple[Route, ...]], spare: int) -> None:
    slots: tuple[Slot, ...] = ()
    for routes in changes:
        assigned = assign(slots, routes)
        after = assigned if assigned is not None else lay_out(slots, routes, spare)
        serving = by_hostname(after)
        assert serving.keys() == {each.hostname for each in routes}
        assert len({slot.id for slot in after}) == len(after)
        for each in routes:
            slot = serving[each.hostname]
            assert slot.proof == each.proof
            assert not each.ports or len(each.ports) in slot.counts
        # Nobody moves, and nobody gets what somebody else had: the log is that one's.
        for slot in slots:
            if slot.hostname and slot.id in {one.id for one in after}:
                assert {one.hostname for one in after if one.id == slot.id} == {slot.hostname}
        slots = after


def contents(folder: Path, slot: Slot) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "slots" / str(slot.id)).iterdir()}


def test_a_request_that_is_tried_again_finds_an_instance_whatever_its_number(tmp_path: Path) -> None:
    files = SlotFiles(tmp_path)
    slots = lay_out((), (route(A, 1, 2, 3),), 0)
    for ports in ((1, 2, 3), (7, 8), (9,)):
        files.fill(slots, (route(A, *ports),))
    found = contents(tmp_path, slots[0])
    assert (found["host"], found["count"]) == (A, "1")
    assert [found[str(number)] for number in range(3)] == ["9", "9", "9"]
    files.fill(slots, (route(A),))
    found = contents(tmp_path, slots[0])
    assert (found["count"], found["0"]) == ("0", "9")
    assert found["page"].startswith("503: demo/a")


def test_what_is_served_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    files = SlotFiles(tmp_path)
    first = lay_out((), (route(A, 1), route(B, 2)), 0)
    files.fill(first, (route(A, 1), route(B, 2)))
    log = access_log(tmp_path, A)
    (tmp_path / first[0].access_log).write_text("seen\n")
    assert log.read_text() == "seen\n"
    (tmp_path / first[0].file("access-2026-01-01T00-00-00.000.log.gz")).touch()
    second = assign(first, (route(B, 2),))
    assert second is not None
    files.fill(second, (route(B, 2),))
    files.forget(first, second)
    assert not log.is_symlink()
    assert contents(tmp_path, first[0]) == {"0": "1", "host": NOBODY, "count": NOBODY, "page": ""}
    third = lay_out(second, (route(B, 2),), 0)
    files.fill(third, (route(B, 2),))
    files.forget(second, third)
    assert [path.name for path in (tmp_path / "slots").iterdir()] == [str(first[1].id)]
    assert access_log(tmp_path, B).is_symlink()


@given(some_routes, some_routes)
def test_what_is_assigned_needs_no_loading(before: tuple[Route, ...], after: tuple[Route, ...]) -> None:
    """So what was rendered once need not be rendered again to be compared."""
    slots = lay_out((), before, 8)
    assigned = assign(slots, after)
    if assigned is not None:
        options, folder = EdgeOptions(), Path("edge")
        assert [slot.configured for slot in assigned] == [slot.configured for slot in slots]
        assert render(assigned, options, folder) == render(slots, options, folder)


def test_the_more_hostnames_there_are_the_more_slots_are_to_spare() -> None:
    options = EdgeOptions()
    assert [options.spare_for(count) for count in (0, 100, 1_000)] == [16, 16, 125]
    assert EdgeOptions(tls="acme").spare_for(1_000) == 0


def test_only_what_changes_is_written(tmp_path: Path) -> None:
    files = SlotFiles(tmp_path)
    routes = (route(A, 1), route(B, 2))
    slots = lay_out((), routes, 1)
    files.fill(slots, routes)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    of_a = tmp_path / by_hostname(slots)[A].file("host")
    of_a.unlink()
    files.fill(slots, (routes[0], route(B, 3)))
    assert not of_a.exists(), "what is as it was is not looked at"
    port = tmp_path / by_hostname(slots)[B].file(0)
    assert port.read_text() == "3"
    assert {path for path, at in written.items() if path.exists() and path.stat().st_mtime_ns != at} == {port}
    files.refill(slots, routes)
    assert of_a.read_text() == A
