"""Where a source came from, asked of the git program."""

from __future__ import annotations

import os

from rig.contract.releases import SourceInfo

TIMEOUT = 20.0

# Nothing that the repository's configuration names is to run, and nothing in it is to be written.
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")


def git_info(root: str) -> SourceInfo:
    """Commit, branch, first line of the message, and whether the files below ``root`` differ from the commit.

    Empty where there is no repository, no commit or no git: a deployment does not depend on it.
    """
    head = _git(root, "log", "-1", "--no-show-signature", "--format=%H%n%s")
    if not head:
        return SourceInfo()
    commit, _, subject = head.decode("utf-8", "replace").partition("\n")
    status = _git(root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--", ".")
    lines = (status or b"").decode("utf-8", "replace").split("\0")
    branch = next((line.removeprefix("# branch.head ") for line in lines if line.startswith("# branch.head ")), "")
    return SourceInfo(
        commit=commit,
        branch="" if branch == "(detached)" else branch[:255],
        dirty=any(line and not line.startswith("# ") for line in lines),
        subject=subject.strip()[:200],
    )


def _git(root: str, *arguments: str) -> bytes | None:
    """The output of git, or None where it failed or is missing."""
    import subprocess

    # GIT_DIR and its like are set where rig is called from a hook, and would point to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
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
