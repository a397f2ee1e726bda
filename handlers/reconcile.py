"""Learning from the platform what became of changes whose end is not on the local record.

A process that was killed, or an answer that was lost, leaves a change that began and never ended here. The next
command that reaches the platform asks for each, by the idempotency key it was sent with, and records the end.
"""

from __future__ import annotations

import msgspec

from events.app import DeployStarted
from events.base import Fact
from events.command import CommandCompleted, CommandReceived
from handlers.follow import begun, ended
from rig.contract.intents import Intent, ShowIntent
from rig.contract.releases import Release, ShowRelease
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Draft, Journal, Platform, Recorded, Settled, Stamp
from rig.kernel.processes import alive

AT_ONCE = 5
"""At most so many are asked for after one command; the rest has its turn after the next."""
ORPHANED_NS = 15 * 60 * 1_000_000_000
"""After this long a change counts as cut off even where it cannot be told whether its process runs."""


class Unsettled(msgspec.Struct, frozen=True):
    """A change that began here and has no end."""

    key: str
    """The idempotency key: the id of its command."""
    received: Recorded
    version: int
    """Of its stream, when it was found to have no end."""

    @property
    def stream(self) -> str:
        return self.received.stream


def unsettled(journal: Journal, context: str, now: int, target: str = "") -> list[Unsettled]:
    """Changes sent to the platform of ``context`` that nobody carries on with, oldest first."""
    found = []
    query = "SELECT idem, state FROM outbox WHERE state IN ('pending', 'unknown') AND (? = '' OR key = ?) ORDER BY seq"
    for row in list(journal.rows(query, (target, target))):
        records = journal.stream(f"command:{row['idem']}")
        if not records or not isinstance(records[0].fact, CommandReceived) or records[0].fact.context != context:
            continue
        # A row that was pending a moment ago, of a change that has its end by now, was settled in between.
        ended = any(isinstance(record.fact, CommandCompleted) for record in records)
        if row["state"] == "unknown" if ended else _cut_off(records[0], now):
            found.append(Unsettled(row["idem"], records[0], records[-1].ver))
    return found


def _cut_off(received: Recorded, now: int) -> bool:
    """Whether the process that carried the change out is gone."""
    assert isinstance(received.fact, CommandReceived)
    pid, _, started = received.fact.process.partition(":")
    if pid.isdigit() and started.isdigit() and int(started):
        return not alive(int(pid), int(started))
    return now - received.at > ORPHANED_NS


def decide(change: Unsettled, intent: Intent, facts: list[Fact]) -> list[Draft]:
    """What is recorded of a change, once the platform has told; nothing while it goes on there."""
    if intent.state == "pending":
        return []
    received = change.received.fact
    assert isinstance(received, CommandReceived)
    code = "" if intent.state == "succeeded" else intent.code or "interrupted"
    message = intent.message or ("" if not code else "It was cut off before the platform accepted it.")
    completed = CommandCompleted(
        command=received.command,
        exit=0 if not code else 1,
        code=code,
        message=message,
        hint=intent.hint,
        reconciled=True,
        client=received.client,
        context=received.context,
    )
    outcome = "failure" if code else "success"
    target = change.received.target
    # They came of that command, and not of the one that asked.
    drafts = [
        Draft(stream=f"app:{target}", fact=fact, target=target, outcome=outcome, caus=change.key) for fact in facts
    ]
    return [*drafts, Draft(stream=change.stream, fact=completed, target=target, outcome=outcome)]


def settle(change: Unsettled, journal: Journal, platform: Platform, stamp: Stamp) -> str:
    """Ask for one change and record its end; gives a sentence for the user, empty while it goes on.

    Raises `RigError` where the platform cannot be asked.
    """
    intent = platform.call(ShowIntent(key=change.key), Intent, corr=stamp.corr)
    release = None
    if intent.version:
        release = platform.call(ShowRelease(app=intent.app, version=intent.version), Release, corr=stamp.corr)
    drafts = decide(change, intent, missing_facts(release, journal))
    if not drafts:
        return ""
    failpoint("reconcile.told")
    state = "refused" if intent.state == "none" else "delivered"
    told, settled = msgspec.structs.replace(stamp, corr=change.received.corr), Settled(idem=change.key, state=state)
    try:
        journal.append(drafts, told, expect={change.stream: change.version}, settle=settled)
    except RigError as error:
        if error.code != "conflict":
            raise
        return ""  # another process has settled it meanwhile
    return sentence(change, intent)


def missing_facts(release: Release | None, journal: Journal) -> list[Fact]:
    """What the local record lacks of a release that is over: its end, and maybe its beginning."""
    if release is None or release.outcome == "pending":
        return []
    local = [record.fact for record in journal.stream(f"app:{release.app}")]
    known = any(isinstance(fact, DeployStarted) and fact.version == release.version for fact in local)
    return [*([] if known else begun(release)), *ended(release)]


def sentence(change: Unsettled, intent: Intent) -> str:
    """What the user is told of a change that was settled afterwards; nothing of one that only watched another."""
    fact = change.received.fact
    assert isinstance(fact, CommandReceived)
    if intent.state == "none" and fact.arguments.get("resume"):
        return ""
    what = f"`{fact.command}` of {change.received.target}" if change.received.target else f"`{fact.command}`"
    made = f" as v{intent.version}" if intent.version else ""
    ends = {
        "succeeded": f"succeeded{made}.",
        "failed": f"failed{made}: {intent.message}",
        "none": "had not been accepted by the platform; nothing came of it.",
    }
    return f"An earlier {what}, whose end was not known, {ends[intent.state]}"


def reconcile(journal: Journal, platform: Platform, stamp: Stamp) -> list[str]:
    """Settle what can be settled; gives a sentence for each change that was."""
    told = []
    for change in unsettled(journal, stamp.context, stamp.at)[:AT_ONCE]:
        said = settle(change, journal, platform, stamp)
        if said:
            told.append(said)
    return told
