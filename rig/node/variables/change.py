"""What a change of variables and secrets comes to: the facts, or why it is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from events.app import AppLimited, AppState, DeployBuilt, DeployStarted, memory_key
from events.base import Fact
from events.config import ConfigState, SecretRef, SecretsChanged, Supplied, VarsChanged
from events.network import NetworkState
from rig.contract.variables import (
    MAX_TOTAL,
    MAX_VALUE,
    RESERVED,
    MadeRelease,
    SecretDiff,
    VarDiff,
    VariableChanges,
    VariablesChange,
)
from rig.kernel.errors import RigError
from rig.kernel.words import some_of
from rig.node.variables.resolve import differences, stacks_of, supply_again


def check(scope: str, command: VariableChanges, state: ConfigState) -> None:
    """Refuse what cannot be an environment. Raises `RigError` ``usage``, ``invalid_data``, ``conflict``, …"""
    given = {**command.set_vars, **command.set_secrets}
    if not given and not command.unset_vars and not command.unset_secrets:
        raise RigError("usage", "Nothing to change.", "Say what, as `A=1`.")
    check_values(given)
    for name, value in command.set_secrets.items():
        if not value:
            raise RigError("invalid_data", f"The value of the secret `{name}` is empty.", "Was anything sent?")
    named = [*command.set_vars, *command.unset_vars, *command.set_secrets, *command.unset_secrets]
    twice = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if twice:
        raise RigError("invalid_data", f"`{twice[0]}` is named twice.", "Name each variable and secret once.")
    _check_kinds(scope, command, state)
    kept = {name: one.value for name, one in state.settings.items() if name not in named and one.ref is None}
    total = sum(len(name) + len(value.encode()) for name, value in {**kept, **given}.items())
    if total > MAX_TOTAL:
        raise RigError(
            "too_large", f"All variables of `{scope}` together would have {total} bytes; {MAX_TOTAL} is the limit."
        )


def check_values(values: Mapping[str, str]) -> None:
    """Refuse names and values that no environment can have. Raises `RigError` ``invalid_data`` or ``too_large``."""
    for name, value in values.items():
        if name in RESERVED:
            raise RigError("invalid_data", f"`{name}` cannot be set: {RESERVED[name]}.", "Choose another name.")
        if "\0" in value:
            raise RigError("invalid_data", f"The value of `{name}` holds a zero byte.", "No environment can hold one.")
        if len(value.encode()) > MAX_VALUE:
            raise RigError("too_large", f"The value of `{name}` has more than {MAX_VALUE} bytes.")


def _check_kinds(scope: str, command: VariableChanges, state: ConfigState) -> None:
    """A name is a variable's or a secret's; a change of kind is said out loud, by removing the one first."""
    option = scope if "/" in scope else f"--network {scope}"
    kinds = (
        ("variable", [*command.set_vars, *command.unset_vars], command.unset_vars),
        ("secret", [*command.set_secrets, *command.unset_secrets], command.unset_secrets),
    )
    for kind, names, removed in kinds:
        for name in names:
            there = state.settings.get(name)
            if there is not None and (there.ref is not None) != (kind == "secret"):
                noun = "var" if kind == "secret" else "secret"
                raise RigError(
                    "conflict",
                    f"`{name}` of `{scope}` is a {'variable' if kind == 'secret' else 'secret'}, not a {kind}.",
                    f"Remove it first: `rig delete {noun} {option} {name}`.",
                )
        missing = [name for name in removed if name not in state.settings]
        if missing:
            noun = "vars" if kind == "variable" else "secrets"
            raise RigError(
                "not_found",
                f"`{scope}` has no {kind} `{missing[0]}` of its own.",
                f"`rig list {noun} {option} --origin` shows what there is and where it comes from.",
            )


def decide(
    scope: str,
    state: ConfigState,
    command: VariableChanges,
    secrets: Mapping[str, SecretRef],
) -> list[Fact]:
    """The facts of a change that passed :func:`check`; none where all is so already.

    ``secrets`` are the values of secrets, by version and digest: of one that stays as it is the version that it has.
    """
    now, refs = state.vars, state.secrets
    set_vars = {name: value for name, value in command.set_vars.items() if now.get(name) != value}
    set_refs = {name: ref for name, ref in secrets.items() if refs.get(name) != ref}
    return facts_between(scope, state, set_vars, command.unset_vars, set_refs, command.unset_secrets)


def restore_memory(state: AppState, supplied: Supplied) -> list[Fact]:
    """The facts that give an app the limits of its own that an earlier release had."""
    if state.memory == supplied.memory:
        return []
    return [AppLimited(name=state.name, memory=supplied.memory, before=state.memory)]


def restore(scope: str, state: ConfigState, supplied: Supplied) -> list[Fact]:
    """The facts that give an app the variables and secrets of its own that an earlier release had."""
    then, refs = supplied.vars.get("app", {}), supplied.secrets.get("app", {})
    now, now_refs = state.vars, state.secrets
    return facts_between(
        scope,
        state,
        {name: value for name, value in then.items() if now.get(name) != value},
        sorted(name for name in now if name not in then and name not in refs),
        {name: ref for name, ref in refs.items() if now_refs.get(name) != ref},
        sorted(name for name in now_refs if name not in refs and name not in then),
    )


def facts_between(
    scope: str,
    state: ConfigState,
    set_vars: Mapping[str, str],
    unset_vars: Sequence[str],
    set_refs: Mapping[str, SecretRef],
    unset_refs: Sequence[str],
) -> list[Fact]:
    now, refs = state.vars, state.secrets
    facts: list[Fact] = []
    if set_vars or unset_vars:
        before = {name: now[name] for name in (*set_vars, *unset_vars) if name in now}
        facts.append(VarsChanged(scope=scope, set=dict(set_vars), removed=list(unset_vars), before=before))
    if set_refs or unset_refs:
        past = {name: refs[name] for name in (*set_refs, *unset_refs) if name in refs}
        facts.append(SecretsChanged(scope=scope, set=dict(set_refs), removed=list(unset_refs), before=past))
    return facts


def release_facts(state: AppState, network: NetworkState, isolation: str) -> list[Fact]:
    """The facts of a release that differs from the one that serves by its variables and limits alone, if it would.

    It is of the same deployment, so it keeps what that one alone was given.
    """
    serving = state.serving
    if serving is None:
        return []
    old = serving.started
    started = DeployStarted(
        app=state.name,
        version=state.last + 1,
        bundle=old.bundle,
        config=old.config,
        source=old.source,
        previous=state.current,
        isolation=isolation,
        supplied=supply_again(network.config, state, old.supplied),
        environment=old.environment,
    )
    values = differences(stacks_of(old), stacks_of(started))
    limits = memory_changes(old.supplied, started.supplied)
    if not values and not limits:
        return []
    said = [
        f"variables: {some_of(sorted(name.partition('.')[2] for name in values))}" if values else "",
        f"memory: {told_limits(started.supplied.memory)}" if limits else "",
    ]
    message = "; ".join(part for part in said if part)
    started = msgspec.structs.replace(started, changed=[*values, *limits], message=message)
    return [
        started,
        DeployBuilt(app=state.name, version=started.version, build=serving.build, processes=serving.processes),
    ]


def memory_changes(before: Supplied, after: Supplied) -> list[str]:
    """Which limits of memory differ, as ``memory`` and ``memory.web``."""
    types = sorted({*before.memory, *after.memory})
    return [memory_key(process) for process in types if before.memory.get(process) != after.memory.get(process)]


def told_limits(memory: Mapping[str, int]) -> str:
    """``512 MiB, worker none``."""
    told = [
        f"{'' if process == '*' else f'{process} '}{f'{limit >> 20} MiB' if limit else 'none'}"
        for process, limit in sorted(memory.items())
    ]
    return ", ".join(told) or "as rig.toml says"


def change_view(
    scope: str,
    command: VariableChanges,
    facts: Sequence[Fact],
    config: ConfigState,
    releases: list[MadeRelease],
    *,
    staged: bool,
) -> VariablesChange:
    """What is answered to a change: ``facts`` are those that came of it, and ``config`` is what follows from them."""
    variables, secrets = diffs(facts)
    asked = {*command.set_vars, *command.set_secrets}
    return VariablesChange(
        target=scope,
        vars=variables,
        secrets=secrets,
        unchanged=sorted(asked - {*variables, *secrets}),
        releases=releases,
        staged=staged,
        revision=config.revision,
    )


def diffs(facts: Sequence[Fact]) -> tuple[dict[str, VarDiff], dict[str, SecretDiff]]:
    """What the facts of a change say, by name."""
    variables: dict[str, VarDiff] = {}
    secrets: dict[str, SecretDiff] = {}
    for fact in facts:
        if isinstance(fact, VarsChanged):
            for name in (*fact.set, *fact.removed):
                variables[name] = VarDiff(before=fact.before.get(name), after=fact.set.get(name))
        elif isinstance(fact, SecretsChanged):
            for name in (*fact.set, *fact.removed):
                secrets[name] = SecretDiff(before=fact.before.get(name), after=fact.set.get(name))
    return variables, secrets
