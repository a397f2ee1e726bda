"""Stores whose garbage is collected, and days that pass."""

from __future__ import annotations

from hashlib import sha256

from rig.node.bundles.store import Store
from rig.node.bundles.verify import commit
from tests.node.made_bundles import Source, check_whole, files_on_disk, named_files, send

DAY = 86_400


class Clock:
    """Time that stands still, before the time of any file that a test makes: none of them ages by itself."""

    def __init__(self) -> None:
        self.time = 1_600_000_000.0

    def __call__(self) -> float:
        return self.time

    def later(self, seconds: float) -> None:
        self.time += seconds


def filler(seed: int, size: int = 20_000) -> bytes:
    return sha256(b"%d" % seed).digest() * (size // 32)


def deploy(store: Store, *seeds: int, large: bytes = b"", same: bytes = b"the same in all") -> str:
    """Send a tree of these contents, in one pack, and commit it."""
    source = Source()
    root = source.root(
        source.folder(b"sub", *(source.file(b"file%d" % seed, filler(seed)) for seed in seeds)),
        source.file(b"same", same),
        *([source.file(b"large", large)] if large else []),
    )
    send(store, source.objects)
    commit(store, root)
    return root


def nothing_hangs_loose(store: Store) -> None:
    check_whole(store)
    assert files_on_disk(store) == named_files(store)
