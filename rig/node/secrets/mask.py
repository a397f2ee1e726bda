"""Hides the values of secrets in text that is kept or shown. Stdlib only, few imports: the shim uses it."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHORTEST = 4
"""Characters of a value, or of a line of one, that is looked for: a shorter one stands in too many other words."""


class OutputMask:
    """Replaces each value that occurs verbatim by the name of its secret; of values of several lines, each line.

    It is used where output comes from its pipe, so that whatever is kept or told of that output is masked already.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._labels = labels(secrets)
        self.longest = max(map(len, self._labels), default=0)
        """Bytes of the longest value."""

    def __call__(self, text: bytes, end: int) -> tuple[bytes, int]:
        """As :func:`masked`. ``longest`` bytes behind ``end`` have to be there, unless no more will come."""
        return masked(text, self._labels, end)


def labels(secrets: Mapping[str, str]) -> dict[bytes, bytes]:
    """What is looked for in a text → what is shown instead. The longest first: one may be the beginning of another."""
    found: dict[bytes, bytes] = {}
    for name, value in sorted(secrets.items()):
        for part in (value, *value.splitlines()):
            if len(part.strip()) >= SHORTEST:
                found.setdefault(_bytes(part.strip()), _bytes(f"[secret {name}]"))
    return {part: found[part] for part in sorted(found, key=len, reverse=True)}


def masked(text: bytes, shown: Mapping[bytes, bytes], end: int) -> tuple[bytes, int]:
    """The text up to ``end`` with every part replaced that ``shown`` names, and how much of the text that took.

    Of several parts at one place the longest is replaced. One that begins before ``end`` is replaced as a whole, and
    one that begins within another and ends behind it, too.
    """
    places = {part: text.find(part) for part in shown if part in text}
    pieces: list[bytes] = []
    begin = 0
    while places:
        # `min` takes the first of equals, and the longest stands first.
        part = min(places, key=places.__getitem__)
        at = places[part]
        if at >= end:
            break
        pieces += [text[begin:at], shown[part]]
        begin = at + len(part)
        while reaching := _reaching(text, places, at, begin):
            at, part = reaching
            pieces.append(shown[part])
            begin = at + len(part)
        for other in [other for other, place in places.items() if place < begin]:
            places[other] = text.find(other, begin)
            if places[other] < 0:
                del places[other]
    end = max(begin, end)
    pieces.append(text[begin:end])
    return b"".join(pieces), end


def _reaching(text: bytes, parts: Iterable[bytes], at: int, begin: int) -> tuple[int, bytes] | None:
    """Of the parts that begin behind ``at``, in front of ``begin``, the one that ends furthest behind it; its place."""
    found: tuple[int, bytes] | None = None
    furthest = begin
    for part in parts:
        size = len(part)
        place = text.rfind(part, max(at + 1, begin - size + 1), begin + size - 1)
        if place >= 0 and place + size > furthest:
            found, furthest = (place, part), place + size
    return found


def _bytes(text: str) -> bytes:
    """As an environment has it."""
    return text.encode("utf-8", "surrogateescape")
