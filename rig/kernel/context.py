"""What a handler is given: who asks, where facts go, and the ports."""

from __future__ import annotations

from typing import Generic, TypeVar

from events.base import Fact
from rig.kernel.ports import Draft, Journal, Progress, Recorded, Stamp

P = TypeVar("P")


class Context(Generic[P]):
    """One dispatch, as its handler sees it.

    Facts that a handler emits are kept until the bus appends them together with the outcome, in one transaction: what
    was decided and that it succeeded are on the record together or not at all. Before a long effect a handler calls
    :meth:`record`, so that its intent is durable first.
    """

    def __init__(self, stamp: Stamp, journal: Journal, ports: P, progress: Progress) -> None:
        self.stamp = stamp
        self.journal = journal
        self.ports = ports
        self.progress = progress
        self.warnings: list[str] = []
        self.target = ""
        """What the command turned out to be about, where its arguments do not say so: a network that a file names."""
        self.drafts: list[Draft] = []
        self.expect: dict[str, int] = {}

    def emit(
        self, stream: str, fact: Fact, *, target: str = "", outcome: str = "success", expect: int | None = None
    ) -> None:
        """Note a fact. ``expect`` is the version that its stream must still have when it is appended."""
        self.drafts.append(Draft(stream=stream, fact=fact, target=target, outcome=outcome))
        if expect is not None and stream not in self.expect:
            self.expect[stream] = expect

    def record(self) -> list[Recorded]:
        """Append now what was emitted so far."""
        drafts, expect = self.drafts, self.expect
        self.drafts, self.expect = [], {}
        return self.journal.append(drafts, self.stamp, expect=expect) if drafts else []

    def warn(self, text: str) -> None:
        """Tell the user something that is no failure; it goes to stderr and into the envelope."""
        self.warnings.append(text)
