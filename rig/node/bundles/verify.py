"""Makes sure that a tree is whole, within its limits, and that no symlink in it leads out."""

from __future__ import annotations

from rig.contract.bundles import (
    DIRECTORY,
    SYMLINK,
    TARGET_MAX,
    Bundle,
    BundleError,
    Entry,
    decode_directory,
    symlink_climb,
)
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.node.bundles.index import Place, Totals
from rig.node.bundles.store import Store


def commit(store: Store, bundle: str) -> Bundle:
    """Make sure that a bundle is whole; from then on it can be used. Doing it again is harmless.

    Raises `RigError`: ``not_found`` while something is missing (details: ``lacking``, a count, and ``empty``,
    whether nothing at all is here), ``too_large``, or ``invalid_data`` where a symlink leads out of it.
    """
    try:
        with store.index.change():
            totals = Verification(store).run(bytes.fromhex(bundle))
            store.index.claim_directories([bytes.fromhex(bundle)])
            failpoint("bundle.verified")
        failpoint("bundle.committed")
    except BundleError as error:
        raise RigError(error.code, f"The bundle {bundle[:12]} is refused: {error}.") from error
    return Bundle(bundle=bundle, files=totals.files, bytes=totals.bytes)


class Verification:
    """One walk from a root down to what is known to be whole. Each directory is looked at once, however often it is
    part of the tree: a few kilobytes can describe a tree of 2^100 files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.index
        self._limits = store.limits
        self._whole: dict[bytes, Totals] = {}
        self._lacking = 0

    def run(self, root: bytes) -> Totals:
        """Verify ``root``, and mark all below it as whole; to be called inside a change of the index."""
        totals = self._directory(root, 0)
        if totals is None or self._lacking:
            raise RigError(
                "not_found",
                f"The bundle {root.hex()[:12]} is not whole: {max(self._lacking, 1)} of its parts are not here.",
                "Deploy again; only what is missing will be sent.",
                lacking=max(self._lacking, 1),
                empty=self._index.is_empty(),
            )
        if totals.climb > 0:
            raise BundleError("a symlink in it leads out of it")
        self._index.mark_whole(self._whole.items())
        return totals

    def _directory(self, digest: bytes, depth: int) -> Totals | None:
        if depth > self._limits.depth:
            raise BundleError(f"it is more than {self._limits.depth} directories deep")
        known = self._whole.get(digest) or self._index.totals(digest)
        if known:
            if depth + known.height > self._limits.depth:
                raise BundleError(f"it is more than {self._limits.depth} directories deep")
            return known
        body = self._index.body(digest)
        if body is None:
            self._lacking += 1
            return None
        totals = Totals()
        entries = decode_directory(body)
        places = self._index.places([entry.digest for entry in entries if entry.mode != DIRECTORY])
        for entry in entries:
            if entry.mode == DIRECTORY:
                below = self._directory_entry(entry, depth)
            else:
                below = self._file(entry, places.get(entry.digest))
            if below:
                totals = self._sum(totals, entry, below)
        if not self._lacking:
            self._whole[digest] = totals
        return totals

    def _directory_entry(self, entry: Entry, depth: int) -> Totals | None:
        below = self._directory(entry.digest, depth + 1)
        if below is None:
            return None
        body = self._index.body(entry.digest)
        if body is None or len(body) != entry.size:
            raise BundleError(f"the directory {entry.name!r} is not of the size that is announced")
        return Totals(below.files, below.bytes, below.height + 1, below.longest + 1, below.climb - 1)

    def _file(self, entry: Entry, place: Place | None) -> Totals | None:
        if place is None:
            self._lacking += 1
            return None
        if place.size != entry.size:
            raise BundleError(f"{entry.name!r} is not of the size that is announced")
        climb = -self._limits.depth
        if entry.mode == SYMLINK:
            if entry.size > TARGET_MAX:
                raise BundleError(f"the target of the symlink {entry.name!r} is too long")
            climb = symlink_climb(self._store.read(entry.digest))
        return Totals(1, entry.size, 0, 0, climb)

    def _sum(self, totals: Totals, entry: Entry, below: Totals) -> Totals:
        totals = Totals(
            totals.files + below.files,
            totals.bytes + below.bytes,
            max(totals.height, below.height),
            max(totals.longest, below.longest + len(entry.name)),
            max(totals.climb, below.climb),
        )
        limits = self._limits
        if totals.files > limits.files or totals.bytes > limits.bytes:
            raise BundleError(f"it holds more than {limits.files} files or {limits.bytes} bytes", "too_large")
        if totals.longest > limits.path:
            raise BundleError(f"a path in it is over {limits.path} bytes")
        return totals
