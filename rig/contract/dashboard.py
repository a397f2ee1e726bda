"""How deployments go, told from the record of the platform alone."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Reply, arg, opt
from rig.contract.names import NETWORK_OR_APP, optional
from rig.contract.times import Time


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How the deployments went that came to their end within the time that was asked for."""

    deployments: int = 0
    """All of them, rollbacks too."""
    failed: int = 0
    """Those that failed, and releases that were rolled back."""
    lead_ms: int | None = None
    """Median of the time from a commit until it was live; null where no commit is known."""
    restore_ms: int | None = None
    """Median of the time from a failure until the next release was live; null where none was restored."""
    actors: list[str] = []
    """Who began them, the most active first."""


class AppDelivery(Delivery, frozen=True, kw_only=True):
    """One app."""

    app: str
    current: int = 0
    """The release that serves, 0 for none."""
    last: int = 0
    """The release that was begun last, 0 for none."""
    outcome: Literal["", "pending", "succeeded", "failed", "rolled-back"] = ""
    """What became of that one."""
    change: str = ""
    """The fact that changed the app last."""
    changed_at: str = ""
    changed_by: str = ""


class Dashboard(Reply, frozen=True, kw_only=True):
    """How deployments go, app by app and of all of them."""

    since: str
    until: str
    apps: list[AppDelivery] = []
    total: Delivery = Delivery()
    record: str
    """``observed``: the replica of the platform's record; ``local``: what was done with rig from here."""


class ShowDashboard(Command, frozen=True, kw_only=True, tag="dashboard.show"):
    """Show how deployments go: how often, how many fail, how long a commit takes to be live, how long a failure lasts.

    It is told from the replica of the platform's record, so it works offline.
    """

    kind: ClassVar[str] = "dashboard"
    reply: ClassVar[type[Reply]] = Dashboard

    name: Annotated[
        str,
        Meta(pattern=optional(NETWORK_OR_APP)),
        arg("An app or a network; without one, all.", metavar="[NAME]"),
    ] = ""
    since: Annotated[Time, opt("From this time on: 2026-11-01, mon, or 7d for seven days ago.", metavar="TIME")] = "30d"
