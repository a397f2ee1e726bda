"""Set and remove variables and secrets of an app, in one change and with one release."""

from __future__ import annotations

from events.config import ConfigState, SecretRef
from rig.contract.names import split_app
from rig.contract.variables import ChangeVariables, MadeRelease, VariableChanges, VariablesChange
from rig.node.emitting import emit_app
from rig.node.ports import NodeContext
from rig.node.rules import require_unlocked
from rig.node.since import APP_VARIABLES, require_match
from rig.node.variables.change import change_view, check, decide, release_facts
from rig.node.variables.readable import require_readable


def keep_secrets(scope: str, state: ConfigState, command: VariableChanges, ctx: NodeContext) -> dict[str, SecretRef]:
    """Encrypt the values of secrets that are new; what is not recorded afterwards is never looked for."""
    refs, known, new, has = {}, state.secrets, {}, ctx.ports.secrets.has
    for name, value in command.set_secrets.items():
        ref = SecretRef(version=state.revision + 1, digest=ctx.journal.digest_secret(value))
        if name in known and known[name].digest == ref.digest and has(scope, name, known[name].version):
            ref = known[name]
        else:
            new[name] = value
        refs[name] = ref
    ctx.ports.secrets.keep(scope, state.revision + 1, new)
    return refs


def handle(command: ChangeVariables, ctx: NodeContext) -> VariablesChange:
    world, scope = ctx.ports.world, command.app
    state, network = world.app(scope), world.network(split_app(scope)[0])
    require_match(APP_VARIABLES, f"app:{scope}", scope, state.config.revision, command.expect, ctx)
    check(scope, command, state.config)
    if not command.stage:
        require_unlocked(state)
    refs = keep_secrets(scope, state.config, command, ctx)
    facts = decide(scope, state.config, command, refs)
    state = emit_app(scope, state, facts, ctx)
    made = [] if command.stage else release_facts(state, network, ctx.ports.isolation)
    require_readable(made, ctx)
    released = emit_app(scope, state, made, ctx)
    releases = [MadeRelease(app=scope, version=released.last)] if made else []
    return change_view(scope, command, facts, state.config, releases, staged=command.stage and bool(state.current))
