"""Where a source came from, asked of the git program."""

from __future__ import annotations

import os

from rig.contract.releases import SourceInfo
from rig.kernel.ids import rfc3339

TIMEOUT = 20.0

# Nothing that the repository's configuration names is to run, and nothing in it is to be written.
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # A partial clone fetches what it lacks, by programs that its configuration names; the second is for older gits.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


def git_info(root: str) -> SourceInfo:
    """Commit and its time, branch, first line of its message, and whether the files below ``root`` differ from it.

    Empty where there is no repository, no commit or no git: a deployment does not depend on it.
    """
    head = _git(root, "log", "-1", "--no-show-signature", "--format=%H %ct%n%s")
    if not head:
        return SourceInfo()
    named, _, subject = head.decode("utf-8", "replace").partition("\n")
    commit, _, seconds = named.partition(" ")
    status = _status(root)
    lines = (status or b"").decode("utf-8", "replace").split("\0")
    branch = next((line.removeprefix("# branch.head ") for line in lines if line.startswith("# branch.head ")), "")
    return SourceInfo(
        commit=commit,
        committed_at=rfc3339(int(seconds) * 1_000_000_000),
        branch="" if branch == "(detached)" else branch[:255],
        dirty=any(line and not line.startswith("# ") for line in lines),
        subject=subject.strip()[:200],
    )


def _status(root: str) -> bytes | None:
    """What differs from the commit, as ``git status`` tells it; None where it cannot be asked safely.

    It compares contents by way of filters, and those that the repository itself configures are switched off: a folder
    from a stranger may hold its own ``.git/config``. What the user has set up (Git LFS) stays. Submodules have a
    configuration of their own, so they are compared by their commit alone.
    """
    settings = _git(root, "config", "--list", "--name-only", "--show-scope", "-z")
    if settings is None:
        return None
    words = settings.decode("utf-8", "surrogateescape").split("\0")
    own = {name for scope, name in zip(words[::2], words[1::2], strict=False) if scope in {"local", "worktree"}}
    filters = sorted(name for name in own if name.lower().startswith("filter."))
    if any("=" in name for name in filters):
        return None  # such a name cannot be given to `-c`
    off = [word for name in filters for word in ("-c", f"{name}={_OFF.get(name.rpartition('.')[2].lower(), '')}")]
    asked = ("--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty")
    return _git(root, *off, "status", *asked, "--", ".")


_OFF = {"required": "false"}
"""What switches a filter's setting off, where an empty text does not."""


def _git(root: str, *arguments: str) -> bytes | None:
    """The output of git, or None where it failed or is missing."""
    import subprocess

    # GIT_DIR and its like are set where rig is called from a hook, and would point to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= _ENVIRONMENT
    try:
        done = subprocess.run(
            ["git", "-C", root, *_OPTIONS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
