"""Source folders behind the `Sources` port."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rig.clients.source.listing import Listing, list_source
from rig.clients.source.tree import show
from rig.contract.bundles import EXECUTABLE, SYMLINK
from rig.contract.deploy import PlannedFile
from rig.contract.releases import SourceInfo
from rig.kernel.client import Source
from rig.kernel.ports import Progress, Transport

_MODES = {EXECUTABLE: "executable", SYMLINK: "symlink"}


class FolderSources:
    """Lists folders and sends what a platform lacks of them. ``cache`` is the folder of the stat caches."""

    def __init__(self, cache: str, transport: Callable[[], Transport]) -> None:
        self._cache = cache
        self._transport = transport

    def survey(self, folder: str, *, allow: Sequence[str], progress: Progress, files: bool = False) -> Source:
        """List and hash a folder; ``files`` asks for every file by name."""
        listing = list_source(folder, cache_dir=self._cache, allow_secrets=allow, progress=progress)
        planned = [
            PlannedFile(path=show(path), size=entry.size, mode=_MODES.get(entry.mode, "file"))
            for path, entry in (listing.tree.files() if files else ())
        ]
        return Source(
            bundle=listing.tree.bundle,
            files=listing.files,
            bytes=listing.bytes,
            listing=planned,
            warnings=listing.warnings,
            handle=listing,
        )

    def info(self, folder: str) -> SourceInfo:
        """Commit and branch of the repository that the folder is in."""
        from rig.clients.source.git import git_info

        return git_info(folder)

    def send(self, source: Source, network: str, progress: Progress) -> int:
        """Send what the platform lacks; gives the bytes that travelled."""
        from rig.clients.upload import upload

        assert isinstance(source.handle, Listing)
        return upload(self._transport(), network, source.handle, progress).sent
