"""Builds for real: real processes, with and without a sandbox."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from rig.contract.project import AppConfig, BuildConfig, ProcessConfig
from rig.node.builder.launch import launch, process_commands
from rig.node.builder.model import BuildPaths, BuildRequest, load_build
from rig.node.builder.output import read_logs
from rig.node.builder.pipeline import abandon, build
from rig.node.runtime.driver import ProcessSpec
from tests.node.building import App, Files, command, failure
from tests.support import pass_time


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
    app.build(
        app.paths(), command("env"), settings={"SSL_CERT_FILE": "/etc/ca"}, env={"GREETING": "hi", "HOME": "/wrong"}
    )
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
    config = command(script, timeout=3600)
    seen: list[list[str]] = []
    request = BuildRequest(owner="demo/app", paths=paths, config=config)

    def hear(line: str) -> None:
        if line == "started":
            seen.append(running(marker))
            pass_time(3600)

    error = failure(lambda: asyncio.run(build(request, app.driver, hear)))
    assert seen[0], "the grandchild ran"
    assert error.code == "build_timeout"
    assert "started" in error.details["output"]
    assert "timeout" in error.hint
    assert load_build(paths) is None
    assert running(marker) == []


def running(marker: str) -> list[str]:
    """Command lines of processes that hold ``marker``."""
    import psutil  # type: ignore[import-untyped]

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
