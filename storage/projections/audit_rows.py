"""Rows of the audit table, from records that are decoded and from records as they were written.

A whole journal is folded from what was written: only what the audit log shows of a record is decoded then, which takes
half the time. Both ways make the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from events.app import AppCrashed, AppRestartFailed, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.codec import is_current
from events.command import CommandCompleted, CommandReceived
from rig.kernel.ports import Recorded
from storage import record

PRIVILEGED = ("account.", "auth.", "journal.", "node.", "policy.", "role.", "secret.", "session.", "token.", "witness.")
"""Actions that begin so touch how rights are given, or need more than the right to deploy. So does every deletion."""
TELLING = {
    fact.type for fact in (DeployStarted, DeployBuilt, DeploySucceeded, DeployFailed, AppCrashed, AppRestartFailed)
}
"""Facts that tell of a release, or of what went wrong."""

COLUMNS = (
    "pos", "at", "ended_at", "id", "stream", "actor", "action", "target", "outcome", "code", "reason", "src", "session",
    "corr", "context", "env", "privileged", "version", "key", "process", "lead",
)  # fmt: skip
POS, ENDED_AT, ID, STREAM, ACTION, TARGET, OUTCOME = map(
    COLUMNS.index, ("pos", "ended_at", "id", "stream", "action", "target", "outcome")
)
CODE, REASON, CORR, ENV, KEY, PROCESS, LEAD = map(
    COLUMNS.index, ("code", "reason", "corr", "env", "key", "process", "lead")
)


Row = list[Any]
"""The values of :data:`COLUMNS`."""


class Entry(msgspec.Struct, gc=False):
    """What one record adds to the audit log."""

    row: Row
    """``env`` is the record's own, and ``lead`` is not known yet."""
    begins: bool
    """Whether it is the intent of a command."""
    ends: bool
    """Whether it is the end of one."""
    caus: str
    ver: int


class Arguments(msgspec.Struct, frozen=True, gc=False):
    """What of a command's arguments is shown."""

    env: Any = ""


class Body(msgspec.Struct, frozen=True, gc=False):
    """What of any fact is shown."""

    arguments: Arguments = Arguments()
    code: str = ""
    command: str = ""
    context: str = ""
    message: str = ""
    process: str = ""
    reason: str = ""
    version: int = 0


class Written(msgspec.Struct, frozen=True, gc=False):
    """What of a record is shown; see `storage.record.Record`."""

    actor: str
    at: str
    body: Body
    caus: str
    corr: str
    id: str
    idem: str
    outcome: str
    pos: int
    session: str
    src: str
    stream: str
    sv: int
    target: str
    type: str
    ver: int


RECEIVED, COMPLETED = CommandReceived.type, CommandCompleted.type
_decode = msgspec.json.Decoder(Written).decode


def entry_of(recorded: Recorded) -> Entry:
    """The entry of a record that is decoded."""
    fact = recorded.fact
    env = fact.arguments.get("env", "") if isinstance(fact, CommandReceived | CommandCompleted) else ""
    return _entry(recorded, fact.type, recorded.at, fact, env)


def entries_of(written: Sequence[str]) -> list[Entry]:
    """The entries of records as they were written. Raises `RigError` for one that this version of rig cannot read."""
    return [_written_entry(data) for data in written]


def _written_entry(data: str) -> Entry:
    try:
        one = _decode(data)
        if is_current(one.type, one.sv):
            return _entry(one, one.type, int(one.at), one.body, one.body.arguments.env)
    except msgspec.MsgspecError:
        pass  # a field of the body has the name of another one and is something else; or the record is damaged
    return entry_of(record.recorded(data))


def _entry(one: Recorded | Written, kind: str, at: int, fact: Any, env: Any) -> Entry:
    """``fact`` is the one of the record, or what is shown of it. Written out for each kind: there are millions."""
    begins, ends = kind == RECEIVED, kind == COMPLETED
    if begins or ends:
        action = fact.command
        code, reason, process, ended_at = (fact.code, fact.message, "", at) if ends else ("", "", fact.process, None)
        row = [
            one.pos, at, ended_at, one.id, one.stream, one.actor, action, one.target, one.outcome, code, reason,
            one.src, one.session, one.corr, fact.context, env if type(env) is str else "", privileged(action), 0,
            one.idem, process, None,
        ]  # fmt: skip
    else:
        code, reason, version = "", "", 0
        if kind in TELLING:
            code, reason = getattr(fact, "code", ""), getattr(fact, "reason", "")
            version = getattr(fact, "version", 0)
        row = [
            one.pos, at, None, one.id, one.stream, one.actor, kind, one.target, one.outcome, code, reason,
            one.src, one.session, one.corr, "", "", privileged(kind), version, one.idem, "", None,
        ]  # fmt: skip
    return Entry(row, begins, ends, one.caus, one.ver)


@cache
def privileged(action: str) -> bool:
    """Whether an action touches how rights are given, or takes something away for good."""
    return action.startswith(PRIVILEGED) or action.endswith((".delete", ".deleted"))
