"""What `rig journal info` tells: where everything is, and how far it goes. It reads, and verifies nothing."""

from __future__ import annotations

import os
import sqlite3

from rig.contract.verification import JournalReport
from rig.kernel.ids import rfc3339
from storage import cosigned, heartbeat, keys
from storage.database import connect, unavailable
from storage.files import file_system_type
from storage.merkle import Frontier
from storage.pin import Pin

QUIET = "SELECT at FROM heartbeat WHERE size = (SELECT size FROM head)"


def report(path: str, key_path: str, pin: Pin, *, pin_error: str = "", timeout: float = 10.0) -> JournalReport:
    """Describe the journal. Raises `RigError` ``journal_unavailable`` where it cannot be read."""
    signer = keys.load(key_path)
    pinned = 0
    try:
        checkpoint = pin.read()
        pinned = checkpoint.size if checkpoint else 0
    except (ValueError, OSError) as error:
        pin_error = pin_error or str(error)
    witnessed, witness = cosigned.newest(os.path.dirname(pin.path), origin=signer.origin if signer else "")
    try:
        connection = connect(path, read_only=True, timeout=timeout)
        try:
            head = connection.execute("SELECT origin, size, tip, frontier, last_at, min_pos FROM head").fetchone()
            note = connection.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
            first = connection.execute("SELECT at FROM event ORDER BY pos LIMIT 1").fetchone()
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            quiet = connection.execute(QUIET).fetchone() if schema >= heartbeat.SINCE else None
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        finally:
            connection.close()
        origin, size, tip, frontier, last_at, archived = head or (signer.origin if signer else "", 0, b"", b"", 0, 0)
        root = Frontier(size, frontier).root().hex()
        length = os.stat(path).st_size
    except (sqlite3.Error, OSError, ValueError) as error:
        raise unavailable(path, error) from error
    return JournalReport(
        path=path,
        origin=origin,
        size=size,
        first=archived,
        tip=tip.hex(),
        root=root,
        checkpoint=note[0] if note else "",
        pin=pin.path,
        pinned=pinned,
        pin_error=pin_error,
        witnessed=witnessed,
        witness=witness,
        key=key_path,
        key_id=signer.key_id if signer else "",
        verifier=signer.verifier if signer else "",
        bytes=length,
        schema_version=schema,
        journal_mode=mode,
        sqlite=sqlite3.sqlite_version,
        file_system=file_system_type(path),
        first_at=rfc3339(first[0]) if first else "",
        last_at=rfc3339(last_at),
        quiet_until=rfc3339(quiet[0] * heartbeat.SECOND) if quiet else "",
    )
