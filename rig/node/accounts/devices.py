"""Device grants (RFC 8628): a client asks, a person says yes on the node's page, the client gets its tokens."""

from __future__ import annotations

from typing import Literal

import msgspec

from rig.kernel.errors import RigError
from rig.node.accounts import codes
from rig.node.accounts.store import Store

SECOND = 1_000_000_000
LIFE_SECONDS = 600
INTERVAL_SECONDS = 2
MAX_WAITING = 1000
MAX_WAITING_HERE = 50
"""Grants that may wait for their person, in all and from one address."""

PollState = Literal["authorization_pending", "slow_down", "access_denied", "expired_token", "approved"]


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who waits behind a user code."""

    user_code: str
    host: str
    """What the client calls its machine: a claim, not a fact."""
    src: str
    """The address that the request came from."""
    asked_at: int


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """What a client learns. ``name`` and ``host`` are filled once it is approved, and the grant is gone then."""

    state: PollState
    name: str = ""
    host: str = ""


class Devices:
    """The grants that wait."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, host: str, src: str, now: int) -> tuple[str, str]:
        """A new grant: ``(device_code, user_code)``. Raises `RigError` ``rate_limited`` where too many wait."""
        device, user = codes.new_token(codes.DEVICE), codes.new_user_code()
        with self._store.transaction() as db:
            db.execute("DELETE FROM device WHERE expires_at <= ?", (now - LIFE_SECONDS * SECOND,))
            waiting, here = db.execute(
                "SELECT count(*), coalesce(sum(src = ?), 0) FROM device WHERE state = 'pending' AND expires_at > ?",
                (src, now),
            ).fetchone()
            if waiting >= MAX_WAITING or here >= MAX_WAITING_HERE:
                raise RigError("rate_limited", "Too many logins wait for their approval.", "Try again in ten minutes.")
            db.execute(
                "INSERT INTO device(hash, user_code, host, src, state, interval, polled_at, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, 'pending', ?, 0, ?, ?)",
                (
                    codes.digest(device),
                    codes.digest(user),
                    host,
                    src,
                    INTERVAL_SECONDS,
                    now,
                    now + LIFE_SECONDS * SECOND,
                ),
            )
        return device, user

    def asker(self, user_code: str, now: int) -> Asker | None:
        """Who waits behind a code; None for one that is unknown, answered or too old."""
        user_code = codes.normal_user_code(user_code)
        row = self._store.row(
            "SELECT * FROM device WHERE user_code = ? AND state = 'pending' AND expires_at > ?",
            codes.digest(user_code),
            now,
        )
        if row is None:
            return None
        return Asker(user_code=user_code, host=row["host"], src=row["src"], asked_at=row["created_at"])

    def answer(self, user_code: str, name: str, now: int) -> bool:
        """Approve as ``name``, or deny with an empty one. False where nobody waits any more."""
        with self._store.transaction() as db:
            changed = db.execute(
                "UPDATE device SET state = ?, name = ? WHERE user_code = ? AND state = 'pending' AND expires_at > ?",
                ("approved" if name else "denied", name, codes.digest(codes.normal_user_code(user_code)), now),
            )
            return changed.rowcount == 1

    def poll(self, device_code: str, now: int) -> Poll:
        """What became of a grant (RFC 8628, section 3.5). Asking too early makes the interval 5 seconds longer."""
        hashed = codes.digest(device_code)
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM device WHERE hash = ?", (hashed,)).fetchone()
            if row is None or row["expires_at"] <= now:
                return Poll(state="expired_token")
            if row["state"] != "pending":
                db.execute("DELETE FROM device WHERE hash = ?", (hashed,))
                if row["state"] == "denied":
                    return Poll(state="access_denied")
                return Poll(state="approved", name=row["name"], host=row["host"])
            # Half a second of leave: the client's clock and the way to us are not exact.
            early = now - row["polled_at"] < row["interval"] * SECOND - SECOND // 2
            interval = row["interval"] + (5 if early else 0)
            db.execute("UPDATE device SET polled_at = ?, interval = ? WHERE hash = ?", (now, interval, hashed))
            return Poll(state="slow_down" if early else "authorization_pending")
