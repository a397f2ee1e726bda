"""`rig undo`: take a change back by another one."""

from __future__ import annotations

import msgspec

from events.command import CommandReceived, CommandUndone
from handlers.inverses import GONE, UNDOABLE, Inverse, inverse_of
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


def handle(command: Undo, ctx: ClientContext) -> UndoReport:
    received, inverse = named(command.id, ctx) if command.id else newest(ctx)
    fact = received.fact
    assert isinstance(fact, CommandReceived)
    report = UndoReport(
        id=received.id,
        what=fact.command,
        target=received.target,
        at=rfc3339(received.at),
        actor=received.actor,
        command=inverse.typed,
        remains=list(inverse.remains),
    )
    if command.dry_run:
        return report
    if not command.yes:
        agree(report, ctx)
    ctx.ports.perform(inverse.command)
    undone = CommandUndone(id=received.stream.removeprefix("command:"), command=fact.command)
    ctx.emit(f"undo:{undone.id}", undone, target=received.target)
    return msgspec.structs.replace(report, done=True)


def agree(report: UndoReport, ctx: ClientContext) -> None:
    """Go on only with a yes. Raises `RigError` ``input_required`` or ``cancelled``."""
    terminal = ctx.ports.terminal
    if terminal.interactive:
        for text in report.remains:
            terminal.tell(f"Stays as it is: {text}")
    question = f"Take back `{report.what}` of {report.target or 'this machine'} by `{report.command}`?"
    terminal.confirm(question, flag="--yes", look="--dry-run")


def named(wanted: str, ctx: ClientContext) -> tuple[Recorded, Inverse]:
    """The beginning of the command that was named, and its inverse. Raises `RigError`."""
    found = find(wanted, [("local", ctx.journal)]).fields
    # A fact is taken back by taking back the command that it belongs to.
    command = found["stream"].removeprefix("command:") if found["stream"].startswith("command:") else found["corr"]
    records = ctx.journal.stream(f"command:{command}")
    if not records or not isinstance(records[0].fact, CommandReceived):
        raise RigError("conflict", f"`{wanted}` changed nothing.", "`rig audit` shows what did.")
    if ctx.journal.stream(f"undo:{command}"):
        raise RigError("conflict", f"`{wanted}` was taken back already.", f"`rig audit show {wanted}` tells when.")
    return records[0], inverse_of(records[0], ctx)


def newest(ctx: ClientContext) -> tuple[Recorded, Inverse]:
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
            return records[0], inverse_of(records[0], ctx)
        except RigError as error:
            if not error.details.get("changed_nothing"):
                raise
    raise RigError("not_found", "There is nothing on the record of this machine to take back.", "`rig audit` shows it.")
