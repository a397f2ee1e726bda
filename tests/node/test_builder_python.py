"""Python projects are built for real: which interpreter they get, and what is installed for them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from rig.contract.project import AppConfig
from rig.node.builder.launch import process_commands
from rig.node.builder.toolchain import find_python
from tests.node.building import OFFLINE, App, failure


def test_python_without_dependencies_runs_its_main(app: App) -> None:
    paths = app.paths(files={"main.py": "import sys; print(sys.prefix != sys.base_prefix, sys.argv[0])"})
    built = app.build(paths)
    commands = process_commands(built, AppConfig())
    assert commands == {"web": "python main.py"}
    assert app.run(built, paths, commands["web"]) == ["True main.py"]
    assert built.language == f"Python {sys.version.split()[0]}"


def test_dependencies_are_installed_once_for_each_lock_file(app: App) -> None:
    files = {"main.py": "", "requirements.txt": "# nothing\n"}
    first = app.build(app.paths("one", files), env=OFFLINE)
    assert first.installed
    second = app.build(app.paths("two", {**files, "main.py": "print('changed')"}), env=OFFLINE)
    assert not second.installed
    assert second.layers == first.layers
    assert "-----> Dependencies are unchanged: nothing to install" in app.lines
    third = app.build(app.paths("three", {**files, "requirements.txt": "# changed\n"}), env=OFFLINE)
    assert third.installed
    assert third.layers != first.layers


def test_a_layer_that_could_not_be_filled_is_removed_and_made_again(app: App) -> None:
    files = {"main.py": "", "requirements.txt": "no-such-package-of-rig==1\n"}
    first = app.paths("one", files)
    error = failure(lambda: app.build(first, env=OFFLINE))
    assert error.message == "Installing the dependencies failed: exit 1."
    assert any("no-such-package-of-rig" in line for line in error.details["output"])
    assert list(first.layers.iterdir()) == []
    assert not first.source.exists()
    assert failure(lambda: app.build(app.paths("three", files), env=OFFLINE)).code == "build_failed"


def test_a_dependency_of_the_source_is_installed_for_one_build_alone(app: App) -> None:
    files = {
        "requirements.txt": "./mine-1.0-py3-none-any.whl\n",
        "main.py": "import mine; print(mine.TEXT)",
    }
    for name, text in (("one", "first"), ("two", "second")):
        paths = app.paths(name, files)
        wheel(paths.source / "mine-1.0-py3-none-any.whl", text)
        built = app.build(paths, env=OFFLINE)
        assert built.installed
        assert app.run(built, paths, "python main.py") == [text]


def wheel(path: Path, text: str) -> None:
    """A wheel with one module (PEP 427)."""
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine.py", f"TEXT = {text!r}\n")
        archive.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        archive.writestr(
            "mine-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("mine-1.0.dist-info/RECORD", "")


def test_a_python_that_is_not_here_is_named_with_those_that_are(app: App) -> None:
    paths = app.paths(files={"main.py": "", ".python-version": "3.99\n"})
    error = failure(lambda: app.build(paths))
    assert error.code == "build_failed"
    assert "Python 3.99, which `.python-version` asks for, is not on this node" in error.message
    assert sys.version.split()[0] in error.details["available"]


def test_a_project_that_no_python_here_fits_names_those_that_are(app: App) -> None:
    files = {"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.200"\n', "main.py": ""}
    error = failure(lambda: app.build(app.paths(files=files)))
    assert "a Python >=3.200, which `pyproject.toml` requires, is not on this node" in error.message


def test_another_python_of_the_machine_is_used_where_one_is_asked_for(app: App) -> None:
    _, versions = asyncio.run(find_python("3"))
    own = sys.version_info[:2]
    others = [version for version in versions if (3, 9) < tuple(map(int, version.split(".")[:2])) != own]
    if not others:
        pytest.skip("this machine has one Python alone")
    minor = ".".join(others[0].split(".")[:2])
    paths = app.paths(files={"main.py": "import sys; print(*sys.version_info[:2], sep='.')", ".python-version": minor})
    built = app.build(paths)
    assert built.language == f"Python {others[0]}"
    assert app.run(built, paths, "python main.py") == [minor]


def test_python_without_anything_to_start_says_so(app: App) -> None:
    error = failure(lambda: app.build(app.paths(files={"requirements.txt": ""})))
    assert "Procfile" in error.hint


BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.write("src/mine.py", "mine.py")
        archive.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n")
        archive.writestr("mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\n"
                         "Root-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("mine-1.0.dist-info/entry_points.txt", "[console_scripts]\\nmine = mine:main\\n")
        archive.writestr("mine-1.0.dist-info/RECORD", "")
    return name
"""
"""A build backend (PEP 517) that needs nothing from a registry."""


def test_a_project_with_a_build_system_is_installed_with_its_scripts(app: App) -> None:
    pyproject = (
        '[project]\nname = "mine"\nversion = "1.0"\ndependencies = []\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    files = {"pyproject.toml": pyproject, "backend.py": BACKEND, "Procfile": "web: mine"}
    for name in ("first", "second"):
        paths = app.paths(name, {**files, "src/mine.py": f"def main(): print({name!r})"})
        built = app.build(paths, env=OFFLINE)
        assert built.installed is (name == "first")
        assert app.run(built, paths, "mine") == [name]
