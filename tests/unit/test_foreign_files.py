"""What becomes of the files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers import import_config
from handlers.foreign import Read, looks_secret, reader_of
from rig.contract.configuration import AppTable, ImportConfig
from rig.contract.project import ProjectFile
from rig.kernel.errors import RigError

COMPOSE = b"""
services:
  web_shop:
    image: shop
    environment:
      COLOR: blue
      DEBUG: true
      SIZE: 3
      EMPTY: ""
      FROM_SHELL:
      DB_PASSWORD: hunter2
      PORT: 80
    deploy: {replicas: 2}
    env_file: .env
  api:
    scale: 3
    environment: [A=1, "B=x=y", BARE, "DB=postgres://me:hunter2@db/x"]
  "123": {}
"""
APP_JSON = b"""{"name": "My Shop", "env": {"A": "1", "B": {"value": "2", "description": "b"}, "C": {"required": true},
 "KEY_BASE": {"generator": "secret"}}, "formation": {"web": {"quantity": 2}, "clock": {"size": "s"}}}"""


def read(name: str, data: bytes) -> Read:
    return reader_of(name)(data)


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml", "x/compose.prod.yml"])
def test_a_compose_file_is_one_app_for_each_service(name: str) -> None:
    found = read(name, COMPOSE)
    assert found.apps == {
        "web-shop": AppTable(
            env={"COLOR": "blue", "DEBUG": "true", "SIZE": "3", "EMPTY": ""},
            secrets={"DB_PASSWORD": ""},
            processes={"web": 2},
        ),
        "api": AppTable(env={"A": "1", "B": "x=y"}, secrets={"DB": ""}, processes={"web": 3}),
    }
    told = "\n".join(found.warnings)
    assert [word in told for word in ("env_file", "`123`", "FROM_SHELL", "BARE", "PORT")] == [True] * 5
    assert "hunter2" not in told


def test_an_app_json() -> None:
    found = read("app.json", APP_JSON)
    assert found.apps == {"my-shop": AppTable(env={"A": "1", "B": "2"}, secrets={"KEY_BASE": ""}, processes={"web": 2})}
    assert found.warnings == ["`C` is left out: it has no value."]


def test_a_procfile_and_an_env_file() -> None:
    assert read("Procfile", b"web: serve\nworker: work\nrelease: migrate\n# x\n").apps == {
        "": AppTable(processes={"web": 1, "worker": 1})
    }
    assert read(".env.production", b"A=1\nAPI_TOKEN=x\n").apps == {
        "": AppTable(env={"A": "1"}, secrets={"API_TOKEN": ""})
    }


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("compose.yaml", b"a: [1\n"),
        ("compose.yaml", b"\xff\xfe\x00"),
        ("compose.yaml", b"born: 2026-13-45\n"),
        ("compose.yaml", b"services: " + b"[" * 100_000),
        ("app.json", b"[1]"),
        ("app.json", b'{"env": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        (".env", b"nonsense\n"),
    ],
)
def test_what_cannot_be_read(name: str, data: bytes) -> None:
    with pytest.raises(RigError) as refused:
        read(name, data)
    assert refused.value.code == "invalid_data"


@pytest.mark.parametrize(
    "data", [b"", b"- a\n", b"services: 3", b"services: {a: 3}", b"services: {a: {environment: 3}}"]
)
def test_a_compose_file_that_says_nothing(data: bytes) -> None:
    assert all(table == AppTable() for table in read("compose.yml", data).apps.values())


def test_values_that_are_no_text() -> None:
    bomb = "x: &a0 [lol]\n" + "".join(f"y{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    data = f"{bomb}services:\n  s:\n    environment:\n      B: *a11\n      D: 2026-01-01\n      F: 1.5\n      1: x\n"
    data += f"      H: 0x{'f' * 9_000}\n  list:\n    environment: *a11\n"
    found = read("compose.yaml", data.encode())
    assert found.apps == {"s": AppTable(env={"D": "2026-01-01", "F": "1.5"}), "list": AppTable()}
    assert found.warnings == [
        "`B` is left out: its value is no text.",
        "`1` is left out: it begins with a digit.",
        "`H` is left out: it is a number with too many digits.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DB_PASSWORD", "x", True),
        ("apikey", "x", True),
        ("STRIPE_API_KEY", "x", True),
        ("URL", "postgres://me:pw@host/db", True),
        ("URL", "https://example.com/a@b", False),
        ("KEYBOARD", "qwerty", False),
        ("COLOR", "blue", False),
    ],
)
def test_what_looks_like_a_secret(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


class Context:
    """What the handler may reach."""

    def __init__(self, files: dict[str, bytes], project: ProjectFile) -> None:
        self.files, self.found = files, project
        self.ports = self.inputs = self
        self.warnings: list[str] = []
        self.warn = self.warnings.append

    def file(self, path: str) -> bytes:
        return self.files[path]

    def project(self, folder: str) -> ProjectFile:
        return self.found


def imported(files: dict[str, bytes], project: ProjectFile | None = None, **more: Any) -> Any:
    ctx: Any = Context(files, project or ProjectFile())
    return import_config.handle(ImportConfig(files=list(files), **more), ctx)


def test_several_files_of_one_app_the_later_one_wins(tmp_path: Path) -> None:
    folder = tmp_path / "My_App"
    files = {str(folder / ".env"): b"A=1\nKEY=x\n", str(folder / "Procfile"): b"web: x\n", "later.env": b"A=2\n"}
    found = imported(files, network="demo", app="shop")
    assert found.configuration.apps == {"shop": AppTable(env={"A": "2"}, secrets={"KEY": ""}, processes={"web": 1})}
    assert found.secrets == ["rig create secret demo/shop KEY"]
    del files["later.env"]
    assert list(imported(files, network="demo").configuration.apps) == ["my-app"]
    assert list(imported(files, ProjectFile(network="demo", app="ours")).configuration.apps) == ["ours"]
    assert list(imported({"app.json": APP_JSON}, network="demo").configuration.apps) == ["my-shop"]


@pytest.mark.parametrize(
    ("files", "network", "said"),
    [({".env": b"nonsense\n"}, "demo", ".env: Line 1 "), ({".env": b"A=1\n"}, "", "For which network")],
)
def test_what_is_wrong_is_told_with_its_file(files: dict[str, bytes], network: str, said: str) -> None:
    with pytest.raises(RigError) as refused:
        imported(files, network=network)
    assert refused.value.message.startswith(said)
