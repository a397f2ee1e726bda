"""Who changed which key of a network or an app: from the record alone."""

from __future__ import annotations

from typing import Any, Literal

from handlers.observe import history
from rig.contract.configuration import ConfigHistory, KeyChange, KeyHistory
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.kernel.sizes import size_of

# What begins with `demo/` stands before `demo0`: the zero is the character that follows the slash.
CHANGES = """
SELECT * FROM changes
WHERE (scope = :scope OR (scope > :below AND scope < :above))
AND (:key = '' OR key IN (:key, 'env.' || :key, 'secrets.' || :key, 'processes.' || :key))
ORDER BY pos DESC, scope, key LIMIT :limit
"""


def handle(command: ConfigHistory, ctx: ClientContext) -> KeyHistory:
    record, source = history(ctx)
    target = command.target
    asked = {
        "scope": target,
        "below": f"{target}/",
        "above": f"{target}0",
        "key": command.key,
        "limit": command.limit + 1,
    }
    rows = list(record.rows(CHANGES, asked))
    if not rows and not record.stream(f"{'app' if '/' in target else 'network'}:{target}"):
        raise RigError(
            "not_found",
            f"There is nothing on the record of `{target}`.",
            "`rig list networks` and `rig list apps` show yours.",
        )
    return KeyHistory(
        target=target,
        record=source,
        changes=[changed(row, values=command.show_values) for row in rows[: command.limit]],
        more=len(rows) > command.limit,
    )


def changed(row: dict[str, Any], *, values: bool) -> KeyChange:
    """A row as it may be seen: without the values of variables, unless they were asked for."""
    redacted = row["key"].startswith("env.") and not values
    change: Literal["added", "changed", "removed"] = "changed"
    if row["before"] is None or row["after"] is None:
        change = "added" if row["before"] is None else "removed"
    return KeyChange(
        scope=row["scope"],
        key=row["key"],
        before=None if redacted else told(row["key"], row["before"]),
        after=None if redacted else told(row["key"], row["after"]),
        change=change,
        redacted=redacted,
        at=rfc3339(row["at"]),
        by=row["actor"],
        pos=row["pos"],
    )


def told(key: str, value: str | None) -> str | None:
    """A value as a file would have it: of memory the record holds bytes."""
    memory = key.partition(".")[0] == "memory" and value is not None
    return size_of(int(value or 0)) if memory else value
