"""Tell what became of a change, by the key that it was sent with."""

from __future__ import annotations

from events.app import ReleaseState
from events.command import CommandCompleted, CommandReceived
from rig.contract.errors import ERRORS
from rig.contract.intents import Intent, IntentState, ShowIntent
from rig.kernel.ports import Recorded
from rig.node.ports import NodeContext


def decide(key: str, records: list[Recorded], release: ReleaseState | None) -> Intent:
    """The intent, from the records of its stream and the release that it made, if any."""
    received = [record.fact for record in records if isinstance(record.fact, CommandReceived)]
    if not received:
        return Intent(key=key, state="none")
    last = records[-1].fact
    if not isinstance(last, CommandCompleted) or (last.exit and ERRORS[last.code].retryable):
        # Its end is not on the record, and facts are recorded with the end: nothing of it was accepted.
        return Intent(key=key, state="none", command=received[0].command)
    if last.exit:
        return Intent(
            key=key, state="failed", command=last.command, code=last.code, message=last.message, hint=last.hint
        )
    if release is None:
        return Intent(key=key, state="succeeded", command=last.command)
    states: dict[str, IntentState] = {"pending": "pending", "succeeded": "succeeded", "failed": "failed"}
    failure = release.failure
    return Intent(
        key=key,
        state=states[release.outcome],
        command=last.command,
        code=failure.code if failure else "",
        message=failure.reason if failure else "",
        hint=failure.hint if failure else "",
        app=release.started.app,
        version=release.started.version,
    )


def handle(command: ShowIntent, ctx: NodeContext) -> Intent:
    # A key belongs to whoever sent it: nobody learns of another's.
    first = ctx.journal.by_idem(f"{ctx.stamp.actor}/{command.key}")
    records = ctx.journal.stream(first.stream) if first else []
    return decide(command.key, records, _release(records, ctx))


def _release(records: list[Recorded], ctx: NodeContext) -> ReleaseState | None:
    """The release that the command made: its result names it."""
    fact = records[-1].fact if records else None
    if not isinstance(fact, CommandCompleted):
        return None
    made = fact.result.get("release", fact.result)
    state = ctx.ports.world.apps.get(made.get("app", ""))
    return state.releases.get(made.get("version", 0)) if state else None
