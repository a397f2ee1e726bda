"""The sandbox of a run: what bubblewrap is told. Facts about this machine in, arguments out.

A process sees a root folder of its own, read-only, with the system's programs and libraries, a few harmless files of
/etc, an empty /tmp, and what its spec mounts. It has its own pid, mount, ipc and uts namespaces, so it can neither see
nor signal what runs outside; the network is the machine's. It has no capabilities and can gain none.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import msgspec

from rig.node.runtime import enter
from rig.node.runtime.driver import ProcessSpec

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "npmrc",
    "os-release",
    "pip.conf",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
)
"""What of /etc a process may see. Never a folder that could hold a private key."""

PRIVATE = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108 - inside: empty, and gone with the run
"""Writable by the process, besides its mounts."""

HOSTNAME = "app"
USER = "app"
ENTER = "/run/rig/enter.py"
"""Where our last step stands inside, see `rig.node.runtime.enter`."""


class Place(msgspec.Struct, frozen=True):
    """A path that every sandbox shows, at the same place. ``link`` is its target where it is a symbolic link."""

    path: str
    link: str = ""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known of this machine."""

    bwrap: str
    python: str
    """A Python outside of any virtual environment, visible inside."""
    places: tuple[Place, ...]
    switch_user: bool
    """Whether the node is root: then every owner gets a user of its own; else a run keeps the node's user."""

    @classmethod
    def inspect(cls, bwrap: str) -> Host:
        """Look at this machine."""
        system = [_place(path) for path in SYSTEM if os.path.lexists(path)]
        etc = [_place(f"/etc/{name}") for name in ETC if os.path.exists(f"/etc/{name}")]
        prefixes = [Place(str(prefix)) for prefix in toolchains()]
        return cls(
            bwrap=bwrap,
            python=base_python(),
            places=tuple(system + etc + prefixes),
            switch_user=os.geteuid() == 0,
        )


def base_python() -> str:
    """The interpreter below the virtual environment, if this is one: it starts faster, and stands in a known prefix."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def toolchains() -> list[Path]:
    """Prefixes of Python and Node where they are not below /usr. Such a prefix is shown, and nothing around it."""
    found = []
    node = shutil.which("node")
    for prefix in (Path(sys.base_prefix).resolve(), Path(node).resolve().parent.parent if node else None):
        if prefix is not None and _is_prefix(prefix) and prefix not in found:
            found.append(prefix)
    return found


def _is_prefix(path: Path) -> bool:
    """Whether it is an installation of its own, and not a folder that holds everything else too."""
    shared = (Path("/"), Path("/usr"), Path("/usr/local"), Path("/home"), Path("/root"), Path.home())
    return path not in shared and not path.is_relative_to("/usr") and path.name not in (".local", "local")


def _place(path: str) -> Place:
    """A link into /usr stays a link, as /bin on a merged system; with /etc/localtime the name of the target counts."""
    if os.path.islink(path) and os.path.realpath(path).startswith("/usr/"):
        return Place(path, os.readlink(path))
    return Place(path)


def user_of(owner: str) -> int:
    """The user id of an owner's runs, where the node is root.

    From 1879048192–2147483647, a range that nothing on a Linux system hands out (systemd's UIDS-GIDS list calls it
    unused). Two owners may meet on one id, rarely; mounts and pids keep them apart all the same.
    """
    import hashlib

    digest = hashlib.sha256(b"rig-user\0" + owner.encode()).digest()
    return 0x7000_0000 + int.from_bytes(digest[:4], "big") % (1 << 28)


def etc_files(uid: int, gid: int) -> dict[str, str]:
    """Generated files of /etc: users and groups, of which there is one that counts, and the names of this host."""
    hosts = Path("/etc/hosts")
    rest = hosts.read_text(errors="replace") if hosts.exists() else "127.0.0.1 localhost\n::1 localhost\n"
    return {
        "passwd": f"root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n{USER}:x:{uid}:{gid}::/home/app:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "group": f"root:x:0:\n{USER}:x:{gid}:\nnogroup:x:65534:\n",
        "hosts": f"127.0.0.1 {HOSTNAME}\n{rest}",
    }


def arguments(spec: ProcessSpec, host: Host, etc: Path) -> list[str]:
    """What bubblewrap gets through ``--args``; ``etc`` holds :func:`etc_files`. See bwrap(1)."""
    words = ["--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    words += ["--hostname", HOSTNAME]
    if host.switch_user:
        # No user namespace, where root inside would be root outside: `enter` changes to the owner's user, needs these
        # two for it, and loses them with the change.
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    links = [place for place in host.places if place.link]
    binds = [("--ro-bind", place.path, place.path) for place in host.places if not place.link]
    binds += [("--ro-bind", str(etc / name), f"/etc/{name}") for name in etc_files(0, 0)]
    binds += [("--ro-bind", enter.__file__, ENTER)]
    binds += [("--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target) for mount in spec.mounts]
    for folder in _parents([*(place.path for place in links), *(target for _, _, target in binds)]):
        # bubblewrap makes the folders on the way 0700, and another user could not pass.
        words += ["--perms", "0755", "--dir", folder]
    for folder in PRIVATE:
        words += ["--perms", "1777", "--tmpfs", folder]
    for place in links:
        words += ["--symlink", place.link, place.path]
    for bind in binds:
        words += bind
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


def _parents(targets: list[str]) -> list[str]:
    """The folders on the way to ``targets``, outermost first; those that stand inside of another target left out."""
    inside = tuple(f"{target}/" for target in targets)
    found = {str(parent) for target in targets for parent in Path(target).parents} - {"/"}
    return sorted(folder for folder in found if not f"{folder}/".startswith(inside))
