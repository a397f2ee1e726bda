"""Keeping the replica of the platform's record, and what is done where the platform cannot be reached."""

from __future__ import annotations

from rig.contract.replica import ListRecords, RecordPage
from rig.contract.review import Replicated
from rig.kernel.client import ClientContext
from rig.kernel.errors import LOGGED_OUT, UNANSWERED, RigError
from rig.kernel.ports import Record, Replica

ON_THE_WAY = 4
"""Pages that a command fetches which was asked for something else."""
AWAY = UNANSWERED | LOGGED_OUT | {"interrupted", "not_found"}
"""Why the platform may have no answer. ``not_found``: it is older than this part of the API."""


def sync(ctx: ClientContext, replica: Replica, *, on_the_way: bool = False) -> bool:
    """Fetch what is new of the platform's record; whether there is more. Raises `RigError`.

    All of it, however long that takes; ``on_the_way`` a few pages, as far as they come in a few seconds.
    """
    platform = ctx.ports.platform_on_the_way if on_the_way else ctx.ports.platform
    more, fetched = True, 0
    while more and not (on_the_way and fetched == ON_THE_WAY):
        asked = replica.size()
        page = platform.call(ListRecords(after=asked - 1), RecordPage, corr=ctx.stamp.corr)
        more = replica.extend(page, asked=asked, at=ctx.stamp.at)
        fetched += 1
        if fetched > 1 or more:
            ctx.progress.advance(page.first + len(page.records), page.size, "records")
    return more


def observed(ctx: ClientContext, *, fetch: bool = True) -> Replica | None:
    """The replica of the current platform's record, with what is new in it where that can be had; None without one.

    A platform that contradicts itself is a warning here, on every command that sees it.
    """
    replica = ctx.ports.replica
    if replica is None:
        return None
    found = ""
    if fetch:
        try:
            if sync(ctx, replica, on_the_way=True):
                ctx.warn(
                    "More is new on the platform than was fetched on the way: `rig audit --sync` fetches all of it."
                )
        except RigError as error:
            found = error.message if error.code == "journal_forked" else ""
            if not found and error.code not in AWAY:
                ctx.warn(f"The platform's record could not be fetched: {error.message}")
            elif not found and replica.forked() is not None:
                ctx.warn(
                    f"The platform's news could not be fetched, so what is newer there is missing: {error.message}"
                )
    forked = replica.forked()
    if forked is None:
        return None
    if forked:
        found = f"The platform's record is not the one that it was: {forked}."
    if found:
        ctx.warn(f"{found} What is shown of it is what it showed first; keep {replica.path}.")
    return replica


def state_of(replica: Replica | None) -> Replicated | None:
    """How far a replica goes."""
    return replica.state() if replica is not None else None


def history(ctx: ClientContext, *, fetch: bool = True) -> tuple[Record, str]:
    """The record from which the past is told, and its name: the platform's where there is a replica, else this one."""
    replica = observed(ctx, fetch=fetch)
    if replica is not None:
        return replica, "observed"
    ctx.warn("There is no replica of the platform's record yet: this is told from what was done with rig from here.")
    return ctx.journal, "local"
