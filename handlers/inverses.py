"""What takes a command back: another command, told from the record of what the first one did."""

from __future__ import annotations

import shlex

import msgspec

from events.app import AppLimited, AppScaled, AppState, DeployStarted
from events.command import CommandReceived
from events.config import ConfigState
from handlers.inverse_network import inverse_of_network, state_of
from handlers.inverse_roles import inverse_of_role
from handlers.inverse_settings import setting_before
from handlers.inverse_variables import inverse_of_variables
from handlers.observe import history
from handlers.past import Past, past
from rig.contract.apps import DeleteApp, StartApp, StopApp, UpdateApp
from rig.contract.base import Command
from rig.contract.members import DeleteMember
from rig.contract.networks import DeleteNetwork
from rig.contract.releases import Rollback
from rig.contract.settings import SetSetting
from rig.contract.tokens import DeleteToken
from rig.kernel.apps import counts_of, state_at
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ports import Recorded

RELEASING = (
    "deploy", "release.rollback", "release.promote", "var.create", "var.delete", "secret.create", "secret.delete",
)  # fmt: skip
"""What makes a release of an app."""
VARIABLES = ("var.create", "var.delete", "secret.create", "secret.delete")
"""Of these, what may be staged, or be about a network: then no release came of it that could be taken back."""
UNDOABLE = (
    *RELEASING, "app.create", "app.start", "app.stop", "app.update", "member.create", "member.delete", "member.update",
    "network.create", "network.update", "settings.set", "token.create",
)  # fmt: skip
GONE = {
    "app.delete": "Its processes, files and address are gone. `rig deploy --create` makes it anew from the source.",
    "config.apply": "Apply the file as it was before: `rig config apply`, from your version control.",
    "network.delete": "`rig create network` makes one of the same name, without its roles.",
    "account.invite": "An invitation ends by itself a day after it was made.",
    "token.delete": "A token that was ended stays so; make another one under another name.",
}
"""What cannot be taken back, and what there is instead."""
DATA = ("data: what the app wrote, and databases", "migrations: what a `release:` command changed stays changed")


class Inverse(msgspec.Struct, frozen=True):
    """The command that takes another one back."""

    command: Command
    typed: str
    remains: tuple[str, ...] = ()


def inverse_of(received: Recorded, ctx: ClientContext) -> Inverse:
    """What takes a command back. Raises `RigError` ``conflict`` where nothing does."""
    fact, target = received.fact, received.target
    assert isinstance(fact, CommandReceived)
    if fact.command in RELEASING:
        known = past(target, ctx) if "/" in target else None
        if fact.command in VARIABLES and (known is None or not releases_of(known, received.corr)):
            found = inverse_of_variables(target, *settings_of(target, known, ctx), received.corr)
            if found is not None:
                return Inverse(*found)
        if known is not None:
            # `rig deploy --resume` may have watched the release of another command, which is the one to take back.
            return inverse_of_release(known, received.corr, watched=bool(fact.arguments.get("resume")))
    match fact.command:
        case "app.start":
            return Inverse(StopApp(app=target), f"rig stop {target}")
        case "app.stop":
            return Inverse(StartApp(app=target), f"rig start {target}")
        case "app.update":
            return inverse_of_scale(past(target, ctx), received.corr)
        case "app.create" | "network.create":
            return inverse_of_made(target)
        case "token.create":
            name = str(fact.arguments.get("name", ""))
            return Inverse(DeleteToken(name=name), f"rig delete token {name}", ("what was done with it stays done",))
        case "member.create":
            name, network = (str(fact.arguments.get(field, "")) for field in ("name", "network"))
            typed = f"rig delete member {shlex.quote(network)} {name}"
            return Inverse(DeleteMember(network=network, name=name), typed, ("what was done in that role stays done",))
        case "member.update" | "member.delete":
            return Inverse(*inverse_of_role(str(fact.arguments.get("name", "")), received.corr, ctx))
        case "network.update":
            return Inverse(*inverse_of_network(target, received.corr, ctx))
        case "settings.set":
            key = str(fact.arguments.get("key", ""))
            before = setting_before(key, str(fact.arguments.get("value", "")), received.pos, ctx)
            return Inverse(SetSetting(key=key, value=before), f"rig settings set {key} {before}".rstrip())
    raise RigError(
        "conflict",
        f"`{fact.command}` cannot be taken back.",
        GONE.get(fact.command, "`rig audit` shows what else was done."),
    )


def inverse_of_made(target: str) -> Inverse:
    """The deletion of an app, or of a network."""
    if "/" in target:
        return Inverse(DeleteApp(app=target), f"rig delete app {target}", ("what was deployed to it since is lost",))
    return Inverse(DeleteNetwork(name=target), f"rig delete network {target}", ("it must hold no apps",))


def releases_of(known: Past, corr: str) -> list[DeployStarted]:
    """The releases that came of a command."""
    return [record.fact for record in known.records if isinstance(record.fact, DeployStarted) and record.corr == corr]


def settings_of(target: str, known: Past | None, ctx: ClientContext) -> tuple[list[Recorded], ConfigState]:
    """The records of an app, or else of a network, and the variables and secrets that they come to."""
    if known is not None:
        return known.records, known.state().config
    record, _ = history(ctx)
    records = record.stream(f"network:{target}")
    return records, state_of(records).config


def inverse_of_release(known: Past, corr: str, *, watched: bool) -> Inverse:
    """Going back to the release that served before. Raises `RigError` ``conflict`` where another serves by now."""
    begun = releases_of(known, corr)
    if not begun:
        raise RigError(
            "conflict", f"No release of {known.app} came of it.", f"`rig history {known.app}` lists them.",
            changed_nothing=watched,
        )  # fmt: skip
    made, state = begun[-1], known.state()
    if made.version not in restored(state):
        raise RigError(
            "conflict",
            f"v{made.version} of {known.app} does not serve any more; v{state.current} does.",
            f"`rig rollback {known.app} vN` goes back to the one that you name.",
        )
    if not made.previous:
        raise RigError(
            "conflict", f"v{made.version} is the first release of {known.app}: there is none to go back to.",
            f"`rig delete app {known.app}` takes it away.",
        )  # fmt: skip
    command = Rollback(app=known.app, version=f"v{made.previous}")
    return Inverse(command, f"rig rollback {known.app} v{made.previous}", DATA)


def restored(state: AppState) -> list[int]:
    """The release that serves, the one that it brought back by a rollback, the one that that brought back …"""
    versions = [state.current]
    while (release := state.releases.get(versions[-1])) and release.started.rollback_of:
        versions.append(release.started.rollback_of)
    return versions


def inverse_of_scale(known: Past, corr: str) -> Inverse:
    """The numbers and limits that were before.

    Raises `RigError` ``conflict`` where nothing changed, or where they were changed once more since.
    """
    scale: dict[str, int] = {}
    memory: list[str] = []
    touched = False
    now = known.state()
    for index, record in enumerate(known.records):
        if record.corr != corr or not isinstance(record.fact, AppScaled | AppLimited):
            continue
        before = state_at(known.records[:index])
        if isinstance(record.fact, AppScaled):
            counts = counts_of(before, before.current)
            scale = {process: counts.get(process, 1) for process in sorted(record.fact.scale)}
            touched |= any(now.scale.get(process) != count for process, count in record.fact.scale.items())
        else:
            memory = limits_before(before)
            touched |= now.memory != record.fact.memory
    if not scale and not memory:
        raise RigError("conflict", "It changed nothing: the numbers were the same before.", changed_nothing=True)
    typed = [f"--scale {process}={count}" for process, count in scale.items()]
    typed += [f"--memory {limit}" for limit in memory]
    command = f"rig update app {known.app} {' '.join(typed)}"
    if touched:
        raise RigError(
            "conflict", "It was changed once more since.", f"`{command}` sets what was before it all the same."
        )
    return Inverse(UpdateApp(app=known.app, scale=scale, memory=memory), command)


def limits_before(state: AppState) -> list[str]:
    """What to ask for so that the limits are those of ``state``: all are let go of, then set again."""
    limits = sorted(state.memory.items())  # `*` comes first
    return ["default", *(f"{'' if process == '*' else process + '='}{limit or 'none'}" for process, limit in limits)]
