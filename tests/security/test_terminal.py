"""Text that others chose, on its way to a terminal."""

from __future__ import annotations

import io
import json

import pytest
import yaml

from rig.cli.output import Output
from rig.contract.releases import BuildLog, LogLine
from rig.contract.settings import OutputFormat
from rig.kernel.errors import RigError

HOSTILE = "a\x1b]0;title\x07\x1b[2J\x9b2J\x7f\u202egnp.exe\u2066\r\x00é😀\U000e0041"
SAFE_TO_SHOW = {"\n", "\t"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def unsafe(text: str) -> list[str]:
    return [c for c in text if not c.isprintable() and c not in SAFE_TO_SHOW]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "yaml", "csv"])
def test_no_reply_moves_the_cursor(form: OutputFormat) -> None:
    stdout, stderr = Terminal(), Terminal()
    out = Output(form, color=False, stdout=stdout, stderr=stderr)
    reply = BuildLog(app=HOSTILE, version=1, lines=[LogLine(seq=1, at="", text=HOSTILE)])
    if form == "table":
        out.line(HOSTILE)
        out.pairs([("name", HOSTILE)])
        out.table(("NAME",), [(HOSTILE,)])
    else:
        out.reply("build-log", reply, [HOSTILE], reply.lines)
    assert "title" in stdout.getvalue()
    assert unsafe(stdout.getvalue()) == []


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "yaml", "csv"])
def test_no_failure_moves_the_cursor(form: OutputFormat) -> None:
    stdout, stderr = Terminal(), Terminal()
    out = Output(form, color=False, stdout=stdout, stderr=stderr)
    error = RigError("failed", HOSTILE, HOSTILE, output=[HOSTILE], key=HOSTILE)
    error.warnings.append(HOSTILE)
    out.failure("build-log", error)
    assert "title" in stderr.getvalue()
    assert unsafe(stdout.getvalue() + stderr.getvalue()) == []


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_a_program_reads_is_what_was_said(form: OutputFormat) -> None:
    stdout = io.StringIO()
    Output(form, stdout=stdout).reply("build-log", BuildLog(app=HOSTILE, version=1), [], None)
    document = json.loads(stdout.getvalue()) if form == "json" else yaml.safe_load(stdout.getvalue())
    assert document["data"]["app"] == HOSTILE


@pytest.mark.parametrize("output", [5, "text", {"a": 1}, [1, None, ["x"]], None])
def test_details_of_another_shape_are_no_reason_to_fail(output: object) -> None:
    stderr = io.StringIO()
    Output("table", stderr=stderr).failure("app", RigError("failed", "It failed.", output=output))
    assert "It failed." in stderr.getvalue()
