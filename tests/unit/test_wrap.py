"""Prose on a terminal: broken between words, and nothing in it that would have to be typed again."""

from __future__ import annotations

import io
import os
import pty

import pytest

from rig.cli.output import Output
from rig.cli.wrap import terminal_width, wrapped
from rig.kernel.errors import RigError


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("nothing to do", 0, "nothing to do"),
        ("nothing to do", 13, "nothing to do"),
        ("nothing to do", 12, "nothing to\ndo"),
        ("one\ntwo three", 5, "one\ntwo\nthree"),
        ("  key: some words here", 12, "  key: some\n  words here"),
        ("type `rig login URL` now", 16, "type\n`rig login URL`\nnow"),
        ("see http://a.very.long.address/ there", 10, "see http://a.very.long.address/ there"),
        ("see http://a.very.long.address/ from there", 10, "see http://a.very.long.address/ from\nthere"),
        ("日本語 日本語", 8, "日本語\n日本語"),
        ("a  b", 3, "a\nb"),
        ("", 3, ""),
    ],
)
def test_a_line_is_broken_between_words(text: str, width: int, shown: str) -> None:
    assert wrapped(text, width) == shown


def test_the_lines_that_follow_hang() -> None:
    assert wrapped("state  it runs well", 12, hang=7) == "state  it\n       runs\n       well"
    assert wrapped("state  it-runs-very-well", 12, hang=7) == "state  it-runs-very-well"


def test_width_is_that_of_the_terminal_behind_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal:
        _resize(theirs, 33)
        assert terminal_width(terminal) == 33
        monkeypatch.setenv("COLUMNS", "44")
        assert terminal_width(terminal) == 44


def test_what_is_said_fits_the_terminal_and_what_is_printed_for_others_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Screen()
    out = Output(stdout=terminal, stderr=terminal)
    out.line("It is served at once, and well.")
    out.verbatim("a log line of an app that is long")
    out.output("a line of a build that is long")
    out.warn("The login was forgotten here.")
    out.pairs([("folder", "in the home of somebody")])
    out.failure("app", RigError("not_found", "There is no app of that name.", "See `rig list apps --all` for it."))
    assert terminal.getvalue().splitlines() == [
        "It is served at once,",
        "and well.",
        "a log line of an app that is long",
        "  a line of a build that is long",
        "warning: The login was",
        "forgotten here.",
        "folder  in the home of",
        "        somebody",
        "error: There is no app",
        "of that name.",
        "",
        "hint: See",
        "`rig list apps --all`",
        "for it.",
    ]


def _resize(descriptor: int, columns: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
