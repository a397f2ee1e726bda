"""What a node and a client do on a disk that is really full. Run in a mount namespace of its own.

``python -m tests.faults.small_disk SCENARIO DISK FOLDER``: DISK is the mount point of a small tmpfs, FOLDER lies
elsewhere and has room. It prints the scenario's name where all is as it should be.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.rig import WEB, Ran, User, project
from tests.kills.leftovers import broken_journals, leftovers, open_changes
from tests.kills.machine import Machine
from tests.support import TIMEOUT, wait_until

APP = "demo/app"
MB = 1 << 20


class Disk:
    """The small file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.filler = root / "filler"

    @property
    def left(self) -> int:
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes, or less where somebody else writes meanwhile."""
        size = 0
        with self.filler.open("wb") as file:
            while (room := self.left - left) > 0:
                with suppress(OSError):  # somebody was faster: look again
                    os.posix_fallocate(file.fileno(), size, room)
                    size += room

    def free(self) -> None:
        self.filler.unlink()

    @contextmanager
    def full(self, left: int = 0) -> Iterator[None]:
        self.fill(left)
        yield
        self.free()


def app(folder: Path, version: str, *, build: str = "true", release: str = "true") -> Path:
    """A web app that takes no room when it is built."""
    files = {
        "main.py": WEB.replace('"one"', f'"{version}"'),
        "Procfile": f"web: python3 main.py\nrelease: {release}\n",
        "rig.toml": f"[build]\nbuilder = \"procfile\"\ncommand = '{build}'\n[deploy]\ndrain = 1\n",
    }
    return project(folder, files)


def deploy(user: User, folder: Path) -> Ran:
    return user.rig("deploy", str(folder), "--app", APP, "-o", "json")


def deployed(user: User, folder: Path, version: str) -> None:
    """A deployment succeeds, as if nothing had been."""
    ran = deploy(user, app(folder / "source", version))
    assert ran.exit == 0, ran
    assert serves(user, version)


def refused(ran: Ran) -> dict[str, Any]:
    """The error of a command that has failed because of the disk, and says so."""
    assert ran.exit not in (0, 70), ran
    error: dict[str, Any] = ran.json["error"]
    assert error["code"] != "internal", error
    said = f"{error['message']} {error['hint']} {error['details']}".lower()
    assert "disk" in said or "no space left" in said, error
    return error


def releases(user: User) -> list[tuple[int, str]]:
    return [(each["version"], each["outcome"]) for each in user.ok("history", APP, "-o", "json").data["releases"]]


def serves(user: User, version: str) -> bool:
    return user.get(APP) == (200, f"{version} /")


def calm(node: Machine, client: User) -> None:
    """Nothing is left of what did not come off."""
    client.ok("whoami")  # whose end was not known is learned now
    wait_until(lambda: not open_changes(client.home), "every change has its end")
    wait_until(lambda: not leftovers(node.home), "nothing is left over")
    assert broken_journals(node.home) == []


# -- the node's disk: the client has room of its own ---------------------------------------------------------------


def upload(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """The pack does not fit; what was there goes on, and the same command works when there is room."""
    source = app(folder / "source", "two")
    (source / "large").write_bytes(os.urandom(12 * MB))
    with disk.full(left=3 * MB):
        error = refused(deploy(client, source))
        assert error["retryable"], error
        assert serves(client, "one")
    assert releases(client) == [(1, "succeeded")]
    deployed(client, folder, "two")
    assert releases(client) == [(2, "succeeded"), (1, "succeeded")]


def build(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """A build fills the disk by itself; its rubbish goes, or nothing could be recorded ever after."""
    source = app(folder / "source", "two", build="cat /dev/zero > rubbish")
    error = refused(deploy(client, source))
    assert error["code"] == "build_failed", error
    assert disk.left > 8 * MB
    recovered(client, folder)


def built(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """A build that does not mind: there is no room to note that it is done."""
    source = app(folder / "source", "two", build="cat /dev/zero > rubbish || true")
    refused(deploy(client, source))
    assert disk.left > 8 * MB
    recovered(client, folder)


def release(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """A release command fills the disk, with what is not the node's to remove: the failure is told, and recorded as
    soon as there is room."""
    node.node_points.arm("release.failing", "stop")
    source = app(folder / "source", "two", release=f"cat /dev/zero > {disk.filler}")
    with client.spawn("deploy", str(source), "--app", APP, "-o", "json") as deploying:
        try:
            wait_until(node.node_points.reached, "the release has failed")
            assert disk.left < MB
            assert serves(client, "one")
            disk.free()
            go_on(node)
            stdout, stderr = deploying.communicate(timeout=TIMEOUT)
        finally:
            deploying.kill()
    assert refused(Ran(deploying.returncode, stdout, stderr))["code"] == "release_failed"
    recovered(client, folder)


def start(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """The disk is full when the new processes are to start."""
    node.node_points.arm("release.commanded", "stop")
    source = app(folder / "source", "two")
    with client.spawn("deploy", str(source), "--app", APP, "-o", "json") as deploying:
        try:
            wait_until(node.node_points.reached, "the new processes are to start")
            disk.fill()
            node.node_points.arm("release.failing", "stop")
            go_on(node)
            wait_until(node.node_points.reached, "the release has failed")
            assert serves(client, "one")
            disk.free()
            go_on(node)
            stdout, stderr = deploying.communicate(timeout=TIMEOUT)
        finally:
            deploying.kill()
    refused(Ran(deploying.returncode, stdout, stderr))
    recovered(client, folder)


def recovered(client: User, folder: Path) -> None:
    """The version before has served all the time, and the next deployment is an ordinary one."""
    assert serves(client, "one")
    assert releases(client) == [(2, "failed"), (1, "succeeded")]
    deployed(client, folder, "two")


def go_on(node: Machine) -> None:
    os.kill(node.node.pid, signal.SIGCONT)


def append(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """Nothing can be recorded: nothing happens, and what only reads goes on."""
    source = app(folder / "source", "two")
    with disk.full():
        for argv in (
            ("create", "app", "demo/nowhere"),
            ("update", "app", APP, "--scale", "web=2"),
            ("restart", APP),
            ("delete", "app", APP, "--yes"),
        ):
            error = refused(client.rig(*argv, "-o", "json"))
            assert (error["code"], error["retryable"]) == ("journal_unavailable", True), error
        refused(deploy(client, source))
        assert serves(client, "one")
        assert releases(client) == [(1, "succeeded")]
    assert [each["name"] for each in client.ok("list", "apps", "-o", "json").data["apps"]] == [APP]
    deployed(client, folder, "two")


def killed(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """A node that is killed on a full disk: its apps go on, and the next one begins when there is room."""
    with disk.full():
        node.kill_node()
        assert serves(node, "one")
        assert node.spawn_node().wait(TIMEOUT) == 1, node.node_log()
        assert serves(node, "one")
    node.run_node()
    deployed(client, folder, "two")


# -- the client's disk: the node has room of its own ---------------------------------------------------------------


def client_before(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """A client that can record nothing changes nothing; what only reads goes on, and says so."""
    source = app(folder / "source", "two")
    with disk.full():
        error = refused(deploy(client, source))
        assert error["code"] == "journal_unavailable", error
        listed = client.ok("list", "apps", "-o", "json")
        assert [each["name"] for each in listed.data["apps"]] == [APP]
        assert any("journal" in warning for warning in listed.json["warnings"]), listed
    assert releases(client) == [(1, "succeeded")]
    deployed(client, folder, "two")


def client_meanwhile(disk: Disk, node: Machine, client: User, folder: Path) -> None:
    """Its disk fills up while it watches: the release goes on, and the next command learns its end."""
    gate = folder / "gate"
    source = app(folder / "source", "two", build=f"while ! test -e {gate}; do sleep 0.1; done")
    with client.spawn("deploy", str(source), "--app", APP, "-o", "json") as deploying:
        try:
            wait_until(lambda: node.rig("status", "app", APP, "-o", "json").data["phase"] == "building", "it is built")
            disk.fill()
            gate.touch()
            stdout, stderr = deploying.communicate(timeout=TIMEOUT)
        finally:
            deploying.kill()
    assert deploying.returncode == 0, stderr
    assert any("journal" in warning for warning in json.loads(stdout)["warnings"]), stdout
    assert serves(node, "two")
    disk.free()
    assert releases(node) == [(2, "succeeded"), (1, "succeeded")]


NODE: dict[str, Callable[[Disk, Machine, User, Path], None]] = {
    each.__name__: each for each in (upload, build, built, release, start, append, killed)
}
CLIENT = {each.__name__: each for each in (client_before, client_meanwhile)}


def main(scenario: str, root: str, elsewhere: str) -> None:
    disk, folder = Disk(Path(root)), Path(elsewhere)
    on_disk = scenario in NODE
    node = Machine(disk.root if on_disk else folder, "none")
    client = User((folder if on_disk else disk.root) / "client")
    client.home.mkdir()
    try:
        node.run_node()
        node.ok("login")
        token = json.loads((node.home / "tokens" / "local.json").read_text())["access_token"]
        client.environ |= {"RIG_URL": node.node.api, "RIG_TOKEN": token}
        client.get = node.get  # type: ignore[method-assign]
        client.ok("create", "network", "demo")
        client.ok("create", "app", APP)
        deployed(client, folder, "one")
        ({**NODE, **CLIENT}[scenario])(disk, node, client, folder)
        calm(node, client)
    finally:
        disk.filler.unlink(missing_ok=True)
        node.stop_everything()
    print(scenario)


if __name__ == "__main__":
    main(*sys.argv[1:])
