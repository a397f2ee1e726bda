"""What stands on stdout and stderr, in each format, on a terminal and off it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml

from rig.cli.output import Output
from rig.cli.progress import StreamProgress, progress_for
from rig.cli.query import check_query
from rig.cli.text import printable
from rig.contract.settings import OutputFormat
from rig.kernel.errors import RigError
from tests.unit.printed import Row, err, out, output, plain_environment  # noqa: F401 - the last is for every test

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202eevil"


def lines(printed: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(printed).splitlines()]


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
