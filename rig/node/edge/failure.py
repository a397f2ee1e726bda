"""Why Caddy could not be started, as it says itself."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rig.kernel.errors import RigError
from rig.node.edge.binary import find_caddy
from rig.node.edge.config import LOG

OUTPUT = "caddy.out"
"""What Caddy says before its logs are open."""


class LogEntry(msgspec.Struct):
    """A line of Caddy's log, as far as it matters here."""

    level: str = ""
    msg: str = ""
    error: str = ""


def log_size(folder: Path) -> int:
    """Bytes of Caddy's log in the edge's folder; 0 where there is none yet."""
    log = folder / LOG
    return log.stat().st_size if log.exists() else 0


def start_failure(folder: Path, began: int) -> RigError:
    """What Caddy said last before it ended, as an error: in its log, past ``began`` bytes, or before it had one.

    ``folder`` is the edge's.
    """
    lines = (folder / OUTPUT).read_bytes()[-65536:].splitlines()
    if (folder / LOG).exists():
        lines += (folder / LOG).read_bytes()[began:].splitlines()
    said = ""
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=LogEntry)
        except msgspec.DecodeError:
            continue
        if entry.level in ("error", "fatal", "panic"):
            said = f"{entry.msg} {entry.error}".strip()
    code, hint = "failed", f"Its log: {folder / LOG}."
    if "address already in use" in said:
        code, hint = "conflict", "Stop what has that port: `ss -ltnp` on Linux, `lsof -iTCP -sTCP:LISTEN` on macOS."
    elif "permission denied" in said:
        code, hint = (
            "forbidden",
            f"Let Caddy have ports below 1024: `sudo setcap cap_net_bind_service=+ep {find_caddy()}`.",
        )
    return RigError(code, f"The edge could not be started: {said or 'Caddy ended without a word'}.", hint)
