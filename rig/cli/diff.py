"""`rig diff`."""

from __future__ import annotations

from rig.cli.humanize import minute, who
from rig.cli.output import Output
from rig.cli.verb import Verb, detailed
from rig.contract.history import Absent, AppDiff, DiffReleases, Side

SHORT = 12
ABSENT: dict[Absent, str] = {
    "not_yet": "not there yet",
    "unrecorded": "not on the record yet",
    "deleted": "not there any more: it was deleted by then",
}


def show(diff: AppDiff, out: Output) -> None:
    out.line(f"- {described(diff.older)}")
    out.line(f"+ {described(diff.newer)}")
    out.line()
    rows = [(change.key, value(change.before), value(change.after)) for change in diff.changes]
    out.table(("WHAT", "BEFORE", "AFTER"), rows, empty="Nothing differs.")


def described(side: Side) -> str:
    """``v3, since 2026-11-01 12:00Z, by ana: Fix the prices``."""
    version = f"v{side.version}" if side.version else ABSENT.get(side.absent, "nothing deployed")
    at = f"at {minute(side.at)}: " if side.at else ""
    since = f", since {minute(side.served_at)}" if side.served_at else ", never served" if side.version else ""
    by = f", by {who(side.created_by)}" if side.created_by else ""
    return at + version + since + by + (f": {side.message}" if side.message else "")


def value(text: str | None) -> str:
    """A value; of hashes the beginning, as everywhere."""
    if text is None:
        return "–"
    bare = text.removesuffix("+")
    is_hash = len(bare) in {40, 64} and all(c in "0123456789abcdef" for c in bare)
    return bare[:SHORT] + text[len(bare) :] if is_hash else text


VERBS = {
    "": Verb(
        command=DiffReleases,
        render=show,
        rows=lambda diff: diff.changes,
        exit_code=detailed(lambda diff: diff.changes),
    )
}
