"""What is shipped: the wheel holds all that the installed command needs, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as an installer builds it: with a build environment of its own, from the package index."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    if "build dependencies" in done.stderr:  # the index has none, is not there, or has answered with an error
        reason = f"needs a package index, for hatchling: {done.stderr}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("rig-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel in it; what rig depends on is lent to it."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    programs = environment / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    site = subprocess.run(
        [programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # A folder that a .pth file names has no .pth files of its own: the checkout does not come along.
    (Path(site) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_the_wheel_holds_the_packages_their_types_and_the_migrations(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("rig", "events", "handlers", "storage"):
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
    migrations = {path.name for path in (ROOT / "migrations").glob("*.sql")}
    assert {name.removeprefix("storage/migrations/") for name in names if name.endswith(".sql")} == migrations
    assert migrations
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rig", "events", "handlers", "storage"}
    sources = {str(path.relative_to(ROOT)) for top in tops for path in (ROOT / top).rglob("*.py")}
    assert sources <= names


def test_the_packages_that_the_front_door_binds_are_empty() -> None:
    """They are imported with every `rig --version`."""
    for package in ("events", "handlers", "storage"):
        assert (ROOT / package / "__init__.py").read_bytes() == b""


def test_the_installed_command_works(installed: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "RIG_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [installed / "rig", "journal", "info", "-o", "json"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["schema_version"] == len(list((ROOT / "migrations").glob("*.sql")))
    where = subprocess.run(
        [installed / "python", "-c", "import rig; print(rig.__file__)"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ROOT not in Path(where.stdout.strip()).parents
