"""What a Python project depends on, and what of it decides the key of a layer."""

from __future__ import annotations

import pytest

from rig.kernel.errors import RigError
from rig.node.builder.requirements import python_dependencies
from tests.node.test_builder_detect import DictTree


def test_includes_are_part_of_the_key() -> None:
    tree = DictTree(
        {
            "requirements.txt": "-r base/common.txt\n--constraint=limits.txt\nflask==3.0 \\\n    --hash=sha256:00\n",
            "base/common.txt": "-r more.txt # from here\n-r ../requirements.txt\n",
            "base/more.txt": "click\n",
            "limits.txt": "jinja2<4\n",
        }
    )
    wanted = python_dependencies(tree)
    assert wanted.file == "requirements.txt"
    assert set(wanted.parts) == {"requirements.txt", "base/common.txt", "base/more.txt", "limits.txt"}
    assert not wanted.local


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("flask==3.0", False),
        ("flask @ https://host/flask.whl", False),
        ("-e git+https://host/x.git#egg=x", False),
        ("--index-url https://host/simple", False),
        ("# ./libs", False),
        ("flask ; python_version < '4'", False),
        ("./libs/mine", True),
        ("libs/mine", True),
        (".", True),
        ("-e .", True),
        ("--editable ./x", True),
        ("mine @ file:///app/x", True),
        ("mine-1.0-py3-none-any.whl", True),
        ("--find-links wheels", True),
    ],
)
def test_what_comes_from_the_source(line: str, local: bool) -> None:
    assert python_dependencies(DictTree({"requirements.txt": f"click\n{line}\n"})).local is local


def test_a_missing_include_is_named_with_the_file_that_wants_it() -> None:
    with pytest.raises(RigError, match=r"`dev\.txt`, which `requirements\.txt` includes, is not in the source"):
        python_dependencies(DictTree({"requirements.txt": "-r dev.txt"}))


def test_pyproject_gives_its_dependencies() -> None:
    text = '[project]\nname = "x"\nrequires-python = ">=3.11"\ndependencies = ["flask>=3"]\n'
    wanted = python_dependencies(DictTree({"pyproject.toml": text}))
    assert (wanted.lines, wanted.requires_python, wanted.install_project) == (("flask>=3",), ">=3.11", False)
    packaged = python_dependencies(DictTree({"pyproject.toml": text + '[build-system]\nrequires = ["hatchling"]\n'}))
    assert packaged.install_project


@pytest.mark.parametrize("name", ["poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "Pipfile"])
def test_lock_files_that_pip_does_not_read_are_refused_with_the_way_out(name: str) -> None:
    files = {name: "", "pyproject.toml": '[project]\nname = "x"\n'}
    with pytest.raises(RigError) as caught:
        python_dependencies(DictTree(files))
    assert "requirements.txt" in caught.value.hint
    assert python_dependencies(DictTree({**files, "requirements.txt": "click"})).file == "requirements.txt"


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry]\nname = "x"\n',
        '[project]\nname = "x"\ndynamic = ["dependencies"]\n',
        "[project]\ndependencies = 3\n",
    ],
)
def test_dependencies_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(RigError, match="pyproject"):
        python_dependencies(DictTree({"pyproject.toml": text}))
