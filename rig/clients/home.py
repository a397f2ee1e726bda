"""Where rig keeps what on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from rig.kernel.errors import RigError
from rig.kernel.files import private_folder


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one user. None is made here; :func:`make_folder` does, mode 0700, when the first file needs it."""

    config: str
    """What the user writes: settings.toml."""
    data: str
    """What must not be lost: the journal, contexts, the embedded node."""
    cache: str
    """What can be made again."""
    runtime: str
    """Sockets and locks of what runs now."""
    single: bool = False
    """Whether RIG_HOME gave one folder for all of it."""

    @property
    def settings(self) -> str:
        return os.path.join(self.config, "settings.toml")

    @property
    def contexts(self) -> str:
        return os.path.join(self.data, "contexts.json")

    @property
    def tokens(self) -> str:
        """The folder of token files, for machines without a keychain, and of the locks that guard a refresh."""
        return os.path.join(self.data, "tokens")

    @property
    def node(self) -> str:
        """The folder of the embedded node."""
        return os.path.join(self.data, "node")


def find_home(environ: Mapping[str, str]) -> Home:
    """The folders that RIG_HOME gives, or else the platform's own (XDG on Linux, Library on macOS, AppData)."""
    root = environ.get("RIG_HOME", "")
    if root:
        root = os.path.abspath(os.path.expanduser(root))
        return Home(
            config=root,
            data=root,
            cache=os.path.join(root, "cache"),
            runtime=os.path.join(root, "run"),
            single=True,
        )
    from platformdirs import PlatformDirs

    folders = PlatformDirs("rig", appauthor=False, roaming=False)
    return Home(
        config=folders.user_config_dir,
        data=folders.user_data_dir,
        cache=folders.user_cache_dir,
        # Not platformdirs' own: without XDG_RUNTIME_DIR that is a folder in /tmp, with a warning on stderr.
        runtime=os.path.join(environ.get("XDG_RUNTIME_DIR") or os.path.join(folders.user_cache_dir, "run"), "rig"),
    )


def make_folder(path: str) -> str:
    """Make a folder of ours and those above it, readable by nobody else, and give its path.

    Raises `RigError` ``bad_config``.
    """
    try:
        return private_folder(path)
    except OSError as error:
        raise RigError(
            "bad_config",
            f"{path} cannot be made: {error.strerror or error}.",
            "Give rig a folder that you can write to: `export RIG_HOME=FOLDER`.",
        ) from error
