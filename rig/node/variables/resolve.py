"""Which value a name has: node < network < rig.toml < its environment < app < release. Pure: it can be asked of any
release.

What is set on the platform for one app wins over what its repository says: whoever operates it has the last word, and
no deployment takes that back. What one deployment alone was given wins over everything, and is gone with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from events.app import AppState, DeployStarted
from events.config import ConfigState, SecretRef, Supplied
from events.network import NetworkState
from rig.contract.variables import Origin
from rig.node.variables.remember import remembered

NODE_DEFAULTS = {"LANG": "C.UTF-8"}
"""What every process has unless something else is said."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a name: a plain one, or a secret's."""

    origin: Origin
    value: str = ""
    ref: SecretRef | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """All that one layer gives."""

    origin: Origin
    vars: Mapping[str, str] = {}
    secrets: Mapping[str, SecretRef] = {}


Stacks = dict[str, list[Entry]]
"""Name → its values, the one that wins first."""


def resolve(layers: Sequence[Given]) -> Stacks:
    """The values of every name, from layers of which a later one wins."""
    stacks: Stacks = {}
    for layer in layers:
        for name, value in layer.vars.items():
            stacks.setdefault(name, []).insert(0, Entry(origin=layer.origin, value=value))
        for name, ref in layer.secrets.items():
            stacks.setdefault(name, []).insert(0, Entry(origin=layer.origin, ref=ref))
    return dict(sorted(stacks.items()))


def layers(supplied: Supplied, project: Mapping[str, str]) -> list[Given]:
    """The layers of a release. ``project`` is `[env]` of its rig.toml."""

    def given(origin: Origin) -> Given:
        return Given(origin=origin, vars=supplied.vars.get(origin, {}), secrets=supplied.secrets.get(origin, {}))

    return [
        Given(origin="node", vars=NODE_DEFAULTS),
        given("network"),
        Given(origin="rig.toml", vars=project),
        given("environment"),
        given("app"),
        given("release"),
    ]


def supply(
    network: ConfigState,
    app: ConfigState,
    *,
    environment: Mapping[str, str] | None = None,
    release: Mapping[str, str] | None = None,
    memory: Mapping[str, int] | None = None,
) -> Supplied:
    """What a release that begins now is given; ``environment`` and ``release`` are those of its deployment, ``memory``
    the app's own limits."""
    variables = {
        "network": network.vars,
        "environment": dict(environment or {}),
        "app": app.vars,
        "release": dict(release or {}),
    }
    secrets = {"network": network.secrets, "app": app.secrets}
    return Supplied(
        vars={layer: given for layer, given in variables.items() if given},
        secrets={layer: given for layer, given in secrets.items() if given},
        memory=dict(memory or {}),
    )


def supply_again(network: ConfigState, app: AppState, deployed: Supplied) -> Supplied:
    """What another release of the same deployment is given: its environment's variables and its own stay."""
    environment, release = deployed.vars.get("environment"), deployed.vars.get("release")
    return supply(network, app.config, environment=environment, release=release, memory=app.memory)


@remembered(8)
def stacks_of(started: DeployStarted) -> Stacks:
    """The values of every name in a release."""
    return resolve(layers(started.supplied, started.config.get("env", {})))


@remembered(8)
def stacks_next(network: NetworkState, app: AppState) -> Stacks:
    """The same for the next release, if it is of the same deployment as the one that serves."""
    serving = app.serving
    if serving is None:
        return resolve(layers(supply(network.config, app.config), {}))
    deployed = serving.started
    supplied = supply_again(network.config, app, deployed.supplied)
    return resolve(layers(supplied, deployed.config.get("env", {})))


def winner(stacks: Stacks, name: str) -> Entry | None:
    """What is in force of a name, None where nothing is."""
    return stacks[name][0] if name in stacks else None


def winners(stacks: Stacks) -> dict[str, Entry]:
    return {name: stack[0] for name, stack in stacks.items()}


def environment(
    started: DeployStarted, scopes: Mapping[str, str], reveal: Callable[[str, str, int], str]
) -> dict[str, str]:
    """The variables of a release with its secrets in clear: for its processes' memory, and for nothing else.

    ``scopes`` gives the scope of a layer's secrets; ``reveal`` the value by scope, name and version.
    """
    of_the_build = build_secrets(started)
    return {
        name: entry.value if entry.ref is None else reveal(scopes[entry.origin], name, entry.ref.version)
        for name, entry in _own(started).items()
        if name not in of_the_build
    }


def build_environment(
    started: DeployStarted, scopes: Mapping[str, str], reveal: Callable[[str, str, int], str]
) -> dict[str, str]:
    """The same for its build: its variables, and those secrets that `[build] secrets` names."""
    own = _own(started)
    named = {name: reveal(scopes[own[name].origin], name, ref.version) for name, ref in build_secrets(started).items()}
    return plain(started) | named


def secret_names(started: DeployStarted) -> list[str]:
    """The names of a release that are secrets of its processes: what its build alone has is not among them."""
    of_the_build = build_secrets(started)
    return [name for name, entry in _own(started).items() if entry.ref is not None and name not in of_the_build]


def build_secrets(started: DeployStarted) -> dict[str, SecretRef]:
    """The secrets that only the build of a release gets: those of `[build] secrets`."""
    own = _own(started)
    named = started.config.get("build", {}).get("secrets", [])
    return {name: ref for name in named if name in own and (ref := own[name].ref) is not None}


def plain(started: DeployStarted) -> dict[str, str]:
    """The variables of a release that are no secrets: every build sees them."""
    return {name: entry.value for name, entry in _own(started).items() if entry.ref is None}


def _own(started: DeployStarted) -> dict[str, Entry]:
    """Without the node's defaults, which whoever starts a process adds."""
    return {name: entry for name, entry in winners(stacks_of(started)).items() if entry.origin != "node"}


def differences(before: Stacks, after: Stacks) -> list[str]:
    """What differs, as ``env.NAME`` and ``secret.NAME``; a value that only moved to another layer does not."""
    old, new = winners(before), winners(after)
    changed = []
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if (was and (was.value, was.ref)) != (now and (now.value, now.ref)):
            secret = (was and was.ref) or (now and now.ref)
            changed.append(f"{'secret' if secret else 'env'}.{name}")
    return changed
