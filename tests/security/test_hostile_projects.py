"""A project that was written to harm whoever deploys it, or only looks at what would be sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.clients.source.git import git_info
from tests.e2e.rig import Ran, User, project

pytestmark = pytest.mark.usefixtures("plain_git")

SECONDS = 120
"""Reached only by a test that fails: what would wait without end is ended."""


@pytest.fixture
def user(tmp_path: Path) -> User:
    (tmp_path / "home").mkdir(mode=0o700)
    return User(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "app", {"index.html": "x"})


def dry_run(user: User, folder: Path) -> Ran:
    """What `rig deploy --dry-run` does with it: all but the sending."""
    return user.rig("deploy", str(folder), "--dry-run", "--app", "demo/app", "-o", "json")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def filters(folder: Path, run: str) -> None:
    project(folder, {".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    for key in ("clean", "smudge", "process"):
        git(folder, "config", f"filter.evil.{key}", run)
    git(folder, "config", "filter.evil.required", "true")


def other_filter(folder: Path, run: str) -> None:
    project(folder, {".gitattributes": "* filter=a=b\n"})
    git(folder, "config", "filter.a=b.clean", run)


def included(folder: Path, run: str) -> None:
    project(folder, {".gitattributes": "* filter=evil\n", ".git/more": f'[Filter "evil"]\n\tClean = "{run}"\n'})
    git(folder, "config", "include.path", "more")


def programs(folder: Path, run: str) -> None:
    for key in (
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "gpg.program",
        "diff.evil.textconv", "diff.evil.command", "credential.helper", "core.gitProxy", "alias.status", "alias.log",
        "pager.log", "pager.status", "interactive.diffFilter", "diff.external",
    ):  # fmt: skip
        git(folder, "config", key, run)
    git(folder, "config", "log.showSignature", "true")
    git(folder, "config", "status.submoduleSummary", "true")


def hooks(folder: Path, run: str) -> None:
    for name in ("post-index-change", "fsmonitor-watchman", "post-checkout", "reference-transaction"):
        hook = folder / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{run}\n")
        hook.chmod(0o755)


def lazy_fetch(folder: Path, run: str) -> None:
    """A partial clone that lacks its tree, and says by which program it is fetched."""
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    settings = {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(folder),
        "remote.origin.uploadpack": run,
        "protocol.allow": "always",
        "protocol.file.allow": "always",
    }
    for key, value in settings.items():
        git(folder, "config", key, value)
    (folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()


def submodule(folder: Path, run: str) -> None:
    inner = project(folder / "inner", {"file": "x", ".gitattributes": "* filter=evil\n"})
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "inner")
    git(folder, "add", "inner")
    git(folder, "commit", "-qm", "outer")
    git(inner, "config", "filter.evil.clean", run)
    git(inner, "config", "core.fsmonitor", run)
    (inner / "file").write_text("y")


@pytest.mark.needs("git")
@pytest.mark.parametrize("plant", [filters, other_filter, included, programs, hooks, lazy_fetch, submodule])
def test_nothing_that_a_repository_configures_is_run(
    folder: Path, tmp_path: Path, user: User, plant: Callable[[Path, str], None]
) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    ran = tmp_path / "ran"
    plant(folder, f"touch {ran}; cat")
    (folder / "index.html").write_text("y")
    info = git_info(str(folder))
    assert len(info.commit) == 40
    assert dry_run(user, folder).exit == 0
    assert not ran.exists()
    if plant is not lazy_fetch:
        subprocess.run(["git", "status"], cwd=folder, capture_output=True, check=False, timeout=SECONDS)
        assert ran.exists() or plant in (programs, hooks), "the trap is one: git alone walks into it"


@pytest.mark.needs("git")
def test_a_filter_of_the_repositorys_own_does_not_hide_a_change(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    assert not git_info(str(folder)).dirty
    filters(folder, "false")
    (folder / "index.html").write_text("y")
    assert git_info(str(folder)).dirty


@pytest.mark.parametrize("place", ["rig.toml", ".git", ".git/index", ".gitignore", ".rigignore", ".npmrc", "data"])
def test_a_pipe_is_not_waited_for(folder: Path, user: User, place: str) -> None:
    project(folder, {".gitignore": "x\n", "x": ""})
    if "/" in place:
        project(folder, {".git/HEAD": "ref: refs/heads/main\n"})
    (folder / place).unlink(missing_ok=True)
    os.mkfifo(folder / place)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rig", "deploy", str(folder), "--dry-run", "--app", "demo/app", "-o", "json"],
        env=user.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        out, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.communicate()
    answer = json.loads(out)
    if place == "rig.toml":
        assert answer["error"]["code"] == "bad_config"
    else:
        assert "index.html" in [file["path"] for file in answer["data"]["listing"]]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 40 + "*b", "a" * 200),
        ("*[ab]?" * 40 + "*c", "a" * 200),
        ("**/*a*a*b/" * 20 + "c", "a" * 100),
        ("**/a*/**/b*/" * 10 + "c", "a" * 100),
    ],
)
def test_no_ignore_pattern_takes_for_ever(folder: Path, user: User, pattern: str, name: str) -> None:
    project(folder, {".gitignore": pattern + "\n", f"{name}/{name}/{name}/{name}": "x"})
    listed = [file["path"] for file in dry_run(user, folder).data["listing"]]
    assert f"{name}/{name}/{name}/{name}" in listed


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../outside", "loop"])
def test_a_link_leads_to_nothing_outside(folder: Path, tmp_path: Path, user: User, target: str) -> None:
    (tmp_path / "outside").write_text("canary")
    (folder / "loop").symlink_to(target)
    ran = dry_run(user, folder)
    if target == "loop":
        assert ran.exit == 0
    else:
        assert (ran.exit, ran.json["error"]["code"]) == (65, "invalid_data")
    assert "canary" not in ran.stdout


def test_names_do_not_reach_the_terminal_as_they_are(folder: Path, user: User) -> None:
    project(folder, {"a\x1b[2J\x9b\u202eb": "x", "c\nd": "x"})
    (folder / "lnk").symlink_to("/\x1b]0;owned\x07")
    for form in ("table", "json", "yaml"):
        ran = user.rig("deploy", str(folder), "--dry-run", "--app", "demo/app", "-o", form)
        assert [c for c in ran.stdout + ran.stderr if not c.isprintable() and c not in "\n\t"] == []


MODULES = (
    "json",
    "http",
    "tomllib",
    "sqlite3",
    "jmespath",
    "rich",
    "typer",
    "zstandard",
    "msgspec",
    "events",
    "handlers",
)


@pytest.mark.parametrize("how", [(str(Path(sys.executable).parent / "rig"),), (sys.executable, "-m", "rig")])
def test_modules_of_the_project_are_not_ours(folder: Path, tmp_path: Path, user: User, how: tuple[str, ...]) -> None:
    """A project may be called what we import; in its folder, its code must not run in our place."""
    ran = tmp_path / "ran"
    trap = f"open({str(ran)!r}, 'a').write(__name__)\n"
    project(folder, {f"{name}.py": trap for name in MODULES})
    project(folder, {"storage/__init__.py": trap, "evil-1.dist-info/entry_points.txt": "[rig.handlers]\nx = evil:y\n"})
    for line, code in (("deploy --dry-run --app demo/app", 0), ("settings list", 0), ("nosuchverb", 64), ("audit", 0)):
        argv = [*how, *line.split(), "-o", "json"]
        done = subprocess.run(argv, cwd=folder, env=user.environ, capture_output=True, check=False)
        assert done.returncode == code, done
    assert not ran.exists()
