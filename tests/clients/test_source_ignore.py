"""Ignore files against git itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rig.clients.source.ignore import PatternList

pytestmark = pytest.mark.usefixtures("plain_git")

ATOMS = [
    "a",
    "b",
    "ab",
    "*",
    "**",
    "?",
    "/",
    "/",
    ".",
    "[ab]",
    "[!a]",
    "[a-c]",
    "\\a",
    "\\*",
    "[[:alpha:]]",
    " ",
    "\\ ",
]
PATHS = sorted(
    {
        *("a", "b", "ab", "c", ".a", "a.b", "*", " ", "a ", "a b", "[", "\\"),
        *(f"{x}/{y}" for x in ("a", "b", "ab", "d", ".a") for y in ("a", "b", "ab", "c", ".a", "a.b", "a ")),
        *(f"{x}/{y}/{z}" for x in ("a", "b", "d") for y in ("a", "ab", "e") for z in ("a", "b", "ab", "a.b")),
    }
)

patterns = st.builds(
    lambda bang, atoms, slash: bang + "".join(atoms) + slash,
    st.sampled_from(["", "", "", "!"]),
    st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6),
    st.sampled_from(["", "", "/"]),
)


def git_says(folder: Path, text: str, paths: list[str]) -> set[str]:
    """The paths that git finds excluded by this very text, as files."""
    (folder / ".gitignore").write_text(text)
    asked = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "-z", "-v", "--non-matching", "--no-index", "--stdin"],
        input="\0".join(paths).encode() + b"\0",
        capture_output=True,
        check=False,
    )
    fields = asked.stdout.decode().split("\0")
    rows = zip(fields[2::4], fields[3::4], strict=True)
    return {path for pattern, path in rows if pattern and not pattern.startswith("!")}


def rig_says(text: str, paths: list[str]) -> set[str]:
    """The same, by the rule that nothing below an excluded folder is looked at."""
    rules = PatternList(text.encode())
    excluded = set()
    for path in paths:
        parts = path.split("/")
        for n in range(1, len(parts) + 1):
            part = "/".join(parts[:n])
            if rules.verdict(part.encode(), parts[n - 1].encode(), n < len(parts)):
                excluded.add(path)
                break
    return excluded


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def corrected(repository: Path) -> bool:
    """Whether this git is of 2.52 or later, to which two stars behind a name are two plain stars."""
    return git_says(repository, "a**/b\n", ["ab"]) == set()


@pytest.mark.needs("git")
@given(st.lists(patterns, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_pattern_means_what_it_means_to_git(repository: Path, corrected: bool, lines: list[str]) -> None:
    assume(corrected or not any(re.match(r"!?[^*?[\\]*[^*?[\\/!]\*\*", line) for line in lines))
    text = "\n".join(lines) + "\n"
    paths = [path for path in PATHS if not path.endswith("\\")]
    assert rig_says(text, paths) == git_says(repository, text, paths)


@pytest.mark.needs("git")
@pytest.mark.parametrize(
    "text",
    [
        "# comment\n\\#a\n\\!b\n",
        "\ufeffa\n",
        "a\r\nb/\r\n",
        "a   \nb\\ \n",
        "**/a\n",
        "a/**\n",
        "a/**/b\n",
        "**\n!a\n",
        "/*\n!/a\n/a/*\n!/a/b\n",
        "a/\n!a/b\n",
        "[a\n[]a]\n[^b]/a\n[b-]\n[[:foo:]]\n",
        "a\\\n",
        "/\n//\n!\n",
        "*.b\n!a.b\n",
        "d/*/a\n",
    ],
)
def test_what_the_manual_leaves_open_is_as_git_does_it(repository: Path, text: str) -> None:
    assert rig_says(text, PATHS) == git_says(repository, text, PATHS)


def test_two_stars_behind_a_name_are_two_plain_stars() -> None:
    assert rig_says("a**/b\n", ["ab", "a/b", "ab/b", "a/a/b"]) == {"a/b", "ab/b"}


def test_names_need_not_be_text() -> None:
    rules = PatternList(b"\xff*\n")
    assert rules.verdict(b"\xffa", b"\xffa", False) is True
    assert rules.verdict(b"\xfe", b"\xfe", False) is None
