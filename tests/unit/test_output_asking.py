"""Progress, and questions: what is shown and asked on a terminal, and off it."""

from __future__ import annotations

import pytest

from rig.cli.ask import Terminal
from rig.cli.progress import PlainProgress, TerminalProgress, progress_for
from rig.kernel.errors import RigError
from tests.unit.printed import Screen, err, out, output, plain_environment  # noqa: F401 - the last is for every test


def test_progress_is_a_bar_on_a_terminal_and_plain_lines_elsewhere() -> None:
    assert isinstance(progress_for(output(terminal=True)), TerminalProgress)
    assert type(progress_for(output(terminal=True, quiet=True))) is PlainProgress
    printed = output()
    progress = progress_for(printed)
    assert type(progress) is PlainProgress
    progress.step("Sending 3 files")
    progress.advance(1, 3)
    progress.line("compiling")
    assert err(printed) == "Sending 3 files\n  compiling\n"


def test_output_that_was_shown_is_not_shown_again_by_the_failure() -> None:
    seen, unseen, quiet = output(), output(), output(quiet=True)
    failed = RigError("build_failed", "It failed.", output=["-----> Installing", "no such thing" + "!" * 200])
    for printed in (seen, quiet):
        progress_for(printed).line("-----> Installing")
        progress_for(printed).line("no such thing" + "!" * 300)
    progress_for(unseen).line("-----> Installing")
    for printed in (seen, unseen, quiet):
        printed.failure("deployment", failed)
    assert "  | " not in err(seen)
    assert err(unseen).count("-----> Installing") == 2
    assert "  | -----> Installing\n  | no such thing!" in err(quiet)


def test_a_bar_is_wiped_when_its_step_ends() -> None:
    printed = output(terminal=True)
    progress = TerminalProgress(printed)
    progress.step("Sending 3 files")
    progress.advance(1, 3)
    assert "\x1b[?25l" in err(printed)  # the cursor is hidden …
    progress.close()
    assert err(printed).rindex("\x1b[?25h") > err(printed).rindex("\x1b[?25l")  # … and comes back
    assert out(printed) == ""


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Screen:
    typed = Screen()
    monkeypatch.setattr("sys.stdin", typed)
    return typed


@pytest.mark.parametrize(
    ("answer", "default", "agreed"),
    [
        ("y\n", False, True),
        ("YES\n", False, True),
        ("n\n", True, False),
        ("\n", True, True),
        ("\n", False, False),
        ("", False, False),
    ],
)
def test_a_question_on_a_terminal(keyboard: Screen, answer: str, default: bool, agreed: bool) -> None:
    keyboard.write(answer)
    keyboard.seek(0)
    printed = output(terminal=True, color=False)
    assert Terminal(printed, may_ask=True).agree("Go on?", default=default) is agreed
    after = "" if answer else "\n"  # whoever ends the input leaves the cursor behind the question
    assert err(printed) == ("Go on? [Y/n] " if default else "Go on? [y/N] ") + after


def test_a_no_is_a_cancellation(keyboard: Screen) -> None:
    with pytest.raises(RigError) as caught:
        Terminal(output(terminal=True), may_ask=True).confirm("Delete it?", flag="--yes")
    assert (caught.value.code, caught.value.exit) == ("cancelled", 130)


@pytest.mark.parametrize("typed", ["y\n", "\n", "shop2\n", ""])
def test_where_a_word_is_asked_for_a_yes_is_not_enough(keyboard: Screen, typed: str) -> None:
    keyboard.write(typed)
    keyboard.seek(0)
    with pytest.raises(RigError) as caught:
        Terminal(output(terminal=True), may_ask=True).confirm("Delete it?", flag="--yes", word="shop")
    assert caught.value.code == "cancelled"


def test_a_word_that_was_asked_for_is_a_yes(keyboard: Screen) -> None:
    keyboard.write("shop\n")
    keyboard.seek(0)
    printed = output(terminal=True, color=False)
    Terminal(printed, may_ask=True).confirm("Delete it?", flag="--yes", word="shop")
    assert err(printed) == "Delete it? Type `shop` to go on: "


@pytest.mark.parametrize("why", ["--no-input", "CI", "pipe"])
def test_nothing_is_asked_where_nobody_can_answer_and_the_error_names_the_option(
    keyboard: Screen, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "CI":
        monkeypatch.setenv("CI", "true")
    printed = output(terminal=why != "pipe")
    terminal = Terminal(printed, may_ask=why != "--no-input")
    assert not terminal.interactive
    assert not terminal.agree("Go on?", default=True)
    with pytest.raises(RigError) as caught:
        terminal.confirm("Delete it?", flag="--yes")
    assert (caught.value.code, caught.value.exit) == ("input_required", 64)
    assert "--yes" in caught.value.hint
    assert (out(printed), err(printed)) == ("", "")
