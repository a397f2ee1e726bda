"""From what a pipe gives to lines. Stdlib only: the shim uses it."""

from __future__ import annotations

from rig.node.logs.segments import CONTINUES, Entry

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the cost of importing typing
if TYPE_CHECKING:
    from rig.node.secrets.mask import OutputMask

MAX_LINE = 64 << 10
"""Bytes of a line. A longer one is cut, and every part but the last is marked as continued."""


class LineSplitter:
    """Splits one output into lines, whatever the pieces in which it arrives. The line end is left out.

    ``mask`` hides the values of secrets, also where one comes in two pieces, or stands where a long line is cut.
    """

    def __init__(self, kind: int, limit: int = MAX_LINE, mask: OutputMask | None = None) -> None:
        self._kind = kind
        self._limit = limit
        self._mask = mask
        self._held = limit + (mask.longest if mask else 0)
        """Bytes of a line without an end that are held back: what is cut off must not end within a secret."""
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """The lines that ``data`` completes."""
        whole = (self._rest + data).split(b"\n")
        self._rest = whole.pop()
        entries: list[Entry] = []
        for line in whole:
            self._emit(line, entries)
        while len(self._rest) > self._held:
            self._rest = self._cut_off(self._rest, entries)
        return entries

    def flush(self) -> list[Entry]:
        """What stands behind the last line end, at the end of the output."""
        entries: list[Entry] = []
        if self._rest:
            self._emit(self._rest, entries)
            self._rest = b""
        return entries

    def _emit(self, line: bytes, entries: list[Entry]) -> None:
        if self._mask is not None:
            line, _ = self._mask(line, len(line))
        while len(line) > self._limit:
            line = self._cut(line, entries)
        entries.append((self._kind, line.removesuffix(b"\r")))

    def _cut_off(self, line: bytes, entries: list[Entry]) -> bytes:
        """Cut a part off a line of which the end is not known yet."""
        if self._mask is None:
            return self._cut(line, entries)
        head, taken = self._mask(line, self._boundary(line))
        while len(head) > self._limit:  # the name of a secret may be longer than its value
            head = self._cut(head, entries)
        entries.append((self._kind | CONTINUES, head))
        return line[taken:]

    def _cut(self, line: bytes, entries: list[Entry]) -> bytes:
        cut = self._boundary(line)
        entries.append((self._kind | CONTINUES, line[:cut]))
        return line[cut:]

    def _boundary(self, line: bytes) -> int:
        """Where a part of full length ends, not inside a UTF-8 character (RFC 3629: at most three continuation bytes,
        10xxxxxx)."""
        cut = self._limit
        while cut > self._limit - 3 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        return cut
