"""Version ranges: npm's, as in ``engines`` (node-semver's grammar without pre-releases), and Python's specifiers."""

from __future__ import annotations

import re

Version = tuple[int, int, int]
_Span = tuple[Version, Version | None]
"""From the first, inclusive, to below the second; None: no end."""

_PART = r"(?:\d{1,9}|[xX*])"
_COMPARATOR = re.compile(
    rf"^(?P<op>\^|~>?|>=|<=|>|<|=)?v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?"
    r"(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$"
)
_HYPHEN = re.compile(r"^(\S+)\s+-\s+(\S+)$")
_ZERO: Version = (0, 0, 0)


def parse_version(text: str) -> Version | None:
    """``v22.3.0`` → ``(22, 3, 0)``; None where it is no full version."""
    match = re.match(r"^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?$", text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def satisfies(version: Version, wanted: str) -> bool | None:
    """Whether ``version`` lies in the range ``wanted``; None where the range cannot be understood."""
    alternatives = [_conjunction(part.strip()) for part in wanted.split("||")]
    if any(spans is None for spans in alternatives):
        return None
    return any(spans is not None and all(_inside(version, span) for span in spans) for spans in alternatives)


def range_of_specifier(specifier: str) -> str:
    """A specifier set of Python's (PEP 440), as ``>=3.11,<4``, as a range; what ``!=`` excludes stays in."""
    ranges: list[str] = []
    for word in (word.replace(" ", "") for word in specifier.split(",")):
        if word.startswith("~="):
            ranges.append(("~" if word.count(".") > 1 else "^") + word[2:])
        elif word.startswith("=="):
            ranges.append(word.lstrip("="))
        elif not word.startswith("!="):
            ranges.append(word)
    return " ".join(filter(None, ranges))


def _inside(version: Version, span: _Span) -> bool:
    low, high = span
    return version >= low and (high is None or version < high)


def _conjunction(text: str) -> list[_Span] | None:
    if not text:
        return [(_ZERO, None)]
    hyphen = _HYPHEN.match(text)
    words = [f">={hyphen[1]}", f"<={hyphen[2]}"] if hyphen else re.sub(r"(\^|~>?|[<>]=?|=)\s+", r"\1", text).split()
    spans: list[_Span] = []
    for word in words:
        span = _comparator(word)
        if span is None:
            return None
        spans.append(span)
    return spans


def _comparator(word: str) -> _Span | None:
    match = _COMPARATOR.match(word)
    if match is None:
        return None
    given: list[int] = []
    for name in ("major", "minor", "patch"):
        part = match[name]
        if part is None or not part.isdigit():
            break
        given.append(int(part))
    low: Version = _pad(given)
    after = _next(given, len(given))
    operator = match["op"] or "="
    if not given:
        return (_ZERO, _ZERO) if operator in ("<", ">") else (_ZERO, None)
    if operator == ">=":
        return low, None
    if operator == ">":
        return (after, None) if after else None
    if operator == "<":
        return _ZERO, low
    if operator == "<=":
        return _ZERO, after
    if operator == "^":
        # Up to the next change of the first number that is not zero.
        kept = next((n + 1 for n, value in enumerate(given) if value), len(given))
        return low, _next(given, kept)
    if operator.startswith("~"):
        return low, _next(given, min(2, len(given)))
    return low, after


def _pad(numbers: list[int]) -> Version:
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch


def _next(numbers: list[int], kept: int) -> Version | None:
    """The first version after all that agree with the first ``kept`` numbers."""
    if not kept:
        return None
    head = numbers[:kept]
    return _pad([*head[:-1], head[-1] + 1])
