"""Progress of long work: bytes, rate and time left on a terminal; plain lines elsewhere; events in JSON Lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rig.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class TerminalProgress:
    """A step with a moving bar, drawn on stderr and wiped when the step ends."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def step(self, text: str) -> None:
        self.close()
        self._output.note(text)

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        if self._bar is None:
            self._begin(unit)
        assert self._bar is not None
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self.close()

    def line(self, text: str) -> None:
        self.close()
        self._output.output(text)

    def warn(self, text: str) -> None:
        self.close()
        self._output.warn(text)

    def close(self) -> None:
        """Wipe the bar; the terminal is as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def _begin(self, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar

        in_bytes = unit == "bytes"
        columns = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
        console = Console(file=self._output.stderr, no_color=not self._output.color(self._output.stderr))
        self._bar = Bar("  ", BarColumn(), *columns, TimeRemainingColumn(), console=console, transient=True)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()


class PlainProgress:
    """A line for each step, and one every five seconds while it lasts."""

    EVERY = 5.0

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said = time.monotonic()

    def step(self, text: str) -> None:
        self._output.note(text)
        self._said = time.monotonic()

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        if time.monotonic() - self._said >= self.EVERY:
            self._said = time.monotonic()
            self._output.note(f"  {done} of {total} {unit}")

    def line(self, text: str) -> None:
        self._output.output(text)

    def warn(self, text: str) -> None:
        self._output.warn(text)

    def close(self) -> None:
        pass


class StreamProgress(PlainProgress):
    """Each step and line as an event of a JSON Lines stream on stdout."""

    def step(self, text: str) -> None:
        self._output.event("step", text=text)

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        if time.monotonic() - self._said >= 1.0 or done >= total:
            self._said = time.monotonic()
            self._output.event("progress", done=done, total=total, unit=unit)

    def line(self, text: str) -> None:
        self._output.event("line", text=text)

    def warn(self, text: str) -> None:
        self._output.event("warning", text=text)


def progress_for(output: Output) -> TerminalProgress | PlainProgress:
    """The progress that fits: quiet about steps where JSON is a document, events where it is a stream."""
    if output.format == "jsonl":
        return StreamProgress(output)
    return TerminalProgress(output) if output.stderr.isatty() and not output.quiet else PlainProgress(output)
