"""Show how the apps of a network are doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from events.app import AppState
from rig.contract.networks import AppSummary, NetworkStatus, ShowNetworkStatus
from rig.kernel.apps import app_status, wanted_now
from rig.kernel.ids import rfc3339
from rig.node.configuration.live import drift_of
from rig.node.ports import NodeContext
from rig.node.views import network_view

URGENCY = ("crashed", "deploying", "stopped", "empty", "live")
"""What is to be looked at first."""


def summaries(states: Iterable[AppState], phase: Callable[[str], str]) -> list[AppSummary]:
    """One line for each app, those that need a look first. ``phase`` tells how far a release is that is being made."""
    found = [
        AppSummary(
            name=state.name,
            status=app_status(state),
            version=state.current,
            deployment=state.pending,
            phase=phase(state.name) if state.pending else "",
            processes=sum(wanted_now(state).values()),
            updated_at=rfc3339(state.updated_at),
        )
        for state in states
    ]
    return sorted(found, key=lambda each: (URGENCY.index(each.status), each.name))


def handle(command: ShowNetworkStatus, ctx: NodeContext) -> NetworkStatus:
    world = ctx.ports.world
    network, states = world.network(command.name), world.states_of(command.name)
    apps = summaries(states.values(), ctx.ports.runtime.phase)
    return NetworkStatus(
        network=network_view(network, ctx.ports),
        counts=dict(Counter(each.status for each in apps)),
        apps=apps,
        applied_at=rfc3339(network.applied.at) if network.applied else "",
        applied_by=network.applied.by if network.applied else "",
        drift=drift_of(network, states),
    )
