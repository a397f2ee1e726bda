"""From the node's states to the replies of the contract."""

from __future__ import annotations

import msgspec

from events.app import AppState, DeployStarted
from events.network import NetworkState
from rig.contract.apps import App
from rig.contract.networks import Network
from rig.contract.project import AppConfig
from rig.contract.releases import Outcome, Phase, Release, SourceInfo
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.node.ports import NodePorts
from rig.node.world import config_of


def network_view(state: NetworkState, ports: NodePorts) -> Network:
    """A network as the asker sees it."""
    return Network(
        name=state.name,
        domain=ports.network_domain(state.name),
        apps=len(ports.world.apps_of(state.name)),
        role=ports.principal.role(state.name),
        created_at=rfc3339(state.created_at),
        created_by=state.created_by,
    )


def app_view(state: AppState, ports: NodePorts) -> App:
    """An app as the asker sees it."""
    return App(
        name=state.name,
        url=ports.url(state.name),
        hostname=ports.hostname(state.name),
        status=app_status(state),
        version=state.current,
        processes=counts_of(state, state.current),
        created_at=rfc3339(state.created_at),
        created_by=state.created_by,
        updated_at=rfc3339(state.updated_at),
    )


def app_status(state: AppState) -> str:
    """One word for how the app is doing."""
    if not state.current:
        return "deploying" if state.pending else "empty"
    web = {name: reason for name, reason in state.crashed.items() if name.startswith("web.")}
    counts = counts_of(state, state.current)
    if "web" in counts and len(web) >= counts["web"] > 0:
        return "crashed"
    return "live" if any(counts.values()) else "stopped"


def counts_of(state: AppState, version: int) -> dict[str, int]:
    """How many instances of each process type a release wants; what was scaled by hand wins over rig.toml."""
    release = state.releases.get(version)
    if release is None:
        return {}
    # As it was recorded: an app whose configuration a newer rig wrote is counted, if not started.
    given = release.started.config.get("processes", {})
    return {process: state.scale.get(process, given.get(process, {}).get("count", 1)) for process in release.processes}


def release_view(state: AppState, version: int, ports: NodePorts) -> Release:
    """One release of an app."""
    release, name = state.releases[version], state.name
    started, failure = release.started, release.failure
    outcome: Outcome = "pending"
    phase: Phase = "done"
    if release.outcome == "pending":
        phase = ports.runtime.phase(name)
    else:
        outcome = "succeeded" if release.outcome == "succeeded" else "failed"
    return Release(
        app=name,
        version=version,
        outcome=outcome,
        phase=phase,
        current=state.current == version,
        rollbackable=outcome == "succeeded" and state.current != version and ports.builds.has(name, release.build),
        url=ports.url(name),
        created_at=rfc3339(release.created_at),
        finished_at=rfc3339(release.finished_at),
        created_by=release.created_by,
        message=started.message,
        bundle=started.bundle,
        build=release.build,
        rebuilt=release.rebuilt,
        source=msgspec.convert(started.source, SourceInfo),
        config=_shown_config(started),
        processes=release.processes,
        changed=started.changed,
        rollback_of=started.rollback_of,
        previous=started.previous,
        isolation=started.isolation,
        code=failure.code if failure else "",
        reason=failure.reason if failure else "",
        hint=failure.hint if failure else "",
        output=failure.output if failure else [],
    )


def _shown_config(started: DeployStarted) -> AppConfig:
    """The configuration of a release; the default one where a newer rig wrote it, since the rest is worth seeing."""
    try:
        return config_of(started)
    except RigError:
        return AppConfig()
