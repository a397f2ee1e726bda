"""Whether a command printed what a page says, apart from what differs between two runs of the same command."""

from __future__ import annotations

import re

_VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{12,}\b|(?<=  )[0-9a-f]{8}(?=  )"), "HASH"),
    (re.compile(r"(?<=:)\d{4,5}\b"), "PORT"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min)\b"), "DURATION"),
    (re.compile(r"\b\d+(\.\d+)? (B|KiB|MiB)\b"), "SIZE"),
    (re.compile(r'(?<=process) +\d+$|(?<="pid": )\d+', re.MULTILINE), " PID"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
]


def normalised(text: str) -> str:
    """``text`` with a word in the place of each time, id, hash, port and the like, and with single spaces."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


def matches(printed: str, expected: str) -> bool:
    """Whether ``printed`` is what a page expects."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in normalised(expected).splitlines()
    )
    return re.fullmatch(pattern, normalised(printed)) is not None
