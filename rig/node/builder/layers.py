"""Dependency layers: folders with what a lock file asks for, made once and shared by all builds of one app.

A layer is filled at the path at which it will be used, since virtual environments cannot be moved. A stamp beside the
folder, out of reach of what runs in it, says that it is complete: without one it is thrown away and made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from rig.kernel.files import write_atomic
from rig.kernel.ids import rfc3339
from rig.node.builder.model import BUILDER_VERSION, BuildMount, relative_mount
from rig.node.builder.workbench import Workbench
from rig.node.runtime.driver import Mount
from rig.node.runtime.removal import remove_tree

LAYERS = "/layers"
STAMP = ".json"
"""What the name of a layer's stamp ends with, behind that of the folder."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    inside: str
    """Where a process finds it."""
    mount: BuildMount
    installed: bool
    """Whether it was made just now."""


Fill = Callable[[str, Mount], Awaitable[None]]
"""Fills a layer, given its path inside and the writable mount of it. It runs its commands at the workbench."""


def layer_key(bench: Workbench, kind: str, parts: Mapping[str, bytes]) -> str:
    """SHA-256 (128 bits of it) over all that decides what an installation gives.

    ``parts`` are the contents of the lock files and the language's version; the builder's own version, the machine's
    kind, the isolation, the place of the layers and the digests of the build's secrets come on top.
    """
    everything = {
        "kind": kind.encode(),
        "builder": str(BUILDER_VERSION).encode(),
        "isolation": bench.driver.isolation.encode(),
        "place": bench.driver.place(bench.paths.layers, LAYERS).encode(),
        "platform": f"{sys.platform} {platform.machine()} {' '.join(platform.libc_ver())}".encode(),
        **{f"part {name}": value for name, value in parts.items()},
        **{f"secret {name}": kept.encode() for name, kept in bench.request.secrets.items()},
    }
    digest = hashlib.sha256()
    for name, value in sorted(everything.items()):
        for field in (name.encode(), value):
            digest.update(len(field).to_bytes(8, "big"))
            digest.update(field)
    return f"{kind}-{digest.hexdigest()[:32]}"


async def provide(bench: Workbench, kind: str, parts: Mapping[str, bytes], fill: Fill) -> Layer:
    """The layer for these parts, filled now if no earlier build has done so."""
    key = layer_key(bench, kind, parts)
    host = bench.paths.layers / key
    inside = bench.driver.place(host, f"{LAYERS}/{key}")
    mount = relative_mount(host, inside, bench.paths)
    if complete(host):
        bench.log.heading("Dependencies are unchanged: nothing to install")
        return Layer(key=key, inside=inside, mount=mount, installed=False)
    await asyncio.to_thread(remove_tree, host)
    await fill(inside, bench.writable(host, inside))
    await asyncio.to_thread(seal, host)
    return Layer(key=key, inside=inside, mount=mount, installed=True)


def complete(layer: Path) -> bool:
    """Whether the layer in this folder was filled to its end."""
    return stamp_of(layer).exists()


def seal(layer: Path) -> None:
    """Note that the layer in this folder is complete."""
    # A stamp that reaches the disk before the files do would vouch for empty ones after a power cut.
    os.sync()
    write_atomic(stamp_of(layer), msgspec.json.encode({"key": layer.name, "completed_at": rfc3339(time.time_ns())}))


def stamp_of(layer: Path) -> Path:
    """What says that the layer in this folder is complete: a file beside it."""
    return layer.with_name(layer.name + STAMP)
