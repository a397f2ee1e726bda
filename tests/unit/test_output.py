"""What stands on stdout and stderr, in each format, on a terminal and off it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
import pytest
import yaml

from rig.cli.ask import Terminal
from rig.cli.globals import OutputFormat
from rig.cli.output import Output
from rig.cli.progress import PlainProgress, StreamProgress, TerminalProgress, progress_for
from rig.cli.query import check_query
from rig.cli.text import printable
from rig.kernel.errors import RigError

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202eevil"


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Row(msgspec.Struct):
    name: str
    note: str = ""
    count: int = 0
    tags: list[str] = []


def output(output_format: OutputFormat = "table", *, terminal: bool = False, **options: Any) -> Output:
    stream = Screen if terminal else io.StringIO
    return Output(output_format, stdout=stream(), stderr=stream(), **options)


def out(printed: Output) -> str:
    assert isinstance(printed.stdout, io.StringIO)
    return printed.stdout.getvalue()


def err(printed: Output) -> str:
    assert isinstance(printed.stderr, io.StringIO)
    return printed.stderr.getvalue()


def lines(printed: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(printed).splitlines()]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM", "CI", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


# -- machines --------------------------------------------------------------------------------------------------------


def test_json_is_one_document() -> None:
    printed = output("json")
    printed.reply("row", Row("é"), ["Mind the gap."], None)
    assert json.loads(out(printed)) == {
        "schema": "rig/1",
        "kind": "row",
        "data": {"name": "é", "note": "", "count": 0, "tags": []},
        "error": None,
        "warnings": ["Mind the gap."],
    }


def test_yaml_holds_the_same_as_json() -> None:
    as_json, as_yaml = output("json"), output("yaml")
    for printed in (as_json, as_yaml):
        printed.reply("row", Row("é", note="yes"), [], None)
    assert yaml.safe_load(out(as_yaml)) == json.loads(out(as_json))


def test_json_lines_begin_with_the_version_and_end_with_the_result() -> None:
    printed = output("jsonl")
    printed.reply("rows", Row("all"), [], [Row("a"), Row("b")])
    assert [line["type"] for line in lines(printed)] == ["version", "item", "item", "result"]
    assert lines(printed)[0] == {"type": "version", "schema": "rig/1"}
    assert [line["data"]["name"] for line in lines(printed)[1:]] == ["a", "b", "all"]


def test_the_version_comes_once_whatever_else_is_streamed() -> None:
    printed = output("jsonl")
    progress = progress_for(printed)
    assert isinstance(progress, StreamProgress)
    progress.step("Building")
    progress.line("hello")
    progress.warn("Mind the gap.")
    progress.advance(5, 5)
    printed.reply("row", Row("a"), [], None)
    kinds = [line["type"] for line in lines(printed)]
    assert kinds == ["version", "step", "line", "warning", "progress", "result"]
    assert err(printed) == ""


def test_csv_has_a_header_and_a_line_for_each_row() -> None:
    printed = output("csv")
    printed.reply("rows", None, [], [Row("a", "x,y", 1, ["t"]), Row("b", 'say "hi"\nthere')])
    assert list(csv.reader(io.StringIO(out(printed)))) == [
        ["name", "note", "count", "tags"],
        ["a", "x,y", "1", '["t"]'],
        ["b", 'say "hi"\nthere', "0", "[]"],
    ]


@pytest.mark.parametrize("cell", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_text_is_never_a_formula(cell: str) -> None:
    printed = output("csv")
    printed.reply("rows", None, [], [Row("a", cell, -1)])
    row = next(iter(csv.DictReader(io.StringIO(out(printed), newline=""))))
    assert row["note"] == "'" + cell
    assert row["count"] == "-1"


def test_csv_of_a_query_and_of_nothing() -> None:
    for query, data, expected in (
        ("tags", Row("a", tags=["x", "y"]), "value\nx\ny\n"),
        ("name", Row("a"), "value\na\n"),
        ("tags", Row("a"), ""),
    ):
        printed = output("csv", query=query)
        printed.reply("row", data, [], None)
        assert out(printed) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("name", "demo"), ("count", "3"), ("tags[0]", "x"), ("nope", "null"), ("tags", '[\n  "x"\n]')],
)
def test_a_query_prints_a_bare_text_as_it_is_and_anything_else_as_json(query: str, expected: str) -> None:
    printed = output(query=query)
    printed.value(Row("demo", count=3, tags=["x"]))
    assert out(printed) == expected + "\n"


def test_a_query_narrows_the_data_of_a_document() -> None:
    printed = output("json", query="[name, count]")
    printed.reply("row", Row("demo", count=3), [], None)
    assert json.loads(out(printed))["data"] == ["demo", 3]


@pytest.mark.parametrize("query", ["a[", "a..b", "nope(@)", ""])
def test_a_query_that_is_none_is_refused_before_anything_is_done(query: str) -> None:
    with pytest.raises(RigError, match="--query") as caught:
        check_query(query)
    assert caught.value.exit == 64
    assert "jmespath.org" in caught.value.hint


# -- failures --------------------------------------------------------------------------------------------------------


def failure() -> RigError:
    error = RigError("build_failed", "The build failed.", "Mend it.", output=["line one"])
    error.warnings = ["Mind the gap."]
    return error


@pytest.mark.parametrize("output_format", ["json", "yaml"])
def test_a_failure_is_a_document_too(output_format: OutputFormat) -> None:
    printed = output(output_format)
    printed.failure("deployment", failure())
    document = yaml.safe_load(out(printed))
    assert document["error"] == {
        "code": "build_failed",
        "message": "The build failed.",
        "hint": "Mend it.",
        "retryable": False,
        "exit": 1,
        "details": {"output": ["line one"]},
    }
    assert (document["kind"], document["data"], document["warnings"]) == ("deployment", None, ["Mind the gap."])


def test_a_failure_of_a_stream_is_its_result() -> None:
    printed = output("jsonl")
    printed.failure("deployment", failure())
    assert [line["type"] for line in lines(printed)] == ["version", "result"]
    assert lines(printed)[1]["error"]["code"] == "build_failed"


@pytest.mark.parametrize("output_format", ["table", "csv"])
def test_people_read_what_happened_and_what_mends_it_on_stderr(output_format: OutputFormat) -> None:
    printed = output(output_format)
    printed.failure("deployment", failure())
    assert out(printed) == ""
    assert err(printed) == "warning: Mind the gap.\n  | line one\nerror: The build failed.\n\nhint: Mend it.\n"


def test_a_person_sees_a_failure_even_if_a_machine_gets_it() -> None:
    printed = output("json", terminal=True)
    printed.failure("deployment", failure())
    assert "error: The build failed." in err(printed)


# -- people ----------------------------------------------------------------------------------------------------------


def test_nothing_from_elsewhere_reaches_the_terminal_unescaped() -> None:
    printed = output(terminal=True)
    printed.line(HOSTILE)
    printed.note(HOSTILE)
    printed.warn(HOSTILE)
    printed.hint(HOSTILE)
    printed.pairs([("name", HOSTILE)])
    printed.table(("NAME", "NOTE"), [(HOSTILE, HOSTILE)])
    printed.failure("", RigError("failed", HOSTILE, HOSTILE, output=[HOSTILE]))
    for text in (out(printed), err(printed)):
        assert "\\x1b]0;owned\\x07" in text
        # What is left of escape sequences is our own colour: ESC [ digits m.
        rest = text.replace("\x1b[0m", "")
        for code in ("1", "2", "1;31", "1;33", "1;36"):
            rest = rest.replace(f"\x1b[{code}m", "")
        assert not set(rest) & {"\x1b", "\x07", "\x9b", "\r", "\u202e"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é …", "plain é …"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\x00\x7f", "a\\x0db\\x00\\x7f"),
        ("\u202e\u200b", "\\x202e\\x200b"),
        ("\udcff", "\\xdcff"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_table_fits_the_width_and_cuts_what_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "NOTE", "URL"), [("demo/hello", "x" * 100, "https://" + "y" * 60)])
    widest = max(len(line) for line in out(printed).splitlines())
    assert widest <= 80
    assert "…" in out(printed)
    assert "demo/hello" in out(printed)


def test_a_name_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = output(terminal=True, color=False)
    name = "network-" + "n" * 50
    printed.table(("NAME", "NOTE"), [(name, "a long note")])
    assert out(printed).splitlines() == [f"NAME  {name}", "NOTE  a long note"]


def test_the_last_column_goes_on_below_before_others_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "WHEN", "NOTE"), [("shop", "2026-11-01", "a note of more than twenty columns")])
    assert out(printed).splitlines()[1:] == [
        "shop  2026-11-01  a note of more than",
        "                  twenty columns",
    ]
    monkeypatch.setenv("COLUMNS", "72")
    printed = output(terminal=True, color=False)
    printed.table(("NAME", "WHEN", "NOTE"), [("shop", "w" * 72, "a note of more than twenty columns")])
    assert out(printed).splitlines()[1] == "shop  " + "w" * 49 + "…  a note of more"


def test_a_time_is_not_cut_while_a_name_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    printed = output(terminal=True, color=False)
    moments = ("2026-11-01 12:00:00Z", "2026-11-01 12:00:01Z")
    rows = [(n, at, "w" * (19 - n), "x" * 14) for n, at in enumerate(moments)]
    printed.table(("#", "WHEN", "WHAT", "FROM"), rows)
    assert all(at in out(printed) for at in moments)
    printed = output(terminal=True, color=False)
    printed.table(("#", "WHEN", "WHAT", "FROM"), [(n, at, "w" * (41 - n), "x" * 14) for n, at in enumerate(moments)])
    assert all(at in out(printed) for at in moments)
    assert "www…" in out(printed)


def test_on_a_slim_terminal_a_row_that_does_not_fit_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    url = "http://hello.demo.localhost:27480/a-long-way"
    printed = output(terminal=True, color=False)
    printed.table(("APP", "NOTE", "URL"), [("demo/hello", "more words than one line can take", url), ("x", "", "y")])
    assert out(printed).splitlines() == [
        "APP   demo/hello",
        "NOTE  more words than one line can take",
        f"URL   {url}",
        "",
        "APP   x",
        "URL   y",
    ]
    printed = output(terminal=True, color=False)
    printed.table(("APP", "URL"), [("demo/hello", "short")])
    assert out(printed).splitlines() == ["APP         URL", "demo/hello  short"]


def test_so_is_one_whose_columns_do_not_fit_however_much_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = output(terminal=True, color=False)
    printed.table(tuple("ABCDEFGHIJKL"), [tuple("x" * 10 for _ in range(12))])
    assert out(printed).splitlines() == [f"{name}  {'x' * 10}" for name in "ABCDEFGHIJKL"]


def test_columns_stand_below_each_other_whatever_their_letters() -> None:
    printed = output()
    printed.table(("NAME", "NOTE"), [("東京", "a"), ("e\u0301te", "b"), ("plain", "c")])
    assert out(printed) == "NAME   NOTE\n東京   a\ne\u0301te    b\nplain  c\n"


def test_a_pipe_gets_every_value_whole() -> None:
    printed = output()
    printed.table(("NAME", "NOTE"), [("demo", "x" * 500)])
    assert "x" * 500 in out(printed)
    assert out(printed).splitlines()[0] == "NAME  NOTE"


def test_an_empty_table_says_so_on_stderr() -> None:
    printed = output()
    printed.table(("NAME",), [], empty="None yet.")
    assert (out(printed), err(printed)) == ("", "None yet.\n")


@pytest.mark.parametrize(
    ("terminal", "environment", "told", "colored"),
    [
        (True, {}, None, True),
        (False, {}, None, False),
        (True, {"NO_COLOR": "1"}, None, False),
        (True, {"TERM": "dumb"}, None, False),
        (True, {}, False, False),
        (False, {}, True, True),
        (True, {"NO_COLOR": "1"}, True, False),
    ],
)
def test_colour(
    terminal: bool, environment: dict[str, str], told: bool | None, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    printed = output(terminal=terminal, color=told)
    printed.failure("", RigError("failed", "It went wrong."))
    printed.table(("NAME",), [("demo",)])
    assert ("\x1b[" in err(printed), "\x1b[" in out(printed)) == (colored, colored)


def test_json_has_no_colour_even_on_a_terminal() -> None:
    printed = output("json", terminal=True, color=True)
    printed.reply("row", Row("a"), [], None)
    assert "\x1b" not in out(printed)


def test_hints_are_for_whoever_reads_along() -> None:
    for terminal, quiet, said in ((True, False, True), (False, False, False), (True, True, False)):
        printed = output(terminal=terminal, quiet=quiet, color=False)
        printed.hint("Next: rig login")
        assert err(printed) == ("Next: rig login\n" if said else "")


def test_quiet_says_results_and_errors_only() -> None:
    printed = output(quiet=True)
    printed.note("A note.")
    progress_for(printed).step("Building")
    progress_for(printed).line("A line of the build.")
    progress_for(printed).warn("Mind the gap.")
    printed.line("the result")
    printed.failure("", RigError("failed", "It went wrong."))
    assert (out(printed), err(printed)) == ("the result\n", "error: It went wrong.\n")


# -- progress and questions ------------------------------------------------------------------------------------------


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
