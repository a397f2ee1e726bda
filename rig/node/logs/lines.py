"""From what a pipe gives to lines. Stdlib only: the shim uses it."""

from __future__ import annotations

from rig.node.logs.segments import CONTINUES, Entry

MAX_LINE = 64 << 10
"""Bytes of a line. A longer one is cut, and every part but the last is marked as continued."""


class LineSplitter:
    """Splits one output into lines, whatever the pieces in which it arrives. The line end is left out."""

    def __init__(self, kind: int, limit: int = MAX_LINE) -> None:
        self._kind = kind
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """The lines that ``data`` completes."""
        whole = (self._rest + data).split(b"\n")
        self._rest = whole.pop()
        entries: list[Entry] = []
        for line in whole:
            self._emit(line, entries)
        while len(self._rest) > self._limit:
            self._rest = self._cut(self._rest, entries)
        return entries

    def flush(self) -> list[Entry]:
        """What stands behind the last line end, at the end of the output."""
        entries: list[Entry] = []
        if self._rest:
            self._emit(self._rest, entries)
            self._rest = b""
        return entries

    def _emit(self, line: bytes, entries: list[Entry]) -> None:
        while len(line) > self._limit:
            line = self._cut(line, entries)
        entries.append((self._kind, line.removesuffix(b"\r")))

    def _cut(self, line: bytes, entries: list[Entry]) -> bytes:
        cut = self._limit
        # Not inside a UTF-8 character (RFC 3629: at most three continuation bytes, 10xxxxxx).
        while cut > self._limit - 3 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        entries.append((self._kind | CONTINUES, line[:cut]))
        return line[cut:]
