"""`rig undo`: take a change back by another one."""

from __future__ import annotations

import msgspec

from events.command import CommandReceived, CommandUndone
from handlers.audit_sources import Sources
from handlers.inverse_observed import inverse_of_observed
from handlers.inverses import GONE, UNDOABLE, Inverse, inverse_of
from handlers.observe import observed
from handlers.show_audit import find
from rig.contract.undo import Undo, UndoReport
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Recorded

NEWEST = """
SELECT pos, stream FROM audit NOT INDEXED
WHERE pos < ? AND actor = ? AND outcome = 'success' AND action IN (SELECT value FROM json_each(?))
AND corr NOT IN (SELECT corr FROM audit INDEXED BY audit_action WHERE action = 'undo')
ORDER BY pos DESC LIMIT 1"""
"""Along the positions: it is mostly among the last rows, and nearly all rows of a machine are of one actor."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is to be taken back."""

    id: str
    key: str
    """By which it is known that it was taken back: the id of its command, or the correlation of somebody else's."""
    what: str
    target: str
    at: int
    actor: str
    inverse: Inverse


def handle(command: Undo, ctx: ClientContext) -> UndoReport:
    subject = named(command.id, ctx) if command.id else newest(ctx)
    inverse = subject.inverse
    report = UndoReport(
        id=subject.id,
        what=subject.what,
        target=subject.target,
        at=rfc3339(subject.at),
        actor=subject.actor,
        command=inverse.typed,
        remains=list(inverse.remains),
    )
    if command.dry_run:
        return report
    if not command.yes:
        agree(report, ctx)
    ctx.ports.perform(inverse.command)
    undone = CommandUndone(id=subject.key, command=subject.what)
    ctx.emit(f"undo:{undone.id}", undone, target=subject.target)
    return msgspec.structs.replace(report, done=True)


def agree(report: UndoReport, ctx: ClientContext) -> None:
    """Go on only with a yes. Raises `RigError` ``input_required`` or ``cancelled``."""
    terminal = ctx.ports.terminal
    if terminal.interactive:
        for text in report.remains:
            terminal.tell(f"Stays as it is: {text}")
    question = f"Take back `{report.what}` of {report.target or 'this machine'} by `{report.command}`?"
    terminal.confirm(question, flag="--yes", look="--dry-run")


def named(wanted: str, ctx: ClientContext) -> Subject:
    """The change that was named. Raises `RigError`."""
    sources: Sources = [("local", ctx.journal)]
    if (replica := observed(ctx, fetch=False)) is not None:
        sources.append(("observed", replica))
    found = find(wanted, sources)
    fields = found.fields
    # A fact is taken back by taking back the command that it belongs to; one of the platform's may belong to ours.
    own = found.source == "local" and fields["stream"].startswith("command:")
    command = fields["stream"].removeprefix("command:") if own else fields["corr"]
    if ctx.journal.stream(f"undo:{command}"):
        raise RigError("conflict", f"`{wanted}` was taken back already.", f"`rig audit show {wanted}` tells when.")
    records = ctx.journal.stream(f"command:{command}")
    if records and isinstance(records[0].fact, CommandReceived):
        return subject_of(records[0], ctx)
    if found.source == "local":
        raise RigError("conflict", f"`{wanted}` changed nothing.", "`rig audit` shows what did.")
    what = fields["body"].get("command", fields["type"])
    return Subject(
        id=fields["id"],
        key=command,
        what=what,
        target=fields["target"],
        at=int(fields["at"]),
        actor=fields["actor"],
        inverse=inverse_of_observed(fields["target"], command, what, ctx),
    )


def subject_of(received: Recorded, ctx: ClientContext) -> Subject:
    """The change that a command of this machine made. Raises `RigError` where nothing takes it back."""
    fact = received.fact
    assert isinstance(fact, CommandReceived)
    return Subject(
        id=received.id,
        key=received.stream.removeprefix("command:"),
        what=fact.command,
        target=received.target,
        at=received.at,
        actor=received.actor,
        inverse=inverse_of(received, ctx),
    )


def newest(ctx: ClientContext) -> Subject:
    """The newest change of this user that succeeded, that was not taken back, and that takes nothing back itself."""
    actions = msgspec.json.encode([*UNDOABLE, *GONE]).decode()
    below = 1 << 62
    while row := next(ctx.journal.rows(NEWEST, (below, ctx.stamp.actor, actions)), None):
        below = row["pos"]
        records = ctx.journal.stream(row["stream"])
        if not isinstance(records[0].fact, CommandReceived):
            continue
        if ctx.journal.stream(f"undo:{row['stream'].removeprefix('command:')}"):
            continue
        try:
            return subject_of(records[0], ctx)
        except RigError as error:
            if not error.details.get("changed_nothing"):
                raise
    raise RigError("not_found", "There is nothing on the record of this machine to take back.", "`rig audit` shows it.")
