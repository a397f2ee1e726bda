"""What a sandbox shows, what it hides, and when a node may do without."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from rig.node.runtime import enter, isolation, sandbox
from rig.node.runtime.cgroups import MemoryLimiter
from rig.node.runtime.driver import Mount, ProcessSpec
from rig.node.runtime.ownership import hand_over
from rig.node.runtime.process import ProcessDriver
from tests.node.runs import Runs, runs_below
from tests.support import TIMEOUT

HOST = sandbox.Host(
    bwrap="/usr/bin/bwrap",
    python="/opt/python/bin/python3",
    places=(sandbox.Place("/usr"), sandbox.Place("/bin", "usr/bin"), sandbox.Place("/opt/python")),
    switch_user=False,
)


def spec() -> ProcessSpec:
    return ProcessSpec(
        id="r1",
        argv=("true",),
        env={"SECRET": "canary"},
        cwd="/app",
        mounts=(
            Mount(source=Path("/node/app"), target="/app"),
            Mount(source=Path("/node/home"), target="/home/app", writable=True),
        ),
        state_dir=Path("/node/state"),
        log_dir=Path("/node/log"),
    )


def pairs(words: list[str], option: str, width: int = 2) -> list[tuple[str, ...]]:
    return [tuple(words[i + 1 : i + 1 + width]) for i, word in enumerate(words) if word == option]


def test_the_arguments_name_what_is_shown_and_nothing_else() -> None:
    words = sandbox.arguments(spec(), HOST, Path("/node/state/etc"))
    assert pairs(words, "--ro-bind") == [
        ("/usr", "/usr"),
        ("/opt/python", "/opt/python"),
        ("/node/state/etc/passwd", "/etc/passwd"),
        ("/node/state/etc/group", "/etc/group"),
        ("/node/state/etc/hosts", "/etc/hosts"),
        (enter.__file__, "/run/rig/enter.py"),
        ("/node/app", "/app"),
    ]
    assert pairs(words, "--bind") == [("/node/home", "/home/app")]
    assert pairs(words, "--symlink") == [("usr/bin", "/bin")]
    assert {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"} <= set(words)
    assert pairs(words, "--tmpfs", 1) == [("/dev/shm",), ("/tmp",), ("/var/tmp",)]
    assert words[-6:] == ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


def test_secrets_and_the_program_are_no_arguments() -> None:
    assert not [word for word in sandbox.arguments(spec(), HOST, Path("/etc")) if "canary" in word or word == "true"]


def test_without_root_there_is_a_user_namespace_and_with_root_a_change_of_user() -> None:
    words = sandbox.arguments(spec(), HOST, Path("/e"))
    assert "--unshare-user" in words
    assert "--cap-add" not in words
    root = sandbox.Host(bwrap="b", python="p", places=(), switch_user=True)
    words = sandbox.arguments(spec(), root, Path("/e"))
    assert "--unshare-user" not in words
    assert pairs(words, "--cap-drop", 1) == [("ALL",)]
    assert pairs(words, "--cap-add", 1) == [("CAP_SETUID",), ("CAP_SETGID",)]


def test_folders_on_the_way_can_be_passed_by_another_user() -> None:
    words = sandbox.arguments(spec(), HOST, Path("/e"))
    assert ("--perms", "0755", "--dir", "/home") in list(zip(words, words[1:], words[2:], words[3:], strict=False))
    assert [folder for (folder,) in pairs(words, "--dir", 1)] == ["/etc", "/home", "/opt", "/run", "/run/rig"]


@pytest.mark.parametrize("path", ["/", "/usr", "/usr/local", "/home", "/root", str(Path.home()), "/home/ana/.local"])
def test_a_toolchain_below_a_folder_that_holds_more_is_not_shown(path: str) -> None:
    assert not sandbox._is_prefix(Path(path))


def test_owners_have_users_of_their_own_in_an_unused_range() -> None:
    users = {sandbox.user_of(f"demo/app{i}") for i in range(200)}
    assert len(users) == 200
    assert all(0x7000_0000 <= user < 0x8000_0000 for user in users)
    assert sandbox.user_of("demo/app1") == sandbox.user_of("demo/app1")


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with runs_below(tmp_path, "bubblewrap") as made:
        yield made


def run(runs: Runs, script: str, *mounts: Mount) -> list[str]:
    made = runs.shell(script)
    if mounts:
        import msgspec

        made = msgspec.structs.replace(made, mounts=(*made.mounts, *mounts))
    asyncio.run(runs.driver.run(made, TIMEOUT))
    return runs.output(made)


@pytest.mark.needs("bwrap")
def test_the_nodes_folder_other_apps_and_this_machine_are_out_of_sight(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    other = Runs(tmp_path, "bubblewrap", owner="demo/other")
    (other.home / "secret").write_text("canary")
    lines = run(runs, f"cat {tmp_path}/secret {other.home}/secret; ls -A /home {tmp_path} /root /var /run; ls /etc")
    assert not [line for line in lines if "canary" in line]
    assert "shadow" not in lines
    assert "ssh" not in lines
    assert f"cat: {tmp_path}/secret: No such file or directory" in lines


@pytest.mark.needs("bwrap")
def test_only_home_tmp_and_writable_mounts_can_be_written(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    places = "/home/app /tmp /var/tmp /dev/shm / /usr /etc /dev /proc /run /run/rig /home /code"
    lines = run(
        runs,
        f"for d in {places}; do if (: > $d/x) 2> /dev/null; then echo $d; fi; done",
        Mount(source=tmp_path / "code", target="/code"),
    )
    assert lines == ["/home/app", "/tmp", "/var/tmp", "/dev/shm"]
    assert (runs.home / "x").exists()


@pytest.mark.needs("bwrap")
def test_other_processes_cannot_be_seen_or_signalled(runs: Runs) -> None:
    bystander = subprocess.Popen(["sleep", "100"], env={"CANARY": "canary"})
    try:
        lines = run(
            runs,
            f"ls /proc | grep -c '^[0-9]'; kill -9 {bystander.pid} -1; grep -sc canary /proc/*/environ; exit 0",
        )
        assert int(lines[0]) <= 5
        assert not [line for line in lines if line.startswith("/proc") and not line.endswith(":0")]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.needs("bwrap")
def test_there_are_no_capabilities_and_none_can_be_gained(runs: Runs) -> None:
    lines = run(runs, "cat /proc/self/status; id -u")
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {status[name] for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert lines[-1] == str(sandbox.user_of(runs.owner) if os.geteuid() == 0 else os.getuid())
    assert lines[-1] != "0"


@pytest.mark.needs("bwrap")
def test_a_unix_socket_of_the_node_is_out_of_reach(runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    script = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        made = runs.python(script)
        assert asyncio.run(runs.driver.run(made, TIMEOUT)).code == 1
    assert runs.output(made)[-1] == "FileNotFoundError: [Errno 2] No such file or directory"


@pytest.mark.needs("bwrap")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files that its apps must not read")
def test_files_of_root_are_closed_even_where_they_are_visible(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir(mode=0o755)
    (tmp_path / "shown" / "key").write_text("canary")
    (tmp_path / "shown" / "key").chmod(0o600)
    lines = run(runs, "cat /shown/key", Mount(source=tmp_path / "shown", target="/shown"))
    assert lines == ["cat: /shown/key: Permission denied"]


@pytest.mark.needs("bwrap")
def test_names_and_users_can_be_looked_up_inside(runs: Runs) -> None:
    assert run(runs, "hostname; id -un; getent hosts $(hostname) | cut -d' ' -f1") == ["app", "app", "127.0.0.1"]


@pytest.mark.needs("bwrap")
def test_a_sandbox_that_cannot_be_set_up_is_an_error_that_says_why(runs: Runs, tmp_path: Path) -> None:
    import msgspec

    made = msgspec.structs.replace(runs.shell("true"), mounts=(Mount(source=tmp_path / "missing", target="/m"),))
    with pytest.raises(RigError, match=r"cannot be set up: .*missing.*No such file"):
        asyncio.run(runs.driver.start(made))


def test_places_are_the_hosts_without_a_sandbox_and_fixed_ones_within(tmp_path: Path) -> None:
    assert ProcessDriver("none").place(tmp_path, "/app") == str(tmp_path)


def without_bwrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "find_bwrap", lambda: "")


def with_broken_bwrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(isolation, "find_bwrap", lambda: str(program))


def test_a_public_node_refuses_to_go_without_and_a_local_one_may(monkeypatch: pytest.MonkeyPatch) -> None:
    without_bwrap(monkeypatch)
    assert isolation.probe() == "bubblewrap is not installed"
    assert isolation.choose("auto", public=False) == "none"
    assert isolation.choose("none", public=True) == "none"
    with pytest.raises(RigError) as caught:
        isolation.choose("auto", public=True)
    assert caught.value.code == "missing_program"
    assert "apt-get install bubblewrap" in caught.value.hint
    with pytest.raises(RigError):
        isolation.choose("bubblewrap", public=False)


def test_a_bubblewrap_that_does_not_work_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_broken_bwrap(monkeypatch, tmp_path)
    assert isolation.choose("auto", public=False) == "none"
    with pytest.raises(RigError, match="setting up uid map: Permission denied") as caught:
        isolation.choose("auto", public=True)
    assert caught.value.code == "bad_config"
    assert "docs/guides/isolation.md" in caught.value.hint


@pytest.mark.needs("bwrap")
def test_bubblewrap_is_chosen_where_it_works() -> None:
    assert isolation.probe() == ""
    assert isolation.choose("auto", public=True) == "bubblewrap"


def cgroup(root: Path, controllers: str, parent_controllers: str = "memory") -> MemoryLimiter:
    """A picture of /sys/fs/cgroup in which the node's group is user.slice/node.service."""
    (root / "user.slice" / "node.service").mkdir(parents=True)
    (root / "cgroup.controllers").write_text(controllers)
    (root / "user.slice" / "cgroup.subtree_control").write_text(parent_controllers)
    return MemoryLimiter(root, "/user.slice/node.service")


@pytest.mark.parametrize(
    ("controllers", "delegated", "words"),
    [("cpu io", "", "no memory controller"), ("cpu memory", "cpu", "not delegated"), ("memory", "memory", "")],
)
def test_whether_memory_can_be_limited(tmp_path: Path, controllers: str, delegated: str, words: str) -> None:
    problem = cgroup(tmp_path, controllers, delegated).problem()
    assert (words in problem) if words else problem == ""


def test_without_cgroup_v2_a_limit_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="no cgroup v2") as caught:
        MemoryLimiter(tmp_path, "/").create("r1", 1 << 20)
    assert caught.value.code == "bad_config"
    assert "Delegate=yes" in caught.value.hint


def test_a_group_that_takes_no_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="offers none"):
        cgroup(tmp_path, "memory").create("r1", 1 << 20)
    assert [path.name for path in (tmp_path / "user.slice").iterdir() if path.is_dir()] == ["node.service"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_hand_over_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "file").write_text("")
    (inside / "deep" / "link").symlink_to(outside)
    (inside / "deep" / "filelink").symlink_to(outside / "file")
    hand_over(inside, 1_900_000_001)
    assert {path.lstat().st_uid for path in (inside, *inside.rglob("*"))} == {1_900_000_001}
    assert {path.lstat().st_uid for path in (outside, outside / "file")} == {0}
