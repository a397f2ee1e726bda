"""Which Python a project gets, of those that a machine has."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from rig.node.builder.model import prefix_mount
from rig.node.builder.toolchain import Python, base_python, find_node, find_python


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pyenv with Pythons that are too new for any real machine, and one that is broken."""
    root = tmp_path / "pyenv"
    for version in ("3.97.1", "3.97.10", "3.98.0", "3.99.0"):
        program = root / "versions" / version / "bin" / "python3"
        program.parent.mkdir(parents=True)
        said = {"version": version, "prefix": str(program.parent.parent), "pip": "99.1"}
        program.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'" if version != "3.99.0" else "#!/bin/sh\nexit 1")
        program.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(root))
    return root


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("3.97", "3.97.10"), ("3.97.1", "3.97.1"), ("3.97.4", "3.97.10"), ("3.9", None), ("3.99", None)],
)
def test_the_newest_that_fits(pyenv: Path, wanted: str, found: str | None) -> None:
    python, versions = asyncio.run(find_python(wanted))
    if found is None:
        assert python is None or python.version.startswith(f"{wanted}."), "of the machine's own"
    else:
        assert python is not None
        assert (python.version, python.prefix) == (found, pyenv / "versions" / found)
        assert python.can_install
    assert versions[:3] == ["3.98.0", "3.97.10", "3.97.1"]
    assert "3.99.0" not in versions


def test_the_nodes_own_python() -> None:
    python = asyncio.run(base_python())
    assert python.version == sys.version.split()[0]
    assert str(python.prefix) == sys.base_prefix


@pytest.mark.parametrize(("pip", "can"), [("", False), ("22.2.2", False), ("22.3", True), ("26.1", True)])
def test_an_old_pip_cannot_fill_another_environment(pip: str, can: bool) -> None:
    assert Python(program=Path("/x"), version="3.12.0", prefix=Path("/x"), pip=pip).can_install is can


def test_a_missing_node_is_named() -> None:
    with pytest.raises(RigError) as caught:
        asyncio.run(find_node(path="/nonexistent"))
    assert caught.value.code == "missing_program"
    assert "`node`" in caught.value.message


def test_a_prefix_is_shown_alone_or_not_at_all() -> None:
    assert prefix_mount(Path("/usr")) == ()
    assert prefix_mount(Path("/opt/python"))[0].inside == "/opt/python"
    with pytest.raises(RigError):
        prefix_mount(Path.home() / ".local")
