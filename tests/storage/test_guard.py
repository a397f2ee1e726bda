"""A process under guard can do nothing but read; each attempt is made by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEGIN = "import rig, os, sys, socket, subprocess, sqlite3, tempfile, shutil\nfrom storage.guard import stand_guard\n"
EFFECTS = {
    "a connection": "socket.create_connection(('127.0.0.1', 9))",
    "a socket": "socket.socket().bind(('127.0.0.1', 0))",
    "a name looked up": "socket.getaddrinfo('localhost', 80)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a fork": "os.fork()",
    "a program in our place": "os.execv('/bin/true', ['true'])",
    "a file written": "open('made', 'w')",
    "a file appended to": "open('there', 'a')",
    "a file opened for both": "open('there', 'r+')",
    "a file made by its descriptor": "os.open('made', os.O_CREAT | os.O_WRONLY)",
    "a file cut": "os.truncate('there', 0)",
    "a file removed": "os.unlink('there')",
    "a file renamed": "os.rename('there', 'made')",
    "a link": "os.symlink('there', 'made')",
    "a folder": "os.mkdir('made')",
    "a temporary file": "tempfile.mkstemp(dir='.')",
    "a tree removed": "shutil.rmtree('folder')",
    "a mode changed": "os.chmod('there', 0o777)",
    "a database": "sqlite3.connect('made')",
    "a library": "import ctypes; ctypes.CDLL(None)",
    "a signal": "os.kill(os.getpid(), 0)",
    "a handler": "import handlers.deploy",
    "an adapter": "import rig.clients.http",
}
if hasattr(sys, "remote_exec"):  # since Python 3.14
    EFFECTS["code in another process"] = "sys.remote_exec(os.getppid(), 'there')"


def guarded(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{BEGIN}stand_guard()\n{code}\n"
    return subprocess.run(
        [sys.executable, "-c", start], cwd=folder, capture_output=True, text=True, check=False, env={"PATH": "/bin"}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "there").write_text("kept")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_is_refused(folder: Path, name: str) -> None:
    done = guarded(folder, EFFECTS[name])
    assert done.returncode == 1
    assert "storage.guard.Forbidden" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["folder", "there"]
    assert (folder / "there").read_text() == "kept"


def test_reading_computing_and_printing_are_not(folder: Path) -> None:
    code = (
        "import hashlib, json\n"
        "db = sqlite3.connect(':memory:')\n"
        "db.execute('CREATE TABLE t(x)')\n"
        "print(open('there').read(), hashlib.sha256(b'').hexdigest()[:4], db.execute('SELECT 1').fetchone())\n"
    )
    assert guarded(folder, code).stdout == "kept e3b0 (1,)\n"
