"""Watching a release: which output is shown, and when its verdict is believed."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.follow import follow
from rig.contract.base import Command
from rig.contract.releases import BuildLog, LogLine, Release, ShowBuildLog
from rig.kernel.client import ClientContext
from rig.kernel.context import Context
from rig.kernel.ports import Stamp

APP = "demo/hello"


class Watched:
    """A platform whose release goes through given phases, and a progress that notes what it is told."""

    def __init__(self, *phases: str, rebuilt_from: str = "checking") -> None:
        self._phases = list(phases)
        self._rebuilt_from = rebuilt_from
        self._rebuilt = False
        self.steps: list[str] = []
        self.lines: list[str] = []
        self.platform = self

    def release(self) -> Release:
        """The release in its next phase."""
        phase: Any = self._phases.pop(0)
        self._rebuilt = self._rebuilt or phase == self._rebuilt_from
        outcome: Any = "succeeded" if phase == "done" else "pending"
        return Release(app=APP, version=2, outcome=outcome, phase=phase, rebuilt=self._rebuilt)

    def call(self, command: Command, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        if not isinstance(command, ShowBuildLog):
            return self.release()
        output = [LogLine(seq=1, at="", text="one"), LogLine(seq=2, at="", text="two")]
        return BuildLog(app=APP, version=2, lines=output[command.after :], next=2)

    def step(self, text: str) -> None:
        self.steps.append(text)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def watch(self) -> Release:
        ports: Any = self
        context: ClientContext = Context(Stamp(id="1", actor="user:ana", at=1), ports, ports, ports)
        return follow(self.release(), context)


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
    assert watched.steps == ["Waiting v2", "Starting v2", "Checking its health v2"]
