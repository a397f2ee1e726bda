"""Times as people write them on the command line."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

_WEEK = "[Mm]on(day)?|[Tt]ue(sday)?|[Ww]ed(nesday)?|[Tt]hu(rsday)?|[Ff]ri(day)?|[Ss]at(urday)?|[Ss]un(day)?"
_DAYS = f"[Tt]oday|[Yy]esterday|{_WEEK}"
_ZONE = "(Z|[+-][0-9]{2}:?[0-9]{2})?"
_DATES = rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|{_DAYS})([T ][0-9:.]{{5,18}}{_ZONE})?"
_TIME = rf"[0-9]{{1,6}}[smhdw]|now|[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?{_ZONE}|{_DATES}"
Time = Annotated[str, Meta(pattern=rf"^({_TIME})?$(?!\n)")]
"""RFC 3339 (``2026-11-01``, ``2026-11-01T12:00Z``), how long ago (``90s``, ``7d``), ``now``, a time of today
(``09:30``), or a day by its name, the latest of that name (``today``, ``mon``, ``Friday 12:00``). UTC where no offset
is given."""

Moment = Annotated[str, Meta(pattern=rf"^({_TIME}|v[1-9][0-9]{{0,8}})?$(?!\n)")]
"""A time, or when a release began to serve: ``v3``."""
