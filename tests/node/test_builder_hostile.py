"""Sources that are made to keep the node busy: what takes the square of their size is refused or not done."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.kernel.toml import is_dotted_without_end
from rig.node.builder.detect import detect
from rig.node.builder.nodejs import read_package
from rig.node.builder.procfile import parse_procfile
from rig.node.builder.tree import FolderTree, pyproject
from tests.e2e.rig import project


def test_a_command_with_a_million_blanks() -> None:
    """One that is looked through from every blank on would not be read in this test's lifetime."""
    blanks = " " * 1_000_000
    assert parse_procfile(f"web:{blanks}run{blanks}it{blanks}\n") == {"web": f"run{blanks}it"}


@pytest.mark.parametrize("key", [".".join(["a"] * 200_000), ". ".join(['"a b"'] * 100_000)])
def test_a_key_without_end(tmp_path: Path, key: str) -> None:
    tree = FolderTree(project(tmp_path / "source", {"pyproject.toml": f"{key} = 1\n", "main.py": ""}))
    for read in (lambda: pyproject(tree), lambda: detect(tree, AppConfig())):
        with pytest.raises(RigError, match="too many parts") as refused:
            read()
        assert refused.value.code == "build_failed"


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, '"' * 200_000, "a." * 60 + "b = 1", "1.2.3\n" * 50_000, "a b. " * 9_000]
)
def test_what_is_no_key_without_end(text: str) -> None:
    assert not is_dotted_without_end(text)


def test_nesting_without_end(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    files = {"pyproject.toml": f"x = {deep}\n", "package.json": f'{{"scripts": {deep}}}'}
    tree = FolderTree(project(tmp_path / "source", files))
    for read in (pyproject, read_package):
        with pytest.raises(RigError) as refused:
            read(tree)
        assert refused.value.code == "build_failed"
