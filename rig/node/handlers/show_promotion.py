"""Show what promoting a release of one app to another would do, and how the two differ."""

from __future__ import annotations

import msgspec

from events.app import AppState, DeployStarted
from rig.contract.promotion import (
    PromotionPlan,
    SettingDifference,
    ShowPromotion,
    Standing,
    VariableDifference,
)
from rig.contract.releases import SourceInfo
from rig.kernel.ids import rfc3339
from rig.node.ports import NodeContext
from rig.node.promotion import Promotion, begin, gather, serves_already
from rig.node.variables.resolve import Entry, stacks_of, winners
from rig.node.world import config_of


def decide(asked: Promotion) -> PromotionPlan:
    """What the promotion would do. Raises as :func:`begin` does."""
    begun, _ = begin(asked)
    current = asked.current
    return PromotionPlan(
        source=standing(asked.source, asked.version),
        target=standing(asked.target, asked.target.current),
        already=serves_already(asked, begun),
        variables=variables(asked.release.started, begun),
        settings=settings(asked.release.started, current.started if current else None, begun),
        changed=begun.changed,
    )


def standing(state: AppState, version: int) -> Standing:
    """One of the two sides."""
    release = state.releases.get(version)
    if release is None:
        return Standing(app=state.name, version=0)
    return Standing(
        app=state.name,
        version=version,
        bundle=release.started.bundle,
        build=release.build,
        source=msgspec.convert(release.started.source, SourceInfo),
        created_at=rfc3339(release.created_at),
        created_by=release.created_by,
        message=release.started.message,
    )


def variables(source: DeployStarted, target: DeployStarted) -> list[VariableDifference]:
    """The names in which two releases differ; no value is told."""
    theirs, ours = winners(stacks_of(source)), winners(stacks_of(target))
    differing = sorted(name for name in {*theirs, *ours} if _value(theirs.get(name)) != _value(ours.get(name)))
    return [
        VariableDifference(
            name=name,
            secret=any(entry is not None and entry.ref is not None for entry in (theirs.get(name), ours.get(name))),
            source=name in theirs,
            target=name in ours,
        )
        for name in differing
    ]


def _value(entry: Entry | None) -> tuple[str, str] | None:
    """What a process would notice. Equal digests are equal values, whatever their versions."""
    return (entry.value, entry.ref.digest if entry.ref else "") if entry else None


def settings(source: DeployStarted, current: DeployStarted | None, then: DeployStarted) -> list[SettingDifference]:
    """The settings in which the two differ, or which the promotion changes; a target without any takes them all."""
    if current is None:
        return []
    theirs, ours, after = _flat(source), _flat(current), _flat(then)
    return [
        SettingDifference(key=key, source=theirs.get(key), target=ours.get(key), then=after.get(key))
        for key in dict.fromkeys([*theirs, *ours, *after])
        if theirs.get(key) != ours.get(key) or ours.get(key) != after.get(key)
    ]


def _flat(started: DeployStarted) -> dict[str, str]:
    """The settings of a release by key, those among them that were left to their defaults."""
    config = config_of(started)
    tables = {
        **{f"processes.{name}": process for name, process in sorted(config.processes.items())},
        "health": config.health,
        "deploy": config.deploy,
    }
    return {
        f"{table}.{key}": str(value)
        for table, struct in tables.items()
        for key, value in msgspec.structs.asdict(struct).items()
    }


def handle(command: ShowPromotion, ctx: NodeContext) -> PromotionPlan:
    return decide(gather(command.app, command.source, command.version, ctx))
