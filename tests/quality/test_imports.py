"""What starts fast imports little: the start-up budget, held by what is imported and not by a clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "asyncio",
    "asyncssh",
    "importlib.metadata",
    "keyring",
    "platformdirs",
    "psutil",
    "pydantic",
    "rich",
    "sqlite_utils",
    "subprocess",
    "typer",
    "typing_extensions",
    "websockets",
    "yaml",
    "zstandard",
}
NETWORK = {"http.client", "ssl", "urllib.request"}
SPY = """
import json, os, sys
before = set(sys.modules)
from rig.__main__ import main
sys.argv = ["rig", *sys.argv[1:]]
with open(os.devnull, "w") as sink:
    out, sys.stdout = sys.stdout, sink
    code = main()
    sys.stdout = out
print(json.dumps([code, sorted(set(sys.modules) - before)]))
"""
"""Runs a command line and prints its exit code and the modules that it brought in."""
GARBAGE = """
import gc, os, sys
searches = []
gc.callbacks.append(lambda phase, _: searches.append(phase))
from rig.__main__ import main
sys.argv = ["rig", *sys.argv[1:]]
with open(os.devnull, "w") as sink:
    out, sys.stdout = sys.stdout, sink
    main()
    sys.stdout = out
print(searches.count("start"), gc.get_freeze_count() > 10_000)
"""
"""Runs a command line and prints how often garbage was looked for, and whether the end of the process looks at what
modules have left."""


def imported(home: Path, *argv: str, **environ: str) -> tuple[int, set[str]]:
    env = {"PATH": os.environ["PATH"], "RIG_HOME": str(home), **environ}
    done = subprocess.run(
        [sys.executable, "-c", SPY, *argv], env=env, capture_output=True, text=True, check=True, cwd=home
    )
    code, modules = json.loads(done.stdout)
    return code, set(modules)


@pytest.mark.parametrize("argv", [["--version"], ["-V"], ["--help"], ["-h"], ["help"], []])
def test_the_front_door_imports_nothing_but_itself(tmp_path: Path, argv: list[str]) -> None:
    code, modules = imported(tmp_path, *argv)
    assert code == 0
    assert modules == {"rig", "rig.__main__", "rig.help", "rig.verbs", "events", "handlers", "storage"}
    assert list(tmp_path.iterdir()) == [], "it does nothing"


LOCAL = [
    ["settings", "list", "-o", "json"],
    ["settings", "get", "output"],
    ["audit", "-o", "json"],
    ["audit"],
    ["context", "list", "-o", "csv"],
    ["journal", "info"],
    ["node", "status", "-o", "jsonl"],
]


@pytest.mark.parametrize("argv", LOCAL, ids=" ".join)
def test_a_local_command_imports_no_heavy_package_and_no_network(tmp_path: Path, argv: list[str]) -> None:
    code, modules = imported(tmp_path, *argv)
    assert code == 0
    assert modules & (HEAVY | NETWORK) == set()


def test_a_command_with_one_request_imports_no_heavy_package(tmp_path: Path) -> None:
    # Port 1 on loopback: nobody listens, and the command has come as far as its request.
    code, modules = imported(tmp_path, "list", "apps", "-o", "json", RIG_URL="http://127.0.0.1:1", RIG_TOKEN="t")
    assert code == 69
    assert "http.client" in modules
    assert modules & HEAVY == set()


def test_our_own_verbs_are_found_without_looking_for_plugins(tmp_path: Path) -> None:
    _, modules = imported(tmp_path, "settings", "list")
    assert "rig.cli.plugins" not in modules
    _, modules = imported(tmp_path, "no-such-verb")
    assert "rig.cli.plugins" in modules


def test_what_modules_leave_is_hardly_searched_for_garbage(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "RIG_HOME": str(tmp_path)}
    argv = [sys.executable, "-c", GARBAGE, "settings", "list", "-o", "json"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    searches, frozen = done.stdout.split()
    assert int(searches) < 10
    assert frozen == "True"
