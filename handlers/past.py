"""An app as it was: told from the replica of the platform's record, or else from what was done with rig from here."""

from __future__ import annotations

import re

import msgspec

from events.app import AppCreated, AppDeleted, AppState
from handlers.observe import history
from rig.contract.history import Absent
from rig.kernel.apps import served_from, state_at
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded
from rig.kernel.times import instant


class Past(msgspec.Struct, frozen=True):
    """The records of one app, and whose they are."""

    app: str
    records: list[Recorded]
    source: str

    def moment(self, text: str, now: int, flag: str) -> int:
        """Nanoseconds since the epoch of a time, or of when ``v3`` began to serve. Raises `RigError`."""
        if text == "now":  # whatever the clocks of two machines say
            return max([now, *(record.at for record in self.records)])
        if not re.fullmatch(r"v[0-9]+", text):
            return self.come(instant(text, now, flag), now, f"{flag} {text}")
        at = served_from(self.records, int(text[1:]))
        if not at:
            raise RigError(
                "not_found",
                f"{text} of {self.app} never served, as far as the record tells.",
                f"`rig history {self.app}` lists its releases.",
            )
        return at

    def come(self, at: int, now: int, asked: str) -> int:
        """The time. Raises `RigError` ``usage`` for one of which no record can tell yet."""
        if at > max([now, *(record.at for record in self.records)]):
            raise RigError(
                "usage", f"{asked} has not come yet: it is {_apart(now, at)}.", "Name a time that was, or leave it out."
            )
        return at

    @property
    def deletion(self) -> Recorded | None:
        """The record that the app was deleted; None for one that is there, or that was made anew since."""
        ends = [record for record in self.records if isinstance(record.fact, AppCreated | AppDeleted)]
        return ends[-1] if ends and isinstance(ends[-1].fact, AppDeleted) else None

    def last(self) -> AppState:
        """The app as it is, or as it was when it was deleted; nothing serves then.

        Raises `RigError` ``not_found`` where nothing is known of it.
        """
        deletion = self.deletion
        if deletion is None:
            return self.state()
        state = state_at(self.records[: self.records.index(deletion)])
        return msgspec.structs.replace(state, name=self.app, current=0)

    def ever(self) -> AppState:
        """As :meth:`last`, with the releases of all its lives: what was deleted may have been made anew."""
        lives = [index for index, record in enumerate(self.records) if isinstance(record.fact, AppDeleted)]
        before = {version: made for end in lives for version, made in state_at(self.records[:end]).releases.items()}
        now = self.last()
        return msgspec.structs.replace(now, releases={**before, **now.releases})

    def told_deletion(self) -> str:
        """``2026-11-12 12:00Z by ana``; empty where it was not deleted."""
        deletion = self.deletion
        return f"{_minute(deletion.at)} by {deletion.actor.removeprefix('user:')}" if deletion else ""

    def gone(self) -> RigError:
        """That the app was deleted."""
        return RigError(
            "not_found",
            f"`{self.app}` was deleted {self.told_deletion()}.",
            f"`rig history {self.app}` lists the releases that it had.",
        )

    def absence(self, at: int) -> Absent:
        """Why there was no app at a time, by what the record tells; empty where there was one."""
        state = state_at(self.records, at)
        if state.exists or state.releases:
            return ""
        lives = [record for record in self.records if isinstance(record.fact, AppCreated | AppDeleted)]
        if any(record.at <= at for record in lives):
            return "deleted"
        return "not_yet" if lives and lives[0] is self.records[0] else "unrecorded"

    def state(self, at: int | None = None) -> AppState:
        """The app at a time; now, without one. Raises `RigError` ``not_found`` where it was not there then."""
        state = state_at(self.records, at)
        if not state.exists and not state.releases:
            if at is not None and self.records:
                first = self.records[0].at
                since = f"the record tells of it since {_apart(first, at)}"
                known = "it was deleted by then" if first <= at else since
                raise RigError(
                    "not_found",
                    f"There was no app `{self.app}` at {_apart(at, first)}: {known}.",
                    "Times are UTC unless they say otherwise: 2026-11-12T12:00+01:00.",
                )
            if self.deletion:
                raise self.gone()
            raise RigError(
                "not_found",
                f"There was no app `{self.app}`, as far as the record tells that you may see.",
                "`rig audit --sync` fetches what is new of the platform's record.",
            )
        return msgspec.structs.replace(state, name=self.app)


def _minute(at: int) -> str:
    """``2026-11-12 12:00Z``."""
    return rfc3339(at)[:16].replace("T", " ") + "Z"


def _apart(at: int, other: int) -> str:
    """A time to the minute, or where another one is in the same minute, to the second."""
    one, two = _minute(at), _minute(other)
    return one if one != two else rfc3339(at)[:19].replace("T", " ") + "Z"


def past(app: str, ctx: ClientContext, *, fetch: bool = True) -> Past:
    """The records of an app, from wherever they are known best."""
    record, source = history(ctx, fetch=fetch)
    return Past(app, record.stream(f"app:{app}"), source)
