"""Which builder a source gets."""

from __future__ import annotations

import pytest

from rig.contract.project import AppConfig, BuildConfig, ProcessConfig
from rig.kernel.errors import RigError
from rig.node.builder.detect import detect

AUTO = AppConfig()
PROJECT = '[project]\nname = "x"\n'


class DictTree:
    """A source in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def has(self, path: str) -> bool:
        return path.removeprefix("./") in self.files

    def has_folder(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self.files)

    def read(self, path: str) -> bytes:
        return self.files.get(path, "").encode()

    def names(self) -> frozenset[str]:
        return frozenset(name.split("/")[0] for name in self.files)


@pytest.mark.parametrize(
    ("files", "config", "builder"),
    [
        ({"requirements.txt": ""}, AUTO, "python"),
        ({"pyproject.toml": PROJECT}, AUTO, "python"),
        ({"Pipfile": ""}, AUTO, "python"),
        ({"main.py": ""}, AUTO, "python"),
        ({"serve.py": "", "Procfile": "web: python serve.py"}, AUTO, "python"),
        ({"package.json": "{}"}, AUTO, "node"),
        ({"package.json": "{}", "index.html": ""}, AUTO, "node"),
        ({"package.json": "{}", "pyproject.toml": "[tool.ruff]\n"}, AUTO, "node"),
        ({"package.json": "{}", "requirements.txt": ""}, AUTO, "python"),
        ({"package.json": "{}", "requirements.txt": "", "Procfile": "web: node server.js"}, AUTO, "node"),
        ({"Procfile": "web: ./server"}, AUTO, "procfile"),
        ({"server": ""}, AppConfig(processes={"web": ProcessConfig(command="./server")}), "procfile"),
        ({"index.html": ""}, AUTO, "static"),
        ({"public/index.html": ""}, AUTO, "static"),
        ({"dist/index.html": ""}, AUTO, "static"),
        ({"package.json": "{}"}, AppConfig(build=BuildConfig(output="dist")), "static"),
        ({"requirements.txt": ""}, AppConfig(build=BuildConfig(builder="procfile")), "procfile"),
    ],
)
def test_the_builder(files: dict[str, str], config: AppConfig, builder: str) -> None:
    assert detect(DictTree(files), config).builder == builder


def test_both_languages_give_advice() -> None:
    plan = detect(DictTree({"package.json": "{}", "requirements.txt": ""}), AUTO)
    assert 'builder = "node"' in plan.warnings[0]


def test_release_is_no_process_type() -> None:
    plan = detect(DictTree({"Procfile": "release: ./migrate\nweb: ./serve"}), AUTO)
    assert (plan.procfile, plan.release) == ({"web": "./serve"}, "./migrate")
    assert plan.commands == plan.procfile


def test_what_rig_toml_says_goes_before_the_procfile() -> None:
    processes = {
        "web": ProcessConfig(command="./other"),
        "cron": ProcessConfig(command="./cron"),
        "odd": ProcessConfig(),
    }
    plan = detect(DictTree({"Procfile": "web: ./serve\nworker: ./work"}), AppConfig(processes=processes))
    assert plan.procfile == {"web": "./serve", "worker": "./work"}
    assert plan.commands == {"web": "./other", "worker": "./work", "cron": "./cron"}


def test_nothing_to_go_by_says_what_was_looked_for() -> None:
    with pytest.raises(RigError) as caught:
        detect(DictTree({"notes.txt": ""}), AUTO)
    assert caught.value.code == "build_failed"
    assert "requirements.txt" in caught.value.message
    assert "index.html" in caught.value.message
    assert caught.value.details["found"] == ["notes.txt"]


def test_a_broken_pyproject_is_named() -> None:
    with pytest.raises(RigError, match=r"pyproject\.toml"):
        detect(DictTree({"pyproject.toml": "[project"}), AUTO)
