"""From the node's states to the replies of the contract."""

from __future__ import annotations

import msgspec

from events.app import AppState
from events.network import NetworkState
from rig.contract.apps import App
from rig.contract.members import Member
from rig.contract.networks import Network
from rig.contract.releases import Release
from rig.kernel.apps import app_of, release_of
from rig.kernel.ids import rfc3339
from rig.node.ports import NodePorts


def network_view(state: NetworkState, ports: NodePorts) -> Network:
    """A network as the asker sees it."""
    return Network(
        name=state.name,
        domain=ports.network_domain(state.name),
        apps=len(ports.world.apps_of(state.name)),
        role=ports.principal.role(state.name),
        description=state.description,
        protected=state.protected,
        created_at=rfc3339(state.created_at),
        created_by=state.created_by,
        revision=state.revision,
    )


def member_view(member: Member, ports: NodePorts) -> Member:
    """A member with how often the role was changed."""
    roles = ports.world.roles.get(member.name)
    revision = roles.revisions.get(member.network, 0) if roles else 0
    return msgspec.structs.replace(member, revision=revision)


def app_view(state: AppState, ports: NodePorts, at: str = "") -> App:
    """An app as the asker sees it; ``at`` names the moment where ``state`` is not the one of now."""
    view = app_of(state, url=ports.url(state.name), hostname=ports.hostname(state.name), at=at)
    working = "" if at else ports.runtime.working(state.name)
    return msgspec.structs.replace(view, working=working) if working else view


def release_view(state: AppState, version: int, ports: NodePorts) -> Release:
    """One release of an app."""
    release = state.releases[version]
    phase = ports.runtime.phase(state.name) if release.outcome == "pending" else "done"
    served_before = release.outcome == "succeeded" and state.current != version
    return release_of(
        state,
        version,
        url=ports.url(state.name),
        phase=phase,
        rollbackable=served_before and ports.builds.has(state.name, release.build),
    )
