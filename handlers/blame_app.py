"""`rig blame`: who set the configuration of an app."""

from __future__ import annotations

from typing import Any

from handlers.observe import history
from handlers.past import Past
from rig.contract.history import Blame, BlameApp, Blamed
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339

# SQLite takes a bare column from the row that has the maximum.
NOW = "SELECT *, max(pos) FROM configuration WHERE app = ? GROUP BY key ORDER BY key"
EVER = "SELECT * FROM configuration WHERE app = ? AND key = ? ORDER BY pos DESC"


def handle(command: BlameApp, ctx: ClientContext) -> Blame:
    record, source = history(ctx)
    if not command.key:
        found = [row for row in record.rows(NOW, (command.app,)) if row["value"] is not None]
        known = Past(command.app, [] if found else record.stream(f"app:{command.app}"), source)
        if known.deletion:
            raise known.gone()
        if not found and not known.records:
            raise RigError(
                "not_found",
                f"There is nothing on the record of an app `{command.app}`.",
                "`rig list apps` shows yours.",
            )
        return Blame(app=command.app, record=source, keys=[blamed(row) for row in found])
    # A variable goes by its own name: that is what people know.
    for key in (command.key, f"env.{command.key}"):
        rows = list(record.rows(EVER, (command.app, key)))
        if rows:
            return Blame(app=command.app, record=source, keys=[blamed(row) for row in rows])
    raise RigError(
        "not_found",
        f"Nobody ever set `{command.key}` of `{command.app}`, as far as the record tells.",
        f"`rig blame {command.app}` shows what is set.",
    )


def blamed(row: dict[str, Any]) -> Blamed:
    return Blamed(key=row["key"], value=row["value"], at=rfc3339(row["at"]), by=row["actor"], version=row["release"])
