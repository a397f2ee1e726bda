"""What applying a document comes to: the facts of all apps together, or why none of it is done. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from events import app as app_stream
from events import network as network_stream
from events.app import AppCreated, AppLimited, AppScaled, AppScaleReset, AppState
from events.base import Fact, Happened
from events.config import ConfigState, SecretsChanged, VarsChanged
from events.network import NetworkConfigured, NetworkState
from rig.contract.configuration import ApplyNetworkConfig, ConfigChange
from rig.contract.variables import ChangeVariables
from rig.kernel.apps import counts_of
from rig.kernel.configuration import compare, deletes_app, deployed_apps, parts, to_do
from rig.kernel.errors import RigError
from rig.kernel.words import some_of
from rig.node.configuration.live import Apps, applied_of, document_of, wanted_of
from rig.node.handlers.delete_app import decide as decide_deletion
from rig.node.memory import limit_of
from rig.node.rules import require_limiter, require_process, require_room, require_unlocked, require_unprotected
from rig.node.variables.change import check, facts_between, release_facts

NOW = Happened()
"""Who decides does not know when and by whom; what follows from the facts does not depend on it."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an apply, and what is to be told of them."""

    network: list[Fact] = []
    apps: dict[str, list[Fact]] = {}
    """By ``network/app``, in the order in which they are to be recorded."""
    changes: int = 0
    releases: dict[str, int] = {}
    """The release that each app gets."""
    later: list[str] = []
    """Apps that are being deployed and would get one for what they inherit."""


def decide(
    network: NetworkState, apps: Apps, command: ApplyNetworkConfig, isolation: str, problem: str = ""
) -> Decided:
    """The facts of an apply; none where all is so already and the document was applied before.

    ``problem`` is why memory cannot be limited on this node; empty where it can.
    Raises `RigError`: ``not_found`` for a secret that is missing, ``conflict`` without consent or room,
    ``locked`` where an app that changes is being deployed, or what :func:`rig.node.variables.change.check` refuses.
    """
    wanted = wanted_of(apps)
    changes = compare(command.document, applied_of(network), document_of(network, apps), wanted)
    require_secrets(network.name, changes, deployed_apps(wanted))
    require_consent(command, changes)
    if any(map(deletes_app, changes)):
        require_unprotected(network, "an app of it")
    asked_for = to_do(changes)
    mine, of_apps = _by_app(network.name, asked_for)
    require_room(network.name, len(apps), sum(name not in apps for name in of_apps))
    own = _variables(network.name, network.config, mine)
    after = _folded(network, own)
    facts: dict[str, list[Fact]] = {}
    releases: dict[str, int] = {}
    later: list[str] = []
    for name in sorted({*apps, *of_apps} if own else of_apps):
        state, asked = apps.get(name, AppState()), of_apps.get(name, [])
        found = _app_facts(name, state, asked, problem)
        for fact in found:
            state = app_stream.evolve(state, fact, NOW)
        released = release_facts(state, after, isolation) if own or any(map(_is_setting, found)) else []
        if released and state.pending and not asked:
            later.append(name)
            released = []
        if released:
            require_unlocked(state)
            releases[name] = state.last + 1
        if found or released:
            facts[name] = [*found, *released]
    document = msgspec.to_builtins(command.document)
    if asked_for or network.applied is None or network.applied.document != document:
        own = [*own, NetworkConfigured(name=network.name, document=document)]
    return Decided(network=own, apps=facts, changes=len(asked_for), releases=releases, later=later)


def require_secrets(network: str, changes: Sequence[ConfigChange], deployed: set[str]) -> None:
    """What runs needs its secrets; an app that was never deployed may get them later. Raises ``not_found``."""
    missing = []
    for change in changes:
        app, _, name = parts(change.key)
        if change.action == "missing" and (not app or app in deployed):
            missing.append((f"{network}/{app}" if app else f"--network {network}", name))
    if not missing:
        return
    scope, name = missing[0]
    more = f", and {len(missing) - 1} more are" if len(missing) > 1 else " is"
    raise RigError(
        "not_found",
        f"The secret `{name}` of `{scope.removeprefix('--network ')}`{more} not there. Nothing was changed.",
        f"Set it first: `rig create secret {scope} {name}`.",
        missing=[f"rig create secret {scope} {name}" for scope, name in missing],
    )


def require_consent(command: ApplyNetworkConfig, changes: Sequence[ConfigChange]) -> None:
    """Nothing goes, and nothing gets smaller, unless that was said. Raises ``conflict``."""
    gone = [change.key for change in changes if deletes_app(change)]
    if gone and not command.delete_apps:
        raise RigError(
            "conflict",
            f"It would delete {some_of(sorted(gone))}. Nothing was changed.",
            "Allow it with `delete_apps` (`--delete-apps`), or put them back into the file.",
            keys=gone,
        )
    lost = [change.key for change in changes if change.action == "remove" or change.shrinks]
    if lost and not command.allow_removal:
        raise RigError(
            "conflict",
            f"It would remove or shrink {some_of(sorted(lost))}. Nothing was changed.",
            "Allow it with `allow_removal` (`--yes`).",
            keys=lost,
        )


def _by_app(network: str, changes: Sequence[ConfigChange]) -> tuple[list[ConfigChange], dict[str, list[ConfigChange]]]:
    """The network's own changes, and those of each ``network/app``."""
    mine: list[ConfigChange] = []
    others: dict[str, list[ConfigChange]] = {}
    for change in changes:
        app = parts(change.key)[0]
        (others.setdefault(f"{network}/{app}", []) if app else mine).append(change)
    return mine, others


def _folded(network: NetworkState, facts: Sequence[Fact]) -> NetworkState:
    for fact in facts:
        network = network_stream.evolve(network, fact, NOW)
    return network


def _is_setting(fact: Fact) -> bool:
    """Whether processes would notice it only by a release."""
    return isinstance(fact, VarsChanged | SecretsChanged | AppLimited)


def _app_facts(name: str, state: AppState, changes: Sequence[ConfigChange], problem: str) -> list[Fact]:
    if any(deletes_app(change) for change in changes):
        return decide_deletion(state)
    facts: list[Fact] = []
    if changes and not state.exists:
        facts.append(AppCreated(name=name))
        state = app_stream.evolve(state, facts[0], NOW)
    variables, scaled = _variables(name, state.config, changes), _scale(name, state, changes)
    return [*facts, *variables, *scaled, *_memory(name, state, changes, problem)]


def _variables(scope: str, config: ConfigState, changes: Sequence[ConfigChange]) -> list[Fact]:
    """The facts of setting and removing variables, and of removing secrets, of a network or an app."""
    set_vars: dict[str, str] = {}
    removed: dict[str, list[str]] = {"env": [], "secrets": []}
    for change in changes:
        _, table, name = parts(change.key)
        if change.action == "remove" and table in removed:
            removed[table].append(name)
        elif table == "env" and change.file is not None:
            set_vars[name] = change.file
    if not set_vars and not any(removed.values()):
        return []
    # The same rules as for a change that is asked for by itself; they are told a network's name as an app's.
    asked = ChangeVariables(app=scope, set_vars=set_vars, unset_vars=removed["env"], unset_secrets=removed["secrets"])
    check(scope, asked, config)
    return facts_between(scope, config, set_vars, removed["env"], {}, removed["secrets"])


def _scale(name: str, state: AppState, changes: Sequence[ConfigChange]) -> list[Fact]:
    """The facts of wanting other numbers of processes. Raises ``invalid_data`` for a type that the release has not."""
    known = counts_of(state, state.current)
    scale: dict[str, int] = {}
    reset: list[str] = []
    for change in changes:
        _, table, process = parts(change.key)
        if table != "processes":
            continue
        if change.file is None:
            reset.append(process)
        else:
            require_process(name, process, known)
            scale[process] = int(change.file)
    facts: list[Fact] = [AppScaled(name=name, scale=scale)] if scale else []
    return [*facts, AppScaleReset(name=name, processes=reset)] if reset else facts


def _memory(name: str, state: AppState, changes: Sequence[ConfigChange], problem: str) -> list[Fact]:
    """The facts of other limits of memory. Raises ``invalid_data``, or ``bad_config`` where they cannot be kept."""
    limits = dict(state.memory)
    for change in changes:
        _, table, process = parts(change.key)
        if table != "memory":
            continue
        if change.file is None:
            limits.pop(process or "*", None)
            continue
        if process:
            require_process(name, process, counts_of(state, state.current))
        limits[process or "*"] = limit_of(change.file)
    if limits == state.memory:
        return []
    if any(limits.values()):
        require_limiter(problem)
    return [AppLimited(name=name, memory=limits, before=state.memory)]
