"""A checkout of one's own: a copy of this one with a `.venv` in which `rig` is the copy, and a shell to use it from."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import entry_points
from pathlib import Path

from tests.docs.markdown import ROOT, Block, edited
from tests.docs.transcript import matches

NAME = "ana"
"""The user whose machine the docs show."""
HOST = "laptop"
NOT_INHERITED = ("RIG_", "PYTHON", "COVERAGE_", "PYTEST_", "CI", "COLUMNS", "XDG_")
TIMEOUT = 1800
"""Seconds; reached only by a test that fails."""


class Checkout:
    """Does what a page says, in order. What one block sets (folder, variables) the next one finds."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "rig"
        self.home = folder / "home"
        self._state = folder / "state.sh"
        _copy(self.root)
        _compile(self.root)
        self.home.mkdir()
        bin_folder = _make_venv(self.root)
        path = os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]])
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)} | {
            "PATH": path,
            "HOME": str(self.home),
            "USER": NAME,
            "LOGNAME": NAME,
            "RIG_HOME": str(self.home / "rig-home"),
            "PYTHONUNBUFFERED": "1",  # what goes to stdout and to stderr arrives in the order in which it was printed
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }
        self._state.write_text(f"cd {shlex.quote(str(self.root))}\n")

    def follow(self, block: Block, expected: str | None) -> None:
        """Do what one block says; fail where it ends or prints otherwise than ``expected``."""
        if block.language == "diff":
            self.edit(block.path, block.text)
        elif block.path:
            self.write(block.path, block.text)
        elif block.runs:
            status, printed = self.run(block.text)
            assert status == block.exit, f"line {block.line} ended with {status}:\n{printed}"
            if expected is not None:
                assert matches(printed, expected), f"line {block.line} printed:\n{printed}\nand not:\n{expected}"

    def run(self, script: str) -> tuple[int, str]:
        """Run a script as a user would paste it; gives its exit code and all that it printed."""
        keep = f'trap \'{{ export -p; printf "cd %q\\n" "$PWD"; }} > {shlex.quote(str(self._state))}\' EXIT'
        done = subprocess.run(
            ["bash", "-c", f". {shlex.quote(str(self._state))}\n{keep}\nset -aeo pipefail\n{script}"],
            cwd=self.root,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
        text = done.stdout.decode(errors="replace").replace(str(self.home), f"/home/{NAME}")
        return done.returncode, text.replace(f" {socket.gethostname()}\n", f" {HOST}\n")

    def write(self, path: str, text: str) -> None:
        """Make a file, from where the shell is."""
        target = self._here() / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def edit(self, path: str, diff: str) -> None:
        """Change a file as a diff block says."""
        target = self._here() / path
        target.write_text(edited(target.read_text(), diff))

    def close(self) -> None:
        """End the node of this checkout, if one was started."""
        status, printed = self.run("rig node stop")
        assert status == 0, printed

    def _here(self) -> Path:
        status, printed = self.run('printf "\\n%s" "$PWD"')
        assert status == 0, printed
        return Path(printed.rpartition("\n")[2].replace(f"/home/{NAME}", str(self.home)))


def _copy(target: Path) -> None:
    """Copy what git has and would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())


def _compile(checkout: Path) -> None:
    """Compile what runs, once: the commands of the pages write no bytecode, and each would compile it all anew."""
    rooms = [str(checkout / room) for room in ("rig", "events", "handlers", "storage")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *rooms], check=True)


def _make_venv(checkout: Path) -> Path:
    """A `.venv` that finds ``checkout`` first, then what is installed here, and that make takes for complete.

    Gives its folder of programs.
    """
    folder = checkout / ".venv"
    venv.create(folder, symlinks=True)
    here = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars=here))
    (site / "checkout.pth").write_text(
        f"{checkout}\n{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n"
    )
    programs = Path(sysconfig.get_path("scripts", scheme="venv", vars=here))
    for name in ("rig", "mypy", "lint-imports"):
        (entry,) = entry_points(group="console_scripts", name=name)
        program = programs / name
        program.write_text(
            f"#!{programs / 'python'}\nimport sys, {entry.module}\nsys.exit({entry.module}.{entry.attr}())\n"
        )
        program.chmod(0o755)
    ruff = shutil.which("ruff", path=sysconfig.get_path("scripts"))
    assert ruff is not None
    (programs / "ruff").symlink_to(ruff)
    for stamp in (".node", ".dev"):
        (folder / stamp).touch()
    return programs
