"""Reading the pages of the docs: their fenced blocks, their links, their headings.

What a block means is written where GitHub does not show it, in the words behind its language, or just above it:

* ``sh`` is run. ``sh elsewhere`` is not: it needs another machine. ``sh exit=1`` has to end so.
* ``output`` behind a block that is run is what it printed. ``…`` stands for any text; on a line of its own, for any
  lines.
* A block below a line that only names a file, as `` `app.py`: ``, is that file.
* ``diff`` below such a line changes that file.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)[ ]?(.*)$")
_FILE = re.compile(r"^(?:In )?`([^`]+)`:$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


class Block(msgspec.Struct, frozen=True):
    """One fenced block. ``path`` is the file that the line above it names."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int
    path: str = ""

    @property
    def runs(self) -> bool:
        return self.language == "sh" and "elsewhere" not in self.words

    @property
    def exit(self) -> int:
        """The exit code that it has to end with."""
        return next((int(word.removeprefix("exit=")) for word in self.words if word.startswith("exit=")), 0)


def pages() -> list[Path]:
    """Every page of the project, the examples' own excepted."""
    top = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    docs = (path for path in (ROOT / "docs").rglob("*.md") if "examples" not in path.parts)
    return [*top, *sorted(docs)]


def name_of(page: Path) -> str:
    """``docs/tutorial.md``."""
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order. Raises `ValueError` for one that does not end."""
    found: list[Block] = []
    opened: tuple[re.Match[str], int, str] | None = None
    body: list[str] = []
    above = ""
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            fence = _FENCE.match(line)
            if fence:
                named = _FILE.match(above)
                opened, body = (fence, number, named.group(1) if named else ""), []
            elif line.strip():
                above = line
        elif line == "```":
            fence, begin, path = opened
            content = "".join(row + "\n" for row in body)
            found.append(Block(fence.group(1), tuple(fence.group(2).split()), content, begin, path))
            opened, above = None, ""
        else:
            body.append(line)
    if opened is not None:
        raise ValueError(f"the block of line {opened[1]} does not end")
    return found


def links(text: str) -> list[str]:
    """The targets of a page's links, outside of code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCED.sub("", text)))


def anchors(text: str) -> set[str]:
    """What `#…` may name in a page, as GitHub makes it of the headings."""
    headings = _HEADING.findall(_FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def edited(text: str, diff: str) -> str:
    """``text`` with a diff block applied: lines that begin with a space stand in it, ``-`` goes, ``+`` comes.

    Raises `ValueError` unless the place is found exactly once.
    """
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in {" ", "-"})
    new = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in {" ", "+"})
    if not old or text.count(old) != 1:
        raise ValueError(f"this place is there {text.count(old) if old else 0} times, not once:\n{old}")
    return text.replace(old, new)
