"""Ignore files, as git reads them (gitignore(5), and `dir.c` and `wildmatch.c` of git where the page is silent).

Written anew for two reasons. It must agree with git to the letter, which no library does; and importing one costs as
much as listing 10 000 files. Most patterns are plain names or endings, found by one dictionary look-up; regular
expressions are for the rest.

In one case git did not agree with itself: up to 2.51 it took ``a**/b`` for ``a`` and then ``**/b``. Since 2.52 these
are two plain stars, as the manual says; so they are here, whichever git is installed.

Everything is bytes, since names are. Case always matters, so that a tree is listed alike on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_SPECIAL = re.compile(rb"[*?\[\\]")
_NEVER = rb"(?!)"

_CLASSES: dict[bytes, frozenset[int]] = {
    b"alnum": frozenset(b for b in range(128) if chr(b).isalnum()),
    b"alpha": frozenset(b for b in range(128) if chr(b).isalpha()),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset([*range(32), 127]),
    b"digit": frozenset(b"0123456789"),
    b"graph": frozenset(range(33, 127)),
    b"lower": frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    b"print": frozenset(range(32, 127)),
    b"punct": frozenset(b for b in range(33, 127) if not chr(b).isalnum()),
    b"space": frozenset(b" \t\n\v\f\r"),
    b"upper": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
}


class _Rule(NamedTuple):
    order: int
    """The last rule that matches decides."""
    excludes: bool
    directories_only: bool
    regex: re.Pattern[bytes] | None = None


class PatternList:
    """The patterns of one ignore file."""

    def __init__(self, text: bytes) -> None:
        self._names: dict[bytes, list[_Rule]] = {}
        self._endings: dict[bytes, list[_Rule]] = {}
        """Rules of patterns such as ``*.pyc``, by what follows the last dot."""
        self._paths: dict[bytes, list[_Rule]] = {}
        self._name_rules: list[_Rule] = []
        self._path_rules: list[_Rule] = []
        name_regexes: list[bytes] = []
        path_regexes: list[bytes] = []
        for order, line in enumerate(_lines(text)):
            self._add(order, line, name_regexes, path_regexes)
        # One expression for all of them answers "none of these", which is the answer for nearly every file.
        self._any_name = _compile_any(name_regexes)
        self._any_path = _compile_any(path_regexes)
        self.needs_path = bool(self._paths or path_regexes)

    def _add(self, order: int, line: bytes, name_regexes: list[bytes], path_regexes: list[bytes]) -> None:
        excludes = not line.startswith(b"!")
        pattern = line if excludes else line[1:]
        directories_only = pattern.endswith(b"/")
        ends_with = pattern.startswith(b"*") and not _SPECIAL.search(pattern, 1)
        if directories_only:
            pattern = pattern[:-1]
        rule = _Rule(order, excludes, directories_only)
        special = _SPECIAL.search(pattern)
        if b"/" not in pattern:
            ending = pattern.rpartition(b".")
            if not special:
                self._names.setdefault(pattern, []).append(rule)
            elif ends_with and ending[0] == b"*" and ending[2]:
                self._endings.setdefault(ending[2], []).append(rule)
            else:
                body = b".*" + re.escape(pattern[1:]) if ends_with else translate(pattern, crosses=True)
                self._name_rules.append(rule._replace(regex=_compile(body)))
                name_regexes.append(body)
            return
        pattern = pattern.removeprefix(b"/")
        special = _SPECIAL.search(pattern)
        if not special:
            self._paths.setdefault(pattern, []).append(rule)
            return
        body = translate(pattern, crosses=False)
        self._path_rules.append(rule._replace(regex=_compile(body)))
        path_regexes.append(body)

    def verdict(self, path: bytes, name: bytes, is_directory: bool) -> bool | None:
        """Whether the last matching pattern excludes (True) or re-includes (False); None where none matches.

        ``path`` is relative to the folder that holds the ignore file, ``name`` is its last part.
        """
        best: _Rule | None = None
        rules = self._names.get(name)
        if rules:
            best = _later(best, rules, is_directory)
        if self._endings:
            rules = self._endings.get(name.rpartition(b".")[2])
            if rules and b"." in name:
                best = _later(best, rules, is_directory)
        if self._any_name is not None and self._any_name(name):
            best = _later(best, [r for r in self._name_rules if r.regex and r.regex.fullmatch(name)], is_directory)
        if self.needs_path:
            rules = self._paths.get(path)
            if rules:
                best = _later(best, rules, is_directory)
            if self._any_path is not None and self._any_path(path):
                best = _later(best, [r for r in self._path_rules if r.regex and r.regex.fullmatch(path)], is_directory)
        return None if best is None else best.excludes


def _later(best: _Rule | None, rules: list[_Rule], is_directory: bool) -> _Rule | None:
    for rule in rules:
        if (is_directory or not rule.directories_only) and (best is None or rule.order > best.order):
            best = rule
    return best


def _compile(body: bytes) -> re.Pattern[bytes]:
    return re.compile(body, re.DOTALL)


def _compile_any(bodies: list[bytes]) -> Callable[[bytes], object] | None:
    return _compile(b"|".join(b"(?:" + body + b")" for body in bodies)).fullmatch if bodies else None


def _lines(text: bytes) -> list[bytes]:
    """The patterns of an ignore file: no comments, no blank lines, no unquoted spaces at the end."""
    found = []
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if not line or line.startswith(b"#"):
            continue
        pattern = _without_trailing_spaces(line.removesuffix(b"\r").partition(b"\0")[0])
        if pattern:
            found.append(pattern)
    return found


def _without_trailing_spaces(line: bytes) -> bytes:
    end = len(line.rstrip(b" "))
    if end < len(line):
        backslashes = end - len(line[:end].rstrip(b"\\"))
        if backslashes % 2:
            end += 1
    return line[:end]


_STAR, _ANY = b"[^/]*?", b".*?"
"""A star, where it does not match slashes and where it does."""
_FOLDERS, _REST = b"(?:.*?/)??", b"(?:.*)"
"""``**/``, and ``**`` at the end."""


def translate(pattern: bytes, *, crosses: bool) -> bytes:
    """A wildmatch pattern as a regular expression for the whole of a text.

    With ``crosses`` a star matches slashes too (git's flags without WM_PATHNAME), which only a bare name ever sees.
    """
    out: list[bytes] = []
    i, end = 0, len(pattern)
    while i < end:
        c = pattern[i : i + 1]
        if c == b"*":
            start = i
            while pattern[i : i + 1] == b"*":
                i += 1
            rest = pattern[i:]
            if crosses:
                out.append(_ANY)
            elif (
                i - start > 1
                and pattern[max(start - 1, 0) : start] in {b"", b"/"}
                and (not rest or rest.startswith((b"/", b"\\/")))
            ):
                if rest.startswith(b"/"):
                    out.append(_FOLDERS)
                    i += 1
                else:
                    out.append(_REST)
            else:
                out.append(_STAR)
        elif c == b"?":
            out.append(b"." if crosses else b"[^/]")
            i += 1
        elif c == b"[":
            found = _bracket(pattern, i + 1)
            if found is None:
                return _NEVER
            members, i = found
            if not crosses:
                members -= frozenset(b"/")
            out.append(b"[" + b"".join(b"\\x%02x" % b for b in sorted(members)) + b"]" if members else _NEVER)
        elif c == b"\\":
            if i + 1 == end:
                return _NEVER
            out.append(re.escape(pattern[i + 1 : i + 2]))
            i += 2
        else:
            out.append(re.escape(c))
            i += 1
    return _join(out)


def _join(pieces: list[bytes]) -> bytes:
    """One expression that takes no more than a look at each place, however many wildcards there are.

    The first place at which a part fits is as good as any later one, since the wildcard behind it can take what lies in
    between. So each part is an atomic group: once it fits it is not tried elsewhere, as a plain expression would do in
    every combination, for hours. A part reaches from one wildcard to the next of its kind: inside of a folder's name,
    or across folders.
    """
    parts: list[list[bytes]] = [[]]
    for piece in pieces:
        if piece in (_FOLDERS, _REST):
            parts.append([])
        parts[-1].append(piece)
    joined = [_join_names(part) for part in parts]
    return b"".join(b"(?>" + part + b")" for part in joined[:-1]) + joined[-1]


def _join_names(pieces: list[bytes]) -> bytes:
    stretches: list[bytes] = [b""]
    for piece in pieces:
        if piece in (_STAR, _ANY):
            stretches.append(piece)
        else:
            stretches[-1] += piece
    first, inner, last = stretches[0], stretches[1:-1], stretches[1:][-1:]
    return first + b"".join(b"(?>" + each + b")" for each in inner) + b"".join(last)


def _bracket(pattern: bytes, i: int) -> tuple[frozenset[int], int] | None:
    """The bytes that a bracket expression matches and where it ends; None where it never closes or names no class."""
    end = len(pattern)
    negated = pattern[i : i + 1] in {b"!", b"^"}
    if negated:
        i += 1
    members: set[int] = set()
    previous = 0
    first = True
    while first or pattern[i : i + 1] != b"]":
        first = False
        if i >= end:
            return None
        byte = pattern[i]
        if byte == 0x5C:  # backslash
            i += 1
            if i >= end:
                return None
            byte = pattern[i]
            members.add(byte)
        elif byte == 0x2D and previous and i + 1 < end and pattern[i + 1] != 0x5D:  # a range
            i += 1
            if pattern[i] == 0x5C:
                i += 1
                if i >= end:
                    return None
            members.update(range(previous, pattern[i] + 1))
            byte = 0
        elif pattern[i : i + 2] == b"[:":
            close = pattern.find(b"]", i + 2)
            if close < 0:
                return None
            if pattern[close - 1 : close] == b":" and close - 1 >= i + 2:
                named = _CLASSES.get(pattern[i + 2 : close - 1])
                if named is None:
                    return None
                members.update(named)
                i = close
                byte = 0
            else:
                members.add(byte)
        else:
            members.add(byte)
        previous = byte
        i += 1
    allowed = frozenset(range(1, 256)) - members if negated else frozenset(members)
    return allowed, i + 1


class Rules(NamedTuple):
    """What is in force in one folder: for each ignore file its patterns and where its folder's path ends."""

    own: tuple[tuple[int, PatternList], ...] = ()
    """`.rigignore`, deepest folder first."""
    git: tuple[tuple[int, PatternList], ...] = ()
    """`.gitignore`, deepest folder first."""

    def with_git(self, base: int, patterns: PatternList) -> Rules:
        return Rules(self.own, ((base, patterns), *self.git))

    def with_own(self, base: int, patterns: PatternList) -> Rules:
        return Rules(((base, patterns), *self.own), self.git)

    def by_own(self, path: bytes, name: bytes, is_directory: bool) -> bool | None:
        return _decide(self.own, path, name, is_directory)

    def by_git(self, path: bytes, name: bytes, is_directory: bool) -> bool:
        return bool(_decide(self.git, path, name, is_directory))


def _decide(lists: tuple[tuple[int, PatternList], ...], path: bytes, name: bytes, is_directory: bool) -> bool | None:
    for base, patterns in lists:
        verdict = patterns.verdict(path[base:] if patterns.needs_path else name, name, is_directory)
        if verdict is not None:
            return verdict
    return None
