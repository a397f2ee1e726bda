"""The languages that this machine has: which Pythons, which Node."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import msgspec

from rig.kernel.errors import RigError
from rig.node.builder.semver import Version, parse_version

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
"""PATH of every build and app, behind what the build adds."""

_PROBE_SECONDS = 20
_PYTHON_PROBE = """
import importlib.util, json, platform, sys
pip = ""
if importlib.util.find_spec("pip"):
    import importlib.metadata
    try: pip = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps({"version": platform.python_version(), "prefix": sys.base_prefix, "pip": pip}))
"""


class Python(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter. ``program`` is the base one, never that of a virtual environment."""

    program: Path
    version: str
    prefix: Path
    pip: str = ""
    """Version of the pip that it has, empty for none."""

    @property
    def number(self) -> Version:
        return parse_version(re.sub(r"^(\d+\.\d+\.\d+).*", r"\1", self.version)) or (0, 0, 0)

    @property
    def can_install(self) -> bool:
        """Whether its pip can fill another environment (``pip --python``, since pip 22.3)."""
        match = re.match(r"(\d+)\.(\d+)", self.pip)
        return match is not None and (int(match[1]), int(match[2])) >= (22, 3)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A Node with its npm."""

    program: Path
    npm: Path
    version: str
    prefix: Path


async def base_python() -> Python:
    """The Python that the node itself stands on."""
    folder = Path(sys.base_prefix) / "bin"
    names = (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3")
    program = next((folder / name for name in names if (folder / name).exists()), _real(sys.executable))
    python = await _probe(program)
    if python is None:
        raise RigError("missing_program", f"The Python at {program} does not run.", "Reinstall it, then rig.")
    return python


async def find_python(wanted: str) -> tuple[Python | None, list[str]]:
    """The newest Python whose version begins with ``wanted`` (``3.12``, ``3.12.1``), and all versions that were found.

    A patch release that is not here is stood in for by another of its minor release.
    """
    pythons: dict[str, Python] = {}
    for program in _candidates():
        python = await _probe(program)
        if python is not None and python.number >= (3, 8, 0):
            pythons.setdefault(python.version, python)
    newest_first = sorted(pythons.values(), key=lambda python: python.number, reverse=True)
    minor = ".".join(wanted.split(".")[:2])
    exact = next((python for python in newest_first if python.version == wanted), None)
    near = next((python for python in newest_first if python.version.startswith(minor + ".")), None)
    return exact or near, [python.version for python in newest_first]


async def find_node(path: str | None = None) -> Node:
    """The Node on the node's PATH. Raises `RigError` ``missing_program``."""
    program, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if program is None or npm is None:
        missing = "node" if program is None else "npm"
        raise RigError(
            "missing_program",
            f"`{missing}` is not on the PATH of the Max node, and the app is built with it.",
            "Install Node.js with npm on the node's machine, then start the node again.",
        )
    real = _real(program)
    output = await _run(real, "--version")
    version = parse_version(output or "")
    if version is None:
        raise RigError(
            "missing_program", f"`{program} --version` does not answer with a version.", "Reinstall Node.js."
        )
    return Node(program=Path(program), npm=Path(npm), version=".".join(map(str, version)), prefix=real.parent.parent)


def _candidates() -> list[Path]:
    """Programs that may be Pythons: on PATH, of pyenv, of uv. A pyenv shim is a script that asks pyenv: left out."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    found: list[Path] = [Path(sys.base_prefix) / "bin" / "python3"]
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *SYSTEM_PATH):
        if folder and Path(folder) != pyenv / "shims":
            found += sorted(path for path in Path(folder).glob("python3*") if re.match(r"^python3(\.\d+)?$", path.name))
    found += sorted(pyenv.glob("versions/3.*/bin/python3"))
    found += sorted(uv.glob("cpython-3.*/bin/python3"))
    unique = {os.path.realpath(path): path for path in found if path.exists()}
    return [Path(real) for real in unique]


def _real(program: str) -> Path:
    """Where the program lies behind its links, so that its prefix can be told from its place."""
    return Path(os.path.realpath(program))


_probed: dict[tuple[str, int], Python | None] = {}


def _modified(program: Path) -> int:
    try:
        return program.stat().st_mtime_ns
    except OSError:
        return 0


async def _probe(program: Path) -> Python | None:
    """What the interpreter says of itself; None where it does not run. Asked once for each program."""
    key = (str(program), _modified(program))
    if key not in _probed:
        output = await _run(program, "-I", "-c", _PYTHON_PROBE)
        try:
            said = msgspec.json.decode(output or "", type=dict[str, str])
            _probed[key] = Python(
                program=program,
                version=said["version"],
                prefix=Path(said["prefix"]),
                pip=said["pip"],
            )
        except (msgspec.MsgspecError, KeyError):
            _probed[key] = None
    return _probed[key]


async def _run(program: Path, *arguments: str) -> str | None:
    """The output of a program of the machine's own; None where it fails.

    Not by way of the driver: these are the operator's programs, asked before there is anything foreign to run.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": ":".join(SYSTEM_PATH), "HOME": "/nonexistent", "LANG": "C.UTF-8"},
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _PROBE_SECONDS)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:  # too slow, or nobody waits for it any more
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace") if process.returncode == 0 else None
