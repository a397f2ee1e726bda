"""rig as a process: exit codes, broken pipes, full disks, encodings, signals, plug-ins, and folders that stand in the
way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.runner import RIG, Result, Shell
from tests.faults.terminal import OnTerminal
from tests.support import TIMEOUT, wait_until

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def test_version_and_exit_codes(fresh: Shell) -> None:
    version = fresh.process("--version")
    assert (version.code, version.stdout.split()[0], version.stderr) == (0, "rig", "")
    assert fresh.process("settings", "list").code == 0
    assert fresh.process("settings", "get", "nonsense").code == 64
    assert fresh.process("schema", "nonsense").code == 66
    assert fresh.process("whoami").code == 4


def test_the_console_script_is_the_module(fresh: Shell) -> None:
    script = Path(sys.executable).with_name("rig")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, env=fresh.environ)
    assert done.stdout == fresh.process("--version").stdout


def test_a_reader_that_goes_away_is_no_error(fresh: Shell) -> None:
    for argv in (("settings", "list", "-o", "json"), ("schema", "-o", "yaml"), ("deploy", "--help")):
        process = fresh.start(*argv)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(timeout=TIMEOUT) == 0


@needs_full
@pytest.mark.parametrize("argv", [("settings", "list"), ("schema", "-o", "json"), ("schema", "-o", "jsonl")])
def test_a_full_disk_behind_stdout_is_a_failure(fresh: Shell, argv: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        result = fresh.process(*argv, stdout=full)
    assert result.code == 1
    assert result.stderr == "error: The output could not be written: No space left on device.\n"


LOCALES = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: " ".join(locale.values()))
def test_what_is_no_terminal_gets_utf_8_whatever_the_locale(fresh: Shell, locale: dict[str, str]) -> None:
    name = "naïve – 日本"
    fresh.process("audit", "--text", name)  # which puts it on the record
    fresh.environ |= locale | {"COLUMNS": "72", "RIG_NETWORK": "n" * 60}
    result = fresh.process("settings", "list")
    assert (result.code, "…" in result.stdout) == (0, True)
    fresh.environ.pop("RIG_NETWORK")
    export = fresh.process("journal", "export")
    assert (export.code, name in export.stdout) == (0, True)
    (fresh.folder / "export.jsonl").write_bytes(export.stdout.encode())
    verified = fresh.process("journal", "verify", "export.jsonl", "-o", "json")
    assert json.loads(verified.stdout)["data"]["verdict"] == "verified"


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes on Unix alone")
def test_arguments_are_utf_8_or_refused(fresh: Shell) -> None:
    def choose(name: bytes, **environ: str) -> Result:
        done = subprocess.run(
            [*RIG, "-o", "json", "settings", "set", "context", name],
            env=fresh.environ | environ,
            cwd=fresh.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    refused = choose(b"de\xffmo").document["error"]
    assert (refused["exit"], refused["message"]) == (64, "`de\\xffmo` is no text in UTF-8.")
    other = choose("é".encode(), **LOCALES[-1]).document["error"]
    assert (other["code"], "`é`" in other["message"]) == ("not_found", True), "it is read as what it is"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: " ".join(locale.values()))
def test_a_terminal_that_lacks_a_character_shows_its_number(fresh: Shell, locale: dict[str, str]) -> None:
    environ = {**fresh.environ, **locale, "COLUMNS": "72", "RIG_NETWORK": "n" * 60}
    with OnTerminal("settings", "list", env=environ) as running:
        code, _ = running.wait()
    assert (code, "\\u2026" in running.text) == (0, True), running.text


def test_sigterm_ends_a_command_with_143_on_the_record(fresh: Shell) -> None:
    """A login that waits for a token on stdin is sure to be there when the signal comes."""
    process = fresh.start("login", "http://127.0.0.1:1", "--token-stdin", "-o", "json", stdin=subprocess.PIPE)
    wait_until(lambda: '"unknown"' in fresh("audit", "-o", "json").stdout, "the login has begun")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 143
    assert json.loads(out)["error"]["code"] == "terminated"
    entry = fresh("audit", "--type", "account.login", "-o", "json").document["data"]["entries"][0]
    assert (entry["outcome"], entry["code"]) == ("unknown", "terminated")


def test_ctrl_c_ends_a_command_with_130(fresh: Shell) -> None:
    process = fresh.start("login", "http://127.0.0.1:1", "--token-stdin", stdin=subprocess.PIPE)
    wait_until(lambda: '"unknown"' in fresh("audit", "-o", "json").stdout, "the login has begun")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert err == "error: Interrupted.\n"


def test_ctrl_c_is_how_one_leaves_what_has_no_end(fresh: Shell) -> None:
    fresh.process("settings", "list")
    process = fresh.start("audit", "tail", "--all")
    assert process.stdout is not None
    assert "OUTCOME" in process.stdout.readline()
    assert "settings.list" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (130, "")


def test_a_journal_that_cannot_be_kept_stops_changes_and_lets_queries_through(fresh: Shell) -> None:
    (fresh.home / "journal.sqlite").mkdir(parents=True)
    listed = fresh("settings", "list", "-o", "json")
    assert listed.code == 0
    assert "could not be written to the journal" in listed.document["warnings"][0]
    changed = fresh("settings", "set", "network", "demo", "-o", "json")
    assert (changed.code, changed.document["error"]["code"]) == (75, "journal_unavailable")
    assert fresh("settings", "get", "network").stdout == "\n"
    assert fresh("audit").code == 75


@pytest.mark.parametrize("name", ["events", "handlers", "storage", "rig"])
def test_a_folder_of_the_users_own_shadows_nothing(fresh: Shell, name: str) -> None:
    package = fresh.folder / "project" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('the wrong package')")
    fresh.folder = package.parent
    if name != "rig":  # `python -m rig` would run it, as Python's own rules have it; the command does not
        fresh.environ["PYTHONPATH"] = "."
        assert fresh.process("audit").code == 0
    script = Path(sys.executable).with_name("rig")
    environ = {name: value for name, value in fresh.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([script, "audit"], capture_output=True, cwd=fresh.folder, env=environ, check=False)
    assert done.returncode == 0, done.stderr


PLUGIN = '''
from typing import Annotated, ClassVar

from rig.cli.verb import Verb
from rig.contract.base import Command, Reply, arg


class Greeting(Reply, frozen=True, kw_only=True):
    text: str


class Greet(Command, frozen=True, kw_only=True, tag="greet"):
    """Greet somebody."""

    kind: ClassVar[str] = "greeting"
    reply: ClassVar[type[Reply]] = Greeting
    handler: ClassVar[str] = "greet_plugin"
    name: Annotated[str, arg("Whom.", metavar="NAME")]


def handle(command, context):
    return Greeting(text=f"Hello, {command.name}!")


VERBS = {"": Verb(command=Greet, render=lambda reply, out: out.line(reply.text))}
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A distribution with a verb of its own, and one that would take one of ours."""
    folder = tmp_path / "site"
    info = folder / "greet_plugin-1.dist-info"
    info.mkdir(parents=True)
    (folder / "greet_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greet-plugin\nVersion: 1\n")
    entries = """
        [rig.handlers]
        greet = greet_plugin
        audit = no_such_module
        broken = no_such_module
    """
    (info / "entry_points.txt").write_text(textwrap.dedent(entries))
    return folder


def test_another_package_brings_a_verb(fresh: Shell, plugin: Path) -> None:
    fresh.environ["PYTHONPATH"] = str(plugin)
    assert fresh.process("greet", "Ana").stdout == "Hello, Ana!\n"
    document = fresh.process("greet", "Ana", "-o", "json").document
    assert (document["kind"], document["data"]) == ("greeting", {"text": "Hello, Ana!"})
    assert "Greet somebody." in fresh.process("greet", "--help").stdout
    entries = fresh("audit", "--all", "-o", "json").document["data"]["entries"]
    assert [entry["action"] for entry in entries] == ["greet"] * 2


def test_our_own_verbs_cannot_be_taken(fresh: Shell, plugin: Path) -> None:
    fresh.environ["PYTHONPATH"] = str(plugin)
    assert fresh.process("audit", "-o", "json").document["kind"] == "audit"


def test_a_plugin_that_cannot_be_loaded_is_said_so(fresh: Shell, plugin: Path) -> None:
    fresh.environ["PYTHONPATH"] = str(plugin)
    result = fresh.process("broken", "-o", "json")
    assert result.code == 78
    assert "greet-plugin" in result.document["error"]["message"]
    assert "no_such_module" in result.document["error"]["message"]


def test_eight_processes_at_once_lose_nothing(platform: Shell) -> None:
    """Each makes a network with an app, changes a setting of its own and reads the record, all at the same time."""
    before = platform("journal", "info", "-o", "json").document["data"]["size"]
    keys = ["network", "output", "color", "keychain"]
    values = ["demo", "table", "never", "off"]
    line = (
        "set -e; {rig} create network {net}; {rig} create app {net}/web; {rig} settings set {key} {value}; {rig} audit"
    )
    processes = [
        subprocess.Popen(
            ["/bin/sh", "-c", line.format(rig=" ".join(RIG), net=f"net{n}", key=keys[n % 4], value=values[n % 4])],
            env=platform.environ,
            cwd=platform.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    ended = [(process.communicate(timeout=600)[1], process.returncode) for process in processes]
    try:
        assert [code for _, code in ended] == [0] * 8, ended
        networks = platform("list", "networks", "-o", "json").document["data"]["networks"]
        assert [row["name"] for row in networks if row["apps"] == 1] == [f"net{n}" for n in range(8)]
        assert [platform("settings", "get", key).stdout.strip() for key in keys] == values
        assert platform("context", "list", "-o", "json").document["data"]["contexts"][0]["current"]
        verified = platform("journal", "verify", "-o", "json").document["data"]
        assert verified["verdict"] == "verified"
        # Two changes of three records each, one of two, and a query of one; and the queries before and since.
        assert verified["size"] == before + 1 + 8 * (2 * 3 + 2 + 1) + 1 + len(keys) + 1
        entries = platform("audit", "--limit", "1000", "-o", "json").document["data"]["entries"]
        created = sorted(e["target"] for e in entries if e["action"] == "app.create" and e["target"].startswith("net"))
        assert created == [f"net{n}/web" for n in range(8)]
        assert not [entry for entry in entries if entry["outcome"] == "unknown" and entry["target"].startswith("net")]
    finally:
        for n in range(8):
            platform("delete", "app", f"net{n}/web", "--yes")
            platform("delete", "network", f"net{n}", "--yes")
        for key in keys:
            platform("settings", "set", key)
