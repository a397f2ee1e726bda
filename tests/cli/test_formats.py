"""The formats and global options, through whole command lines."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml

from rig.contract.settings import SETTINGS
from tests.cli.runner import Shell

LIST = ("settings", "list")


@pytest.mark.parametrize(
    "argv",
    [
        ("settings", "list", "-o", "json"),
        ("settings", "-o", "json", "list"),
        ("-o", "json", "settings", "list"),
        ("--json", "settings", "list"),
        ("settings", "list", "--json"),
        ("--output=json", "settings", "list"),
        ("-ojson", "settings", "list"),
    ],
)
def test_global_options_stand_before_and_after_verb_and_noun(fresh: Shell, argv: tuple[str, ...]) -> None:
    assert fresh(*argv).document["kind"] == "settings"


def test_every_format_tells_the_same(fresh: Shell) -> None:
    fresh.do("settings", "set", "network", "demo")
    fresh.do("settings", "get", "network")
    listed = ("audit", "--type", "settings.*")
    entries = fresh(*listed, "-o", "json").document["data"]["entries"]
    assert len(entries) == 2
    assert yaml.safe_load(fresh(*listed, "-o", "yaml").stdout)["data"]["entries"] == entries
    streamed = [json.loads(line) for line in fresh(*listed, "-o", "jsonl").stdout.splitlines()]
    assert [line["type"] for line in streamed] == ["version", "item", "item", "result"]
    assert [line["data"] for line in streamed[1:-1]] == streamed[-1]["data"]["entries"] == entries
    rows = list(csv.DictReader(io.StringIO(fresh(*listed, "-o", "csv").stdout)))
    plain = [{name: json.dumps(value) for name, value in entry.items()} for entry in entries]
    assert rows == [{name: text.removeprefix('"').removesuffix('"') for name, text in row.items()} for row in plain]
    assert all(entry["action"] in fresh(*listed).stdout for entry in entries)


@pytest.mark.parametrize(
    ("argv", "begins"),
    [
        (("audit", "--actor", "user:nobody"), "source,pos,observed_pos,id,at"),
        (("audit", "stats", "--actor", "user:nobody", "--by", "day,actor"), "day,actor,count"),
        (("context", "list"), "name,url"),
    ],
    ids=str,
)
def test_an_empty_list_has_its_header(fresh: Shell, argv: tuple[str, ...], begins: str) -> None:
    """So that a program that reads columns by name finds them."""
    header, *rows = fresh(*argv, "-o", "csv").stdout.splitlines()
    assert header.startswith(begins)
    assert rows == []


def test_the_format_comes_from_flag_environment_and_settings_in_this_order(fresh: Shell) -> None:
    fresh.do("settings", "set", "output", "yaml")
    assert fresh(*LIST).stdout.startswith("schema: rig/1")
    assert fresh(*LIST, RIG_OUTPUT="jsonl").stdout.startswith('{"type":"version"')
    assert fresh(*LIST, "--json", RIG_OUTPUT="jsonl").document["kind"] == "settings"
    failed = fresh("settings", "get", "nonsense")
    assert yaml.safe_load(failed.stdout)["error"]["code"] == "usage"


def test_where_a_setting_comes_from_is_said_beside_its_value(fresh: Shell) -> None:
    asked = fresh("settings", "get", "network", "--origin", RIG_NETWORK="shop")
    assert (asked.stdout, asked.stderr) == ("shop\n", "From environment RIG_NETWORK.\n")
    fresh.do("settings", "set", "network", "demo")
    assert "settings.toml:1.\n" in fresh("settings", "get", "network", "--origin").stderr
    assert fresh("settings", "get", "output", "--origin").stderr == "From default.\n"


def test_a_format_that_is_none_in_the_environment_is_said_so(fresh: Shell) -> None:
    result = fresh(*LIST, RIG_OUTPUT="xml")
    assert result.code == 78
    assert "RIG_OUTPUT: `output` cannot be `xml`." in result.stderr


@pytest.mark.parametrize(
    ("argv", "stdout"),
    [
        (("settings", "get", "output", "-q", "value"), "table\n"),
        (("settings", "list", "-q", "settings[?key=='color'].value | [0]"), "auto\n"),
        (("-q", "length(settings)", "settings", "list"), f"{len(SETTINGS)}\n"),
    ],
)
def test_a_query(fresh: Shell, argv: tuple[str, ...], stdout: str) -> None:
    assert fresh(*argv).stdout == stdout


def test_a_query_of_a_document_stands_in_it(fresh: Shell) -> None:
    result = fresh("-q", "length(settings)", "settings", "list", "-o", "yaml")
    assert yaml.safe_load(result.stdout)["data"] == len(SETTINGS)


def test_a_bad_query_is_told_before_anything_is_done(fresh: Shell) -> None:
    result = fresh("settings", "set", "network", "demo", "-q", "a..b", "-o", "json")
    assert (result.code, result.document["error"]["code"]) == (64, "usage")
    assert fresh("settings", "get", "network").stdout == "\n"


@pytest.mark.parametrize("output_format", ["json", "yaml", "jsonl"])
@pytest.mark.parametrize("argv", [("depoly",), ("create",), ("settings", "get"), ("settings", "get", "nonsense")])
def test_every_failure_is_answered_in_the_format_that_was_asked_for(
    fresh: Shell, argv: tuple[str, ...], output_format: str
) -> None:
    result = fresh(*argv, "-o", output_format)
    assert result.code == 64
    text = result.stdout.splitlines()[-1] if output_format == "jsonl" else result.stdout
    assert yaml.safe_load(text)["error"]["exit"] == 64
    assert result.stderr == ""


def test_warnings_go_to_people_and_into_the_document(fresh: Shell) -> None:
    result = fresh("settings", "set", "network", "demo", "-o", "json", RIG_NETWORK="shop")
    assert "RIG_NETWORK has the last word" in result.document["warnings"][0]
    assert "RIG_NETWORK has the last word" in result.stderr
    overridden = fresh("settings", "set", "network", "demo", "--quiet", RIG_NETWORK="shop")
    assert (overridden.stdout, overridden.stderr) == ("network is changed in the file.\n", "")


def test_colour_is_a_setting_and_never_a_surprise(fresh: Shell) -> None:
    assert "\x1b" not in fresh(*LIST).stdout
    fresh.do("settings", "set", "color", "always")
    assert "\x1b" in fresh(*LIST).stdout
    assert "\x1b" not in fresh(*LIST, "--no-color").stdout
    assert "\x1b" not in fresh(*LIST, NO_COLOR="1").stdout
    assert "\x1b" not in fresh(*LIST, "-o", "json").stdout


def test_another_settings_file(fresh: Shell) -> None:
    other = fresh.folder / "other.toml"
    missing = fresh("settings", "get", "network", f"--config={other}", "-o", "json")
    assert (missing.code, missing.document["error"]["code"]) == (66, "not_found")
    assert "no settings file" in missing.document["error"]["message"]
    fresh.do("--config", str(other), "settings", "set", "network", "demo")
    assert other.read_text() == 'network = "demo"\n'
    assert fresh("settings", "get", "network").stdout == "\n"
    assert fresh("settings", "get", "network", f"--config={other}").stdout == "demo\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("deploy", "--help"),
        ("help", "deploy"),
        ("--help", "deploy"),
        ("-o", "json", "deploy", "-h"),
        ("deploy", ".", "--help"),
    ],
)
def test_help_of_a_verb(fresh: Shell, argv: tuple[str, ...]) -> None:
    result = fresh.process("-v", *argv) if argv[0] == "deploy" else fresh.process(*argv)
    assert (result.code, result.stderr) == (0, "")
    assert "Usage: rig deploy [FOLDER] [OPTIONS]" in result.stdout
    assert "--allow-secret" in result.stdout
    assert "Everywhere" in result.stdout
    assert not fresh.home.exists(), "help leaves nothing"


@pytest.mark.parametrize("argv", [("create", "--help"), ("help", "create")])
def test_help_of_a_verb_with_nouns(fresh: Shell, argv: tuple[str, ...]) -> None:
    result = fresh.process(*argv)
    assert result.stdout.startswith("Usage: rig create {network|app|")
    assert "Make a network." in result.stdout


@pytest.mark.parametrize("argv", [("-v", "--help"), ("--no-color", "-h")])
def test_help_of_everything(fresh: Shell, argv: tuple[str, ...]) -> None:
    assert fresh(*argv).stdout == fresh.process("--help").stdout


def test_nouns_may_be_singular_or_plural(platform: Shell) -> None:
    assert platform("list", "app").stdout == platform("list", "apps").stdout
    assert platform("details", "networks", "demo").stdout == platform("details", "network", "demo").stdout
