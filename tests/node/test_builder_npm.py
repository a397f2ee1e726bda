"""Node.js projects are built for real, with npm and a registry of the test's own."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rig.contract.project import AppConfig, BuildConfig
from rig.node.builder.launch import process_commands
from tests.node.building import App, Files


@pytest.mark.needs("npm")
def test_node_without_dependencies(app: App) -> None:
    package = {"name": "x", "version": "1.0.0", "scripts": {"build": "echo \"module.exports = 'built'\" > out.js"}}
    files = {"package.json": json.dumps(package), "server.js": "console.log(require('./out'), process.env.NODE_ENV)"}
    paths = app.paths(files=files)
    built = app.build(paths)
    commands = process_commands(built, AppConfig())
    assert commands == {"web": "node server.js"}
    assert app.run(built, paths, commands["web"]) == ["built production"]
    assert "no package-lock.json" in built.warnings[0]


PACKAGES: dict[str, Files] = {
    "tool": {
        "package.json": json.dumps({"name": "tool", "version": "1.0.0", "bin": {"tool": "tool.js"}}),
        "tool.js": "#!/usr/bin/env node\nrequire('fs').writeFileSync('out.txt', 'by the tool')",
    },
    "kept": {
        "package.json": json.dumps({"name": "kept", "version": "1.0.0", "main": "kept.js"}),
        "kept.js": "module.exports = 'kept'",
    },
}


BY_ADDRESS: Files = {".npmrc": "allow-remote=all\n"}
"""From npm 12 on a package that is named by its address is refused otherwise."""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of a server with `PACKAGES` as tarballs."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name, files in PACKAGES.items():
        with tarfile.open(folder / f"{name}.tgz", "w:gz") as archive:
            for path, content in files.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size, entry.mode = len(content), 0o755
                archive.addfile(entry, io.BytesIO(content.encode()))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.needs("npm")
@pytest.mark.parametrize("in_place", [False, True])
def test_development_dependencies_are_there_for_the_build_and_gone_afterwards(
    app: App, registry: str, in_place: bool
) -> None:
    package = {
        "name": "x",
        "version": "1.0.0",
        "scripts": {"build": "tool", "start": "node server.js"},
        "dependencies": {"kept": "file:./kept" if in_place else f"{registry}/kept.tgz"},
        "devDependencies": {"tool": "file:./tool" if in_place else f"{registry}/tool.tgz"},
    }
    files = {
        **BY_ADDRESS,
        "package.json": json.dumps(package),
        "server.js": "console.log(require('kept'), require('fs').readFileSync('out.txt', 'utf8'))",
        **({f"{name}/{path}": text for name in PACKAGES for path, text in PACKAGES[name].items()} if in_place else {}),
    }
    for name in ("one", "two"):
        paths = app.paths(name, files)
        built = app.build(paths)
        assert built.installed is (in_place or name == "one")
        assert bool(built.layers) is not in_place
        assert app.run(built, paths, "npm start --silent") == ["kept by the tool"]
        assert app.run(built, paths, "ls node_modules") == ["kept"]


@pytest.mark.needs("npm")
def test_without_a_build_step_the_packages_are_linked_from_the_layer(app: App, registry: str) -> None:
    package = {"dependencies": {"kept": f"{registry}/kept.tgz"}, "devDependencies": {"tool": f"{registry}/tool.tgz"}}
    files = {**BY_ADDRESS, "package.json": json.dumps(package), "index.js": "console.log(require('kept'))"}
    for name in ("one", "two"):
        paths = app.paths(name, files)
        built = app.build(paths)
        assert built.installed is (name == "one")
        assert (paths.source / "node_modules").is_symlink()
        assert app.run(built, paths, process_commands(built, AppConfig())["web"]) == ["kept"]
        assert app.run(built, paths, "ls node_modules/") == ["kept"]


@pytest.mark.needs("npm")
def test_a_site_that_npm_builds_runs_without_its_packages(app: App, registry: str) -> None:
    package = {
        "scripts": {"build": "tool && mkdir dist && mv out.txt dist/index.html"},
        "devDependencies": {"tool": f"{registry}/tool.tgz"},
    }
    paths = app.paths(files={**BY_ADDRESS, "package.json": json.dumps(package), "index.html": "template"})
    built = app.build(paths, AppConfig(build=BuildConfig(builder="static")))
    assert (built.static_root, built.mounts) == ("dist", ())
    assert (paths.source / "dist" / "index.html").read_text() == "by the tool"
    assert not (paths.source / "node_modules").exists()


@pytest.mark.needs("npm")
@pytest.mark.parametrize(
    ("wanted", "said"), [(">=999", "package.json wants Node >=999"), ("lts", "no range that rig can read")]
)
def test_a_node_that_does_not_fit_is_warned_of(app: App, wanted: str, said: str) -> None:
    paths = app.paths(files={"package.json": json.dumps({"engines": {"node": wanted}}), "index.js": ""})
    assert any(said in warning for warning in app.build(paths).warnings)
