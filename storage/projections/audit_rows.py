"""Rows of the audit table, from records that are decoded and from records as they were written.

A whole journal is folded from what was written: only what the audit log shows of a record is decoded then, page by
page, which takes half the time. Both ways make the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from events.app import AppCrashed, AppRestartFailed, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.codec import version_of
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
ENDED_AT, ACTION, TARGET, OUTCOME, CODE, REASON, CORR, ENV, LEAD = map(
    COLUMNS.index, ("ended_at", "action", "target", "outcome", "code", "reason", "corr", "env", "lead")
)

V = TypeVar("V")
Row = list[Any]
"""The values of :data:`COLUMNS`."""


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


NOTHING = Body()


class Shown(msgspec.Struct, frozen=True, gc=False):
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
COMMANDS = frozenset({RECEIVED, COMPLETED})
_decoder = msgspec.json.Decoder(Shown)


def shown(recorded: Recorded) -> Shown:
    """What is shown of a record that is decoded."""
    fact = recorded.fact
    kind = fact.type
    if isinstance(fact, CommandReceived | CommandCompleted):
        body = Body(
            arguments=Arguments(fact.arguments.get("env", "")),
            code=getattr(fact, "code", ""),
            command=fact.command,
            context=fact.context,
            message=getattr(fact, "message", ""),
            process=getattr(fact, "process", ""),
        )
    elif kind in TELLING:
        body = Body(
            code=getattr(fact, "code", ""), reason=getattr(fact, "reason", ""), version=getattr(fact, "version", 0)
        )
    else:
        body = NOTHING
    return Shown(
        recorded.actor, str(recorded.at), body, recorded.caus, recorded.corr, recorded.id, recorded.idem,
        recorded.outcome, recorded.pos, recorded.session, recorded.src, recorded.stream, fact.sv, recorded.target, kind,
        recorded.ver,
    )  # fmt: skip


def shown_of(written: str, count: int) -> list[Shown]:
    """What is shown of ``count`` records as they were written, one on a line.

    Raises `RigError` for one that this version of rig cannot read.
    """
    try:
        found = _decoder.decode_lines(written)
    except msgspec.MsgspecError:
        found = []
    if len(found) != count:  # one that cannot be read, or that is empty, which is skipped
        return list(map(_shown, written.split("\n")))
    old = [place for place, one in enumerate(found) if _versions[one.type] != one.sv]
    if old:
        lines = written.split("\n")
        for place in old:
            found[place] = _shown(lines[place])
    return found


def _shown(written: str) -> Shown:
    try:
        one = _decoder.decode(written)
        if _versions[one.type] == one.sv:
            return one
    except msgspec.MsgspecError:
        pass  # a field of the body has the name of another one and is something else; or the record is damaged
    return shown(record.recorded(written))


def row_of(one: Shown) -> Row:
    """The row that a record begins; ``env`` is the record's own, and ``lead`` is not known yet."""
    kind, body, at = one.type, one.body, int(one.at)
    action, ended_at, code, reason, context, env, version, process = kind, None, "", "", "", "", 0, ""
    if kind in COMMANDS:
        action, context = body.command, body.context
        if type(body.arguments.env) is str:
            env = body.arguments.env
        if kind == RECEIVED:
            process = body.process
        else:
            ended_at, code, reason = at, body.code, body.message
    elif kind in TELLING:
        code, reason, version = body.code, body.reason, body.version
    return [
        one.pos, at, ended_at, one.id, one.stream, one.actor, action, one.target, one.outcome, code, reason, one.src,
        one.session, one.corr, context, env, _privileges[action], version, one.idem, process, None,
    ]  # fmt: skip


def privileged(action: str) -> bool:
    """Whether an action touches how rights are given, or takes something away for good."""
    return action.startswith(PRIVILEGED) or action.endswith((".delete", ".deleted"))


class _Memo(dict[str, V]):
    """Remembers what a function gave for each name. Of what is asked for every record, `functools.cache` is slow."""

    def __init__(self, function: Callable[[str], V]) -> None:
        self._function = function

    def __missing__(self, name: str) -> V:
        value = self[name] = self._function(name)
        return value


_versions = _Memo(version_of)
_privileges = _Memo(lambda action: int(privileged(action)))
"""As a column has it: `sqlite3` is slow with what is not just an integer."""
