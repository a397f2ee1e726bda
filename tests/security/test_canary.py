"""A secret, set in every way there is, is nowhere but in the environment of its app's processes."""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.rig import User, web_app
from tests.faults.terminal import OnTerminal
from tests.support import contents

LOUD = "import os\nprint('found', os.environ['BY_STDIN'])\n"
"""A release command that tells what it should not."""
NOISY = """\
import os, sys
value = os.environ["BY_STDIN"]
for stream in sys.stdout, sys.stderr:
    stream.write("half " + value[:9])
    stream.flush()
    stream.write(value[9:] + ", whole " + value + "\\n" + os.environ.get("PEM", ""))
    stream.flush()
import main
"""
"""A web process that prints what it should not, in one piece and in two, and what has several lines."""
CRASHING = "web: python -c \"import os; print('crashed with', os.environ['BY_FILE']); raise SystemExit(1)\"\n"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")


@pytest.fixture
def canaries() -> dict[str, str]:
    ways = ("BY_STDIN", "BY_FILE", "BY_HAND", "INHERITED", "IN_LINES", "GONE")
    return {name: f"canary-{secrets.token_hex(16)}" for name in ways}


def typed(user: User, value: str, *arguments: str) -> str:
    """Run rig on a terminal of its own and type a value; gives all that the terminal showed."""
    with OnTerminal(*arguments, env=user.environ) as running:
        running.wait_for("Value of")
        running.type(f"{value}\n")
        code, _ = running.wait()
        assert code == 0, running.text
        return running.text


def processes() -> Iterator[tuple[int, bytes, bytes]]:
    """Number, command line and environment of every process that we may look at."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue


def forms(value: str) -> list[bytes]:
    return [value.encode(), base64.b64encode(value.encode()).rstrip(b"="), value.encode().hex().encode()]


def test_a_secret_is_nowhere_but_in_its_process(fresh: User, canaries: dict[str, str], tmp_path: Path) -> None:
    user, shown = fresh, []
    user.start_node()
    user.deploy(web_app(tmp_path / "app"), "demo/shop")
    given = tmp_path / "value"
    given.write_text(canaries["BY_FILE"])

    def rig(*arguments: str, stdin: str = "", exit_code: int = 0) -> None:
        ran = user.rig(*arguments, stdin=stdin)
        assert ran.exit == exit_code, ran.stderr
        shown.append(ran.stdout + ran.stderr)

    rig("create", "secret", "demo/shop", "BY_STDIN", "-o", "json", "-v", stdin=canaries["BY_STDIN"] + "\n")
    rig("create", "secret", "demo/shop", "BY_FILE", "--from-file", str(given))
    given.unlink()
    shown.append(typed(user, canaries["BY_HAND"], "create", "secret", "demo/shop", "BY_HAND"))
    rig("create", "secret", "--network", "demo", "INHERITED", "-o", "jsonl", stdin=canaries["INHERITED"])
    rig("create", "secret", "demo/shop", "PEM", "--stage", stdin=f"--BEGIN--\n{canaries['IN_LINES']}\n--END--\n")
    rig("create", "secret", "demo/shop", "GONE", "--stage", stdin=canaries["GONE"])
    rig("create", "secret", "demo/absent", "GONE", "-v", stdin=canaries["GONE"], exit_code=66)
    rig("create", "secret", "demo/shop", "PORT", "-v", stdin=canaries["GONE"], exit_code=65)
    rig("delete", "secret", "demo/shop", "GONE", "--stage")
    procfile = "release: python check.py\nweb: python noisy.py\n"
    web_app(tmp_path / "app", "two", Procfile=procfile, check__py=LOUD, noisy__py=NOISY)
    rig("deploy", str(tmp_path / "app"), "--app", "demo/shop", "-o", "json")
    rig("logs", "build", "demo/shop")
    assert "found [secret BY_STDIN]" in shown[-1]
    rig("rollback", "demo/shop", "-o", "json")
    web_app(tmp_path / "crash", "three", Procfile=CRASHING)
    rig("deploy", str(tmp_path / "crash"), "--app", "demo/shop", "-o", "json", exit_code=1)
    assert "crashed with [secret BY_FILE]" in shown[-1]
    given.write_text(f'network = "demo"\n[apps.shop.secrets]\nBY_STDIN = "{canaries["BY_STDIN"]}"\n')
    rig("config", "apply", str(given), "-v", "-o", "json", exit_code=78)
    given.write_text(f"DB_PASSWORD={canaries['BY_FILE']}\nDB=postgres://me:{canaries['GONE']}@db/x\n")
    rig("config", "import", str(given), "--network", "demo", "-o", "json")
    given.unlink()
    rig("config", "export", "demo", "--file", str(tmp_path / "max.toml"))
    rig("config", "apply", str(tmp_path / "max.toml"))
    for command in (
        ("config", "export", "demo"),
        ("config", "diff", str(tmp_path / "max.toml"), "--show-values"),
        ("config", "history", "demo", "--show-values"),
        ("list", "secrets", "demo/shop", "--origin"),
        ("list", "secrets", "--network", "demo"),
        ("list", "vars", "demo/shop", "--origin"),
        ("history", "demo/shop"),
        ("details", "app", "demo/shop"),
        ("status", "app", "demo/shop"),
        ("logs", "build", "demo/shop"),
        ("audit",),
        ("journal", "info"),
    ):
        rig(*command)
        rig(*command, "-o", "json")

    kept = set()
    for name, value in canaries.items():
        assert not [text for text in shown if value in text], name
        for pid, line, environ in processes():
            assert value.encode() not in line
            if value.encode() in environ:
                assert b"PORT=" in environ, f"{name} is in the environment of process {pid}: {line!r}"
                kept.add(name)
        for path, content in (*contents(user.home), *contents(tmp_path)):
            assert not [form for form in forms(value) if form in content], f"{name} stands in {path}"
    printed = b"".join(content for path, content in contents(user.home) if path.suffix == ".seg")
    for line in (b"half [secret BY_STDIN], whole [secret BY_STDIN]", b"[secret PEM]"):
        assert printed.count(line) >= 2, "on both outputs"
    # The rollback took IN_LINES away again.
    assert kept == {"BY_STDIN", "BY_FILE", "BY_HAND", "INHERITED"}, "the processes of the app have them"
