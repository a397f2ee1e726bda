"""Builds for real: real processes, with and without a sandbox."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rig.contract.project import AppConfig, BuildConfig, ProcessConfig
from rig.kernel.errors import RigError
from rig.node.builder.launch import launch, process_commands
from rig.node.builder.model import Build, BuildPaths, BuildRequest, load_build
from rig.node.builder.output import read_logs
from rig.node.builder.pipeline import abandon, build
from rig.node.builder.toolchain import find_python
from rig.node.runtime.driver import Driver, IsolationName, ProcessSpec
from rig.node.runtime.isolation import probe
from rig.node.runtime.process import ProcessDriver

Files = dict[str, str]
OFFLINE = {"PIP_NO_INDEX": "1"}


def isolations() -> list[Any]:
    problem = probe()
    skip = pytest.mark.skipif(bool(problem) and os.environ.get("CI") != "true", reason=problem)
    return ["none", pytest.param("bubblewrap", marks=skip)]


@pytest.fixture(params=isolations())
def driver(request: pytest.FixtureRequest) -> Driver:
    isolation: IsolationName = request.param
    return ProcessDriver(isolation)


class App:
    """One app on disk, and builds of it."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.folder = folder
        self.driver = driver
        self.lines: list[str] = []

    def paths(self, name: str = "one", files: Files | None = None) -> BuildPaths:
        """A new build with this source."""
        paths = BuildPaths(self.folder, name)
        paths.source.mkdir(parents=True)
        for path, content in (files or {}).items():
            file = paths.source / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return paths

    def build(
        self, paths: BuildPaths, config: AppConfig | None = None, settings: dict[str, str] | None = None, **env: str
    ) -> Build:
        self.lines = []
        request = BuildRequest(
            owner="demo/app", paths=paths, config=config or AppConfig(), env=env, settings=settings or {}
        )
        return asyncio.run(build(request, self.driver, self.lines.append))

    def run(self, built: Build, paths: BuildPaths, command: str, **env: str) -> list[str]:
        """What a command prints when it is run on a build."""
        started = launch(built, paths, self.driver, command=command, env=env)
        state = self.folder / "run"
        printed: list[str] = []
        spec = ProcessSpec(
            id="run",
            owner="demo/app",
            argv=started.argv,
            env=started.env,
            cwd=started.cwd,
            mounts=started.mounts,
            state_dir=state / "state",
            log_dir=state / "log",
        )
        asyncio.run(self.driver.run(spec, 30, printed.append))
        shutil.rmtree(state)
        return printed


@pytest.fixture
def app(tmp_path: Path, driver: Driver) -> App:
    return App(tmp_path / "app", driver)


def command(line: str, **build: Any) -> AppConfig:
    return AppConfig(build=BuildConfig(builder="procfile", command=line, **build), processes={"web": WEB})


WEB = ProcessConfig(command="true")


def failure(act: Callable[[], object]) -> RigError:
    with pytest.raises(RigError) as caught:
        act()
    return caught.value


def test_a_build_is_kept_and_what_it_made_runs(app: App) -> None:
    paths = app.paths(files={"Procfile": "web: cat made\nrelease: ./migrate"})
    built = app.build(paths, AppConfig(build=BuildConfig(command="echo made by the build > made")))
    assert load_build(paths) == built
    assert (built.builder, built.release, built.isolation) == ("procfile", "./migrate", app.driver.isolation)
    commands = process_commands(built, AppConfig())
    assert commands == {"web": "cat made"}
    assert app.run(built, paths, commands["web"]) == ["made by the build"]
    assert not paths.steps.exists()
    assert not paths.tmp.exists()


def test_a_complete_build_is_not_built_again(app: App) -> None:
    paths = app.paths(files={"Procfile": "web: true"})
    first = app.build(paths)
    assert app.build(paths) == first
    assert app.lines == []


def test_the_output_is_kept_and_told(app: App) -> None:
    paths = app.paths()
    app.build(paths, command("echo out; echo err >&2; printf 'no end'"))
    texts = [line.text for line in read_logs((paths.log,), 0, 1000)[0]]
    assert texts == app.lines
    assert {"out", "err", "no end"} < set(texts)
    assert texts[-1].startswith("-----> Built in ")


def test_a_build_sees_its_own_variables_and_nothing_of_the_nodes(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-of-the-node")
    monkeypatch.setenv("RIG_HOME", "/canary-of-the-node")
    monkeypatch.setenv("PYTHONPATH", "/canary-of-the-node")
    app.build(app.paths(), command("env"), settings={"SSL_CERT_FILE": "/etc/ca"}, GREETING="hi", HOME="/wrong")
    env = dict(line.split("=", 1) for line in app.lines if "=" in line and not line.startswith("----->"))
    env.pop("_", None)
    env.pop("SHLVL", None)
    assert set(env) == {"PATH", "HOME", "LANG", "TMPDIR", "GREETING", "SSL_CERT_FILE", "PWD"}
    assert env["GREETING"] == "hi"
    assert env["HOME"] != "/wrong"
    assert not any("canary-of-the-node" in line for line in app.lines)


def test_a_command_that_fails_fails_the_build_with_its_last_lines(app: App) -> None:
    paths = app.paths()
    error = failure(lambda: app.build(paths, command("echo the reason; exit 3")))
    assert error.code == "build_failed"
    assert error.message == "The build command failed: exit 3."
    assert "the reason" in error.details["output"]
    assert load_build(paths) is None
    assert read_logs((paths.log,), 0, 1000)[0][-1].text == "-----> Build failed: The build command failed: exit 3."
    assert not paths.steps.exists()


def test_a_build_that_hangs_is_ended_with_all_that_it_started(app: App, tmp_path: Path) -> None:
    marker = f"grandchild-{os.getpid()}-{tmp_path.name}"
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; echo started; sleep 1000; true' {marker} & sleep 1000; true"
    paths = app.paths()
    config = command(script, timeout=2)
    seen: list[list[str]] = []
    request = BuildRequest(owner="demo/app", paths=paths, config=config)
    error = failure(
        lambda: asyncio.run(
            build(request, app.driver, lambda line: seen.append(running(marker)) if line == "started" else None)
        )
    )
    assert seen[0], "the grandchild ran"
    assert error.code == "build_timeout"
    assert "started" in error.details["output"]
    assert "timeout" in error.hint
    assert load_build(paths) is None
    assert running(marker) == []


def running(marker: str) -> list[str]:
    """Command lines of processes that hold ``marker``."""
    import psutil

    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if marker in line]


def test_a_cancelled_build_leaves_nothing_that_looks_complete_and_can_be_done_again(app: App) -> None:
    paths = app.paths()
    config = command("echo begun; if [ ! -f again ]; then sleep 1000; fi")
    request = BuildRequest(owner="demo/app", paths=paths, config=config)

    async def cut_off() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(build(request, app.driver, lambda line: begun.set() if line == "begun" else None))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    assert load_build(paths) is None
    (paths.source / "again").touch()
    assert app.build(paths, config).builder == "procfile"


def test_what_a_killed_node_left_running_is_ended(app: App) -> None:
    paths = app.paths()
    step = paths.steps / "1"
    spec = ProcessSpec(
        id="build-one-1",
        argv=("/bin/sh", "-c", "sleep 1000; true"),
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        state_dir=step / "state",
        log_dir=step / "log",
    )

    async def scenario() -> bool:
        handle = await app.driver.start(spec)
        await abandon(paths, app.driver)
        return app.driver.alive(handle)

    assert asyncio.run(scenario()) is False


def test_python_without_dependencies_runs_its_main(app: App) -> None:
    paths = app.paths(files={"main.py": "import sys; print(sys.prefix != sys.base_prefix, sys.argv[0])"})
    built = app.build(paths)
    commands = process_commands(built, AppConfig())
    assert commands == {"web": "python main.py"}
    assert app.run(built, paths, commands["web"]) == ["True main.py"]
    assert built.language == f"Python {sys.version.split()[0]}"


def test_dependencies_are_installed_once_for_each_lock_file(app: App) -> None:
    files = {"main.py": "", "requirements.txt": "# nothing\n"}
    first = app.build(app.paths("one", files), **OFFLINE)
    assert first.installed
    second = app.build(app.paths("two", {**files, "main.py": "print('changed')"}), **OFFLINE)
    assert not second.installed
    assert second.layers == first.layers
    assert "-----> Dependencies are unchanged: nothing to install" in app.lines
    third = app.build(app.paths("three", {**files, "requirements.txt": "# changed\n"}), **OFFLINE)
    assert third.installed
    assert third.layers != first.layers


def test_a_layer_that_could_not_be_filled_is_removed_and_made_again(app: App) -> None:
    files = {"main.py": "", "requirements.txt": "no-such-package-of-rig==1\n"}
    first = app.paths("one", files)
    error = failure(lambda: app.build(first, **OFFLINE))
    assert error.message == "Installing the dependencies failed: exit 1."
    assert any("no-such-package-of-rig" in line for line in error.details["output"])
    assert list(first.layers.iterdir()) == []
    assert not first.source.exists()
    assert failure(lambda: app.build(app.paths("three", files), **OFFLINE)).code == "build_failed"


def test_a_dependency_of_the_source_is_installed_for_one_build_alone(app: App) -> None:
    files = {
        "requirements.txt": "./mine-1.0-py3-none-any.whl\n",
        "main.py": "import mine; print(mine.TEXT)",
    }
    for name, text in (("one", "first"), ("two", "second")):
        paths = app.paths(name, files)
        wheel(paths.source / "mine-1.0-py3-none-any.whl", text)
        built = app.build(paths, **OFFLINE)
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
    files = {"package.json": json.dumps(package), "index.js": "console.log(require('kept'))"}
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
    paths = app.paths(files={"package.json": json.dumps(package), "index.html": "template"})
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


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"package.json": "{}", "yarn.lock": ""}, "`yarn.lock` is not supported"),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, "`pnpm-lock.yaml` is not supported"),
        ({"package.json": "{"}, "`package.json` cannot be read"),
        ({"package.json": '{"scripts": {"build": 3}}'}, "`package.json` cannot be read"),
        ({".python-version": "pypy3.9", "main.py": ""}, "`.python-version` says `pypy3.9`"),
    ],
)
def test_what_cannot_be_built_is_named(app: App, files: Files, said: str) -> None:
    error = failure(lambda: app.build(app.paths(files=files)))
    assert error.code == "build_failed"
    assert said in error.message
    assert error.hint


def test_a_process_without_a_command_is_named(app: App) -> None:
    config = AppConfig(processes={"worker": ProcessConfig(count=2)})
    built = app.build(app.paths(files={"Procfile": "web: true"}), config)
    error = failure(lambda: process_commands(built, config))
    assert (error.code, "`[processes.worker]` has no command" in error.message) == ("bad_config", True)


def test_a_static_folder_that_the_build_does_not_make_is_named(app: App) -> None:
    config = AppConfig(build=BuildConfig(output="site", command="mkdir other"))
    error = failure(lambda: app.build(app.paths(files={"index.html": ""}), config))
    assert "`site`" in error.message


def test_a_build_is_not_run_where_its_paths_do_not_hold(app: App) -> None:
    paths = app.paths(files={"Procfile": "web: true"})
    built = app.build(paths)
    moved = BuildPaths(app.folder.with_name("moved"), paths.id)
    elsewhere = replace(built, place="/elsewhere")
    error = failure(lambda: launch(elsewhere, paths, app.driver, command="true", env={}))
    assert (error.code, error.hint) == ("conflict", "Deploy again, so that it is built anew.")
    if app.driver.isolation == "none":
        assert failure(lambda: launch(built, moved, app.driver, command="true", env={})).code == "conflict"


def test_a_record_that_cannot_be_read_is_as_none(app: App) -> None:
    paths = app.paths(files={"Procfile": "web: true"})
    paths.record.write_text("{")
    assert load_build(paths) is None
    assert app.build(paths) == load_build(paths)


def test_a_full_disk_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    paths = app.paths(files={"Procfile": "web: true"})
    monkeypatch.setattr(os, "write", full)
    error = failure(lambda: app.build(paths))
    monkeypatch.undo()
    assert (error.code, load_build(paths)) == ("build_failed", None)
    assert "disk is full" in error.message


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
        built = app.build(paths, **OFFLINE)
        assert built.installed is (name == "first")
        assert app.run(built, paths, "mine") == [name]
