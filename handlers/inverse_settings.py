"""What takes the change of a setting back: the value that it had before."""

from __future__ import annotations

from collections.abc import Iterator

from events.command import CommandReceived
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError

SETTINGS = """
SELECT stream FROM audit INDEXED BY audit_action
WHERE action = 'settings.set' AND outcome = 'success' AND pos < ? ORDER BY pos DESC"""


def setting_before(key: str, value: str, pos: int, ctx: ClientContext) -> str:
    """The value that a setting had before the record at ``pos`` gave it ``value``; empty for its default.

    That is as far as it was set with rig. Raises `RigError` ``conflict`` where it was set to something else since.
    """
    newest = next(given(key, 1 << 62, ctx), value)
    if newest != value:
        raise RigError(
            "conflict",
            f"`{key}` was set once more since, to `{newest}`." if newest else f"`{key}` was set back since.",
            f"`rig settings set {key}` sets it.",
        )
    return next(given(key, pos, ctx), "")


def given(key: str, below: int, ctx: ClientContext) -> Iterator[str]:
    """The values that a setting was given with rig, by records below a position; the newest first."""
    for row in list(ctx.journal.rows(SETTINGS, (below,))):
        fact = ctx.journal.stream(row["stream"])[0].fact
        if isinstance(fact, CommandReceived) and fact.arguments.get("key") == key:
            yield str(fact.arguments.get("value", ""))
