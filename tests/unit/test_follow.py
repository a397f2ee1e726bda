"""Watching a release: which output is shown, and when its verdict is believed."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.follow import PAGE, follow
from rig.contract.base import Command
from rig.contract.releases import BuildLog, LogLine, Release, ShowBuildLog
from rig.kernel.bus import outcome_of
from rig.kernel.client import ClientContext
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Stamp

APP = "demo/hello"


class Watched:
    """A platform whose release goes through given phases, and a progress that notes what it is told."""

    def __init__(self, *phases: str, rebuilt_from: str = "checking") -> None:
        self._phases = list(phases)
        self._rebuilt_from = rebuilt_from
        self._rebuilt = self._found = False
        self.built_by = 0
        self.found_in = "queued"
        """The phase from which on it is known whose build it is."""
        self.raises: dict[str, BaseException] = {}
        """What looking at a phase leads to instead."""
        self.output = ["one", "two"]
        self.steps: list[str] = []
        self.lines: list[str] = []
        self.platform = self

    def release(self) -> Release:
        """The release in its next phase."""
        phase: Any = self._phases.pop(0)
        if phase in self.raises:
            raise self.raises[phase]
        self._rebuilt = self._rebuilt or phase == self._rebuilt_from
        self._found = self._found or phase == self.found_in
        built_by = self.built_by if self._found else 0
        outcome: Any = "succeeded" if phase == "done" else "pending"
        return Release(app=APP, version=2, outcome=outcome, phase=phase, rebuilt=self._rebuilt, built_by=built_by)

    def call(self, command: Command, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        if not isinstance(command, ShowBuildLog):
            return self.release()
        lines = [LogLine(seq=n, at="", text=text) for n, text in enumerate(self.output, 1)]
        lines = lines[command.after : command.after + command.limit]
        return BuildLog(app=APP, version=2, lines=lines, next=command.after + len(lines))

    def step(self, text: str) -> None:
        self.steps.append(text)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def watch(self, *, resumable: bool = False) -> Release:
        ports: Any = self
        context: ClientContext = Context(Stamp(id="1", actor="user:ana", at=1), ports, ports, ports)
        return follow(self.release(), context, resumable=resumable)


@pytest.mark.parametrize(
    "phases",
    [
        ("queued", "building", "building", "checking", "done"),
        ("building", "releasing", "checking", "done"),
        ("queued", "checking", "switching", "done"),
        ("queued", "done"),
    ],
    ids=["seen", "with a release command", "over before it was seen", "all over at once"],
)
def test_output_of_a_build_is_shown_once(phases: tuple[str, ...]) -> None:
    watched = Watched(*phases, rebuilt_from=next(p for p in phases if p in {"checking", "done"}))
    assert watched.watch().outcome == "succeeded"
    assert watched.lines == ["one", "two"]


def test_nothing_is_shown_where_nothing_was_built() -> None:
    watched = Watched("queued", "starting", "checking", "done", rebuilt_from="never")
    watched.watch()
    assert watched.lines == []
    assert watched.steps == ["Starting v2", "Checking the health of v2"]


def test_a_build_that_is_there_is_named_and_not_made() -> None:
    watched = Watched("queued", "queued", "starting", "done", rebuilt_from="never")
    watched.built_by = 1
    watched.watch()
    assert watched.steps == ["Reusing the build of v1", "Waiting for the turn of v2", "Starting v2"]


@pytest.mark.parametrize("found_in", ["starting", "done"])
def test_a_build_that_is_there_is_named_however_late_somebody_looks(found_in: str) -> None:
    watched = Watched("queued", *({found_in} - {"done"}), "done", rebuilt_from="never")
    watched.built_by, watched.found_in = 1, found_in
    watched.watch()
    assert watched.steps.count("Reusing the build of v1") == 1


def test_a_release_that_waits_for_its_turn_is_said_to_once() -> None:
    watched = Watched("queued", "queued", "queued", "starting", "done", rebuilt_from="never")
    watched.watch()
    assert watched.steps == ["Waiting for the turn of v2", "Starting v2"]


def test_a_build_is_named_before_its_output() -> None:
    watched = Watched("queued", "starting", "done", rebuilt_from="starting")
    events = watched.steps
    watched.lines = events
    watched.watch()
    assert events == ["Building v2", "one", "two", "Starting v2"]


@pytest.mark.parametrize("resumable", [True, False])
@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(143), "terminated"),
        (RigError("unreachable", "It cannot be reached.", "Start it."), "unreachable"),
        (RigError("login_expired", "The login has ended."), "login_expired"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_release_goes_on_whatever_ends_the_watching(raised: BaseException, code: str, resumable: bool) -> None:
    watched = Watched("queued", "building", "lost")
    watched.raises["lost"] = raised
    with pytest.raises(RigError) as lost:
        watched.watch(resumable=resumable)
    assert lost.value.code == code
    assert "v2 of demo/hello is still being made" in lost.value.message
    assert "`rig status app demo/hello` shows how far it is" in lost.value.hint
    assert ("`rig deploy --resume`" in lost.value.hint) is resumable
    assert outcome_of(lost.value) == "unknown"


def test_an_app_that_was_deleted_meanwhile_is_said_to_be_gone() -> None:
    watched = Watched("queued", "lost")
    watched.raises["lost"] = RigError("not_found", "There is no app `demo/hello`.")
    with pytest.raises(RigError) as gone:
        watched.watch()
    assert (gone.value.message, outcome_of(gone.value)) == ("There is no app `demo/hello`.", "failure")


def test_more_output_than_a_page_holds_is_shown_to_its_end() -> None:
    watched = Watched("building", "done", rebuilt_from="done")
    watched.output = [str(number) for number in range(2 * PAGE + 1)]
    watched.watch()
    assert watched.lines == watched.output
