"""Output: data on stdout, everything else on stderr, in the format that was asked for."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Container, Iterable, Sequence
from typing import Any, TextIO

import msgspec

from rig.cli.query import search
from rig.cli.text import printable
from rig.cli.wrap import terminal_width, wrapped
from rig.contract.base import SCHEMA, Envelope
from rig.contract.errors import ErrorBody
from rig.contract.settings import OutputFormat
from rig.kernel.errors import RigError

ROOMY = 100
"""Columns of a terminal from which on nothing is shortened."""
USUAL = 80
"""Columns of a terminal that does not say how many it has."""
COMPARED = 100
"""Characters by which a line is known again: the long ones are cut in the error of a platform."""


class Output:
    """Where a verb prints. ``format`` is how; ``stdout`` holds data only."""

    def __init__(
        self,
        output_format: OutputFormat = "table",
        *,
        query: str = "",
        color: bool | None = None,
        quiet: bool = False,
        verbose: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.format = output_format
        self.query = query
        self.quiet = quiet
        self.verbose = verbose
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.narrowed = False
        """Whether only a part was asked for, so that no row does not mean that there is none."""
        self._color = color
        self._streaming = False
        self._shown: deque[str] = deque(maxlen=200)

    # -- for people -------------------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """A line for people on stdout. Control characters that came from elsewhere do not reach the terminal."""
        self.stdout.write(wrapped(printable(text), terminal_width(self.stdout)) + "\n")

    def verbatim(self, text: str) -> None:
        """Lines on stdout that are somebody else's, or a program's: nothing is broken to fit a terminal."""
        self.stdout.write(printable(text) + "\n")

    def note(self, text: str) -> None:
        """A line for people on stderr; silent with --quiet."""
        if not self.quiet:
            self.stderr.write(self.prose(text) + "\n")

    def prose(self, text: str) -> str:
        """``text`` as it can be shown on stderr: broken between words where that is a terminal."""
        return wrapped(printable(text), terminal_width(self.stderr))

    def output(self, text: str) -> None:
        """A line that a build or a release command has printed, on stderr; a failure does not show it again."""
        if not self.quiet:
            self.stderr.write("  " + printable(text) + "\n")
            self._shown.append(text[:COMPARED])

    def hint(self, text: str) -> None:
        """What one might do next; only where somebody reads along."""
        if self.stderr.isatty() and not self.quiet:
            self.stderr.write(self._paint(self.prose(text), "2", self.stderr) + "\n")

    def pairs(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Names and values, one pair a line, empty values left out."""
        shown = [(name, str(value)) for name, value in pairs if value not in ("", None, [], {})]
        widest = max((len(name) for name, _ in shown), default=0)
        limit = terminal_width(self.stdout)
        for name, value in shown:
            label = f"{name:<{widest}}"
            text = wrapped(f"{label}  {printable(value)}", limit, hang=widest + 2)
            self.stdout.write(self._paint(label, "2", self.stdout) + text.removeprefix(label) + "\n")

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str = "", whole: Container[str] = ()
    ) -> None:
        """A table that fits the width of the terminal; a pipe gets every value whole.

        The columns whose headers ``whole`` has are cut last. ``empty`` is said where there is no row at all.
        """
        if not rows:
            if empty:
                self.note("No row matches." if self.narrowed else empty)
            return
        from rig.cli.tables import draw

        self.stdout.write(draw(headers, rows, width=self.width, color=self.color(self.stdout), whole=whole))

    def row(self, cells: Sequence[str], widths: Sequence[int], headers: Sequence[str]) -> None:
        """One row of a table that goes on, at once; ``widths`` are those of all columns but the last one. The headers
        come before the first row."""
        from rig.cli.tables import aligned

        lines = [cells] if self._streaming else [headers, cells]
        self._streaming = True
        for each in lines:
            self.stdout.write(aligned(each, widths, self.width) + "\n")
        self.stdout.flush()

    @property
    def width(self) -> int:
        """Columns to draw in; 0 where there is no limit."""
        if self.stdout.isatty():
            return terminal_width(self.stdout) or USUAL
        columns = os.environ.get("COLUMNS", "")
        return int(columns) if columns.isdecimal() else 0

    @property
    def narrow(self) -> bool:
        """Whether there is no room to write everything out."""
        return 0 < self.width < ROOMY

    def color(self, stream: TextIO) -> bool:
        """Whether ``stream`` gets colour: as told, else on a terminal without NO_COLOR (see no-color.org)."""
        if self.format != "table" or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return stream.isatty() if self._color is None else self._color

    def _paint(self, text: str, code: str, stream: TextIO) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color(stream) else text

    # -- for machines -----------------------------------------------------------------------------------------------

    def reply(
        self, kind: str, data: Any, warnings: Sequence[str], rows: list[Any] | None, columns: Sequence[str] = ()
    ) -> None:
        """A reply in a machine's format. ``columns`` are those of a list without items."""
        plain = msgspec.to_builtins(data)
        if self.query:
            plain = search(self.query, plain)
        match self.format:
            case "csv":
                listed = plain if self.query else msgspec.to_builtins(rows if rows is not None else [data])
                self._csv(listed, () if self.query else columns)
            case "jsonl":
                items = [] if rows is None or self.query else msgspec.to_builtins(rows)
                for item in items:
                    self.event("item", data=item)
                self.event("result", kind=kind, data=plain, error=None, warnings=list(warnings))
            case _:
                self._document(Envelope(kind=kind, data=plain, warnings=tuple(warnings)))

    def value(self, data: Any) -> None:
        """The part of a reply that --query asked for, for people: a bare value as it is, anything else as JSON."""
        found = search(self.query, msgspec.to_builtins(data))
        self.verbatim(found if isinstance(found, str) else pretty(found))

    def warn(self, text: str) -> None:
        """A warning on stderr; silent with --quiet."""
        if not self.quiet:
            self._labelled("warning:", "1;33", text)

    def failure(self, kind: str, error: RigError) -> None:
        """A failure: an envelope for machines, three lines on stderr for people."""
        body = error.body()
        if self.format in {"json", "yaml"}:
            self._document(Envelope(kind=kind, error=body, warnings=tuple(error.warnings)))
        elif self.format == "jsonl":
            self.event("result", kind=kind, data=None, error=body, warnings=error.warnings)
        for warning in error.warnings:
            self.warn(warning)
        self._say_failure(body)

    def _say_failure(self, body: ErrorBody) -> None:
        if self.format in {"json", "yaml", "jsonl"} and not self.stderr.isatty():
            return
        output = body.details.get("output")
        lines = [str(line) for line in output] if isinstance(output, list) else []
        for line in lines if any(line[:COMPARED] not in self._shown for line in lines) else ():
            self.stderr.write("  | " + printable(line) + "\n")
        self._labelled("error:", "1;31", body.message)
        if body.hint:
            self.stderr.write("\n")
            self._labelled("hint:", "1;36", body.hint)

    def _labelled(self, label: str, code: str, text: str) -> None:
        shown = self.prose(f"{label} {text}")
        self.stderr.write(self._paint(label, code, self.stderr) + shown.removeprefix(label) + "\n")

    def event(self, event: str, **members: Any) -> None:
        """One line of a stream of JSON Lines, sent at once; before the first comes the line that names the version."""
        if not self._streaming:
            self._streaming = True
            self.event("version", schema=SCHEMA)
        self.stdout.write(_tame(msgspec.json.encode({"type": event, **members}).decode()) + "\n")
        self.stdout.flush()

    def _document(self, envelope: Envelope) -> None:
        if self.format == "yaml":
            import yaml

            plain = msgspec.to_builtins(envelope)
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
            if not text.replace("\n", "").isprintable():
                text = yaml.safe_dump(plain, sort_keys=False)  # which writes them as escapes
            self.stdout.write(text)
            return
        self.stdout.write(pretty(envelope) + "\n")

    def _csv(self, rows: Any, columns: Sequence[str] = ()) -> None:
        listed = rows if isinstance(rows, list) else [rows]
        dicts = [row if isinstance(row, dict) else {"value": row} for row in listed]
        names = list(dict.fromkeys(name for row in dicts for name in row)) or list(columns)
        if names:
            lines = [names, *([_cell(row.get(name)) for name in names] for row in dicts)]
            text = "".join(",".join(map(_quoted, line)) + "\n" for line in lines)
            # CSV has no escapes: a program gets the text as it is, a terminal what is safe to show.
            self.stdout.write(printable(text) if self.stdout.isatty() else text)


def pretty(value: Any) -> str:
    """A JSON document for people: indented, and safe to show."""
    return _tame(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _tame(document: str) -> str:
    """A JSON document that means the same, and in which no character stands that a terminal would obey: those that
    JSON lets through, such as the C1 controls and what turns the direction of writing, are written as escapes."""
    if document.replace("\n", "").isprintable():
        return document
    import json

    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in document)


def _cell(value: Any) -> str:
    """A value as a CSV cell. Text that a spreadsheet would run as a formula is quoted (CWE-1236)."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "'" + text if isinstance(value, str) and text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _quoted(cell: str) -> str:
    """A cell as RFC 4180 quotes it. (The csv module leaves a carriage return bare until Python 3.13.)"""
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell
