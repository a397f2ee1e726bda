"""`rig history`."""

from __future__ import annotations

from rig.cli.humanize import brief, minute, who
from rig.cli.output import Output
from rig.cli.pages import more
from rig.cli.verb import Verb
from rig.contract.releases import ListReleases, Release, ReleasePage

VALUES = ("env.", "secret.")
"""How the names of what variables and secrets changed begin."""


def show(page: ReleasePage, out: Output) -> None:
    when = brief if out.narrow else minute
    rows = [
        (
            f"v{release.version}" + (" *" if release.current else ""),
            outcome(release, live=not page.as_of, narrow=out.narrow),
            when(release.created_at),
            who(release.created_by),
            commit(release),
            release.bundle[:8],
            what(release),
        )
        for release in page.releases
    ]
    headers = ("RELEASE", "OUTCOME", "WHEN", "WHO", "COMMIT", "BUNDLE", "WHAT CHANGED")
    out.table(headers, rows, empty="No releases yet. Make one: rig deploy", whole=("WHEN",))
    more(page.next, out)


def outcome(release: Release, *, live: bool = True, narrow: bool = False) -> str:
    """``succeeded``, ``failed: build_failed`` or the phase of one that is being made.

    Of one that served and cannot be brought back, that its build was collected; the platform alone knows (``live``).
    A ``narrow`` one leaves out what the other half implies: ``build_failed``, ``collected``.
    """
    if release.outcome == "pending":
        return release.phase
    if live and release.outcome == "succeeded" and not (release.current or release.rollbackable):
        return "collected" if narrow else "succeeded, collected"
    if narrow and release.code:
        return release.code
    return release.outcome + (f": {release.code}" if release.code else "")


def commit(release: Release) -> str:
    """Short commit, with a `+` where the source differed from it."""
    return release.source.commit[:8] + ("+" if release.source.dirty else "")


def what(release: Release) -> str:
    """What the release changed, and what its author says of it."""
    changed = ", ".join(release.changed) or "nothing"
    if release.message.startswith("variables: ") and all(key.startswith(VALUES) for key in release.changed):
        return changed  # the platform's own words for it, which name the same
    if release.overrides:
        changed += f"; for this release alone: {', '.join(release.overrides)}"
    return f"{release.message} ({changed})" if release.message else changed


VERBS = {"": Verb(command=ListReleases, render=show, rows=lambda page: page.releases)}
