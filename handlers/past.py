"""An app as it was: told from the replica of the platform's record, or else from what was done with rig from here."""

from __future__ import annotations

import re

import msgspec

from events.app import AppState
from handlers.observe import history
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
            return instant(text, now, flag)
        at = served_from(self.records, int(text[1:]))
        if not at:
            raise RigError(
                "not_found",
                f"{text} of {self.app} never served, as far as the record tells.",
                f"`rig history {self.app}` lists its releases.",
            )
        return at

    def state(self, at: int | None = None) -> AppState:
        """The app at a time; now, without one. Raises `RigError` ``not_found`` where it was not there then."""
        state = state_at(self.records, at)
        if not state.exists and not state.releases:
            if at is not None and self.records:
                first = self.records[0].at
                known = "it was deleted by then" if first <= at else f"the record tells of it since {_minute(first)}"
                raise RigError(
                    "not_found",
                    f"There was no app `{self.app}` at {_minute(at)}: {known}.",
                    "Times are UTC unless they say otherwise: 2026-11-12T12:00+01:00.",
                )
            raise RigError(
                "not_found",
                f"There was no app `{self.app}`, as far as the record tells that you may see.",
                "`rig audit --sync` fetches what is new of the platform's record.",
            )
        return msgspec.structs.replace(state, name=self.app)


def _minute(at: int) -> str:
    """``2026-11-12 12:00Z``."""
    return rfc3339(at)[:16].replace("T", " ") + "Z"


def past(app: str, ctx: ClientContext, *, fetch: bool = True) -> Past:
    """The records of an app, from wherever they are known best."""
    record, source = history(ctx, fetch=fetch)
    return Past(app, record.stream(f"app:{app}"), source)
