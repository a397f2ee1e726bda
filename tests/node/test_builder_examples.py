"""The examples of the docs, built and served as they are, and what a static site answers."""

from __future__ import annotations

import asyncio
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig.clients.project import load_project
from rig.contract.project import AppConfig, BuildConfig
from rig.node.builder.launch import launch, process_commands
from rig.node.builder.model import Build, BuildPaths, BuildRequest
from rig.node.builder.pipeline import build
from rig.node.builder.settings import build_settings
from rig.node.runtime.driver import ProcessSpec
from rig.node.runtime.isolation import choose
from rig.node.runtime.process import ProcessDriver
from tests.support import TIMEOUT, free_port, wait_until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@contextmanager
def serving(paths: BuildPaths, config: AppConfig) -> Iterator[tuple[Build, str]]:
    """Build, start the ``web`` process, wait for its port; the build and the address."""
    driver = ProcessDriver(choose("auto", public=False))
    request = BuildRequest(owner="demo/app", paths=paths, config=config, env=config.env, settings=build_settings())

    async def start() -> tuple[Build, ProcessSpec, int]:
        built = await build(request, driver)
        port = free_port()
        command = process_commands(built, config)["web"]
        started = launch(built, paths, driver, command=command, env=config.env, port=port)
        run = paths.app_dir / "run" / "web.1"
        spec = ProcessSpec(
            id="web.1",
            owner="demo/app",
            argv=started.argv,
            env=started.env,
            cwd=started.cwd,
            mounts=started.mounts,
            state_dir=run / "state",
            log_dir=run / "log",
        )
        await driver.start(spec)
        return built, spec, port

    built, spec, port = asyncio.run(start())

    def reachable() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(reachable, "the app to listen on its port")
        yield built, f"http://127.0.0.1:{port}"
    finally:
        handle = driver.adopt(spec.state_dir)
        assert handle is not None
        asyncio.run(driver.stop(handle))


def get(url: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("name", "builder", "text"),
    [
        ("hello-python", "python", "behind gunicorn"),
        pytest.param("hello-node", "node", "Hello from Express", marks=pytest.mark.needs("npm")),
        ("hello-static", "static", "plain files"),
    ],
)
def test_an_example(tmp_path: Path, name: str, builder: str, text: str) -> None:
    paths = BuildPaths(tmp_path / "app", "one")
    shutil.copytree(EXAMPLES / name, paths.source)
    project = load_project(EXAMPLES / name)
    with serving(paths, project.config) as (built, url):
        assert built.builder == builder
        assert get(url)[0] == 200
        assert text in get(url)[1]
        if project.config.health.path:
            assert get(url + project.config.health.path)[0] == 200


def test_the_examples_name_no_registry() -> None:
    lock = (EXAMPLES / "hello-node" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_what_a_static_site_serves_and_what_not(tmp_path: Path) -> None:
    paths = BuildPaths(tmp_path / "app", "one")
    files = {
        "index.html": "start",
        "about.html": "about",
        "404.html": "not here",
        "docs/index.html": "docs",
        "plain/file.txt": "plain",
        ".env": "secret",
        ".git/config": "secret",
        "sub/.hidden/x": "secret",
        ".well-known/security.txt": "contact",
        "rig.toml": "secret",
    }
    for path, content in files.items():
        file = paths.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    with serving(paths, AppConfig()) as (built, url):
        assert built.static_root == "."
        answers = {
            "/": (200, "start"),
            "/about": (200, "about"),
            "/about.html": (200, "about"),
            "/docs/": (200, "docs"),
            "/docs": (200, "docs"),
            "/plain/file.txt": (200, "plain"),
            "/.well-known/security.txt": (200, "contact"),
            "/plain/": (404, "not here"),
            "/missing": (404, "not here"),
            "/.env": (404, "not here"),
            "/%2eenv": (404, "not here"),
            "/.git/config": (404, "not here"),
            "/sub/.hidden/x": (404, "not here"),
            "/.well-known/../.env": (404, "not here"),
            "/.well-known/..%2f.env": (404, "not here"),
            "/rig.toml": (404, "not here"),
            "/RIG.TOML": (404, "not here"),
            "/../../etc/passwd": (404, "not here"),
        }
        assert {path: get(url + path) for path in answers} == answers


def test_a_folder_that_a_build_makes_is_served(tmp_path: Path) -> None:
    paths = BuildPaths(tmp_path / "app", "one")
    paths.source.mkdir(parents=True)
    (paths.source / "index.html").write_text("template")
    make = "mkdir dist && sed s/template/made/ index.html > dist/index.html"
    config = AppConfig(build=BuildConfig(builder="static", command=make))
    with serving(paths, config) as (built, url):
        assert built.static_root == "dist"
        assert get(url) == (200, "made")
        assert get(url + "/missing") == (404, "404 Not Found")
