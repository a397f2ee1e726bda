"""Every verb, its success and its typical errors, for people and for machines: stdout, stderr and exit code, whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from rig.cli.verb import DIFFERENCES
from rig.contract.schemas import envelope_schema, replies
from tests.cli.cases import FRESH, OTHER, PLATFORM
from tests.cli.runner import HOST, PASSING, Result, Shell, comparable
from tests.quality.test_verbs import ALL

Script = tuple[tuple[str, ...], ...]


def lines(text: str) -> Script:
    return tuple(tuple(line.split()) for line in text.splitlines() if line.strip())


FORMATS = ("table", "json")
BUG = 70


def run(shell: Shell, before: str, line: str, after: str, output_format: str) -> Result:
    for argv in lines(before):
        shell(*argv)
    result = shell(*line.split(), *(["--json"] if output_format == "json" else []))
    assert result.code != BUG, result.stderr
    for argv in lines(after):
        shell.do(*argv)
    return result


def check_document(result: Result) -> None:
    """One JSON document, on success and on failure, as its kind's schema describes it."""
    document = result.document
    assert (document["error"] is None) == (result.code in {0, DIFFERENCES})
    if document["error"]:
        assert document["error"]["exit"] == result.code
        assert document["data"] is None
    kinds = replies()
    kind = document["kind"] or "app"
    schema = envelope_schema(kind, kinds[kind])
    # Where the command line cannot be understood there is no kind; everything else about the document holds.
    Draft202012Validator(schema).validate({**document, "kind": kind})


def shown(result: Result, shell: Shell, network: str = OTHER) -> str:
    replaced = {str(shell.home): "<home>", str(shell.folder): "<folder>", HOST: "<host>", network: OTHER}
    out, err = comparable(result.stdout, replaced), comparable(PASSING.sub("", result.stderr), replaced)
    return f"exit {result.code}\n--- stdout\n{out}--- stderr\n{err}"


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("case", PLATFORM)
def test_on_a_platform(platform: Shell, snapshot: SnapshotAssertion, case: str, output_format: str) -> None:
    # Numbers of releases go on counting when an app is made anew, so each case makes its own.
    network = f"{OTHER}-{list(PLATFORM).index(case)}-{output_format}"
    before, line, after = (re.sub(rf"\b{OTHER}\b", network, text) for text in PLATFORM[case])
    result = run(platform, before, line, after, output_format)
    if output_format == "json":
        check_document(result)
    assert shown(result, platform, network) == snapshot


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("case", FRESH)
def test_on_a_fresh_machine(fresh: Shell, snapshot: SnapshotAssertion, case: str, output_format: str) -> None:
    result = run(fresh, *FRESH[case], output_format)
    if output_format == "json" and case != "a format that is none":
        check_document(result)
    assert shown(result, fresh) == snapshot


def test_every_verb_has_a_snapshot() -> None:
    told = [line for _, line, _ in [*PLATFORM.values(), *FRESH.values()]]
    missing = [name for name in ALL if not any(line.startswith(name) for line in told)]
    assert missing == []


def test_every_verb_has_a_snapshot_of_a_failure() -> None:
    kept = (Path(__file__).parent / "__snapshots__" / "test_snapshots.ambr").read_text()
    exits = dict(re.findall(r"^# name: test_\w+\[(.*)-table\]\n  '''\n  exit (\d+)", kept, re.MULTILINE))
    cases = {**PLATFORM, **FRESH}
    failing = [cases[case][1] for case, code in exits.items() if int(code) not in {0, DIFFERENCES}]
    assert [name for name in ALL if not any(line.startswith(name) for line in failing)] == []
