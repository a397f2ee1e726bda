"""Sessions: what a login begins, and the tokens that carry it.

A session holds short access tokens and a chain of refresh tokens. Each refresh token is spent by its use and has
successors; a spent one that comes back means that somebody else holds a copy (RFC 9700, section 4.14.2), so the whole
session is ended. Two things that happen to honest clients must not look like that:

* An answer is lost. The spent token is taken again as long as no token of its successors has been used.
* Two processes refresh at the same instant. The spent token is taken again within `GRACE` of its first use.

In both cases another successor is made. Once one of them is spent the others are dead, so a copy that was used in that
window comes to light with the next refresh.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3

import msgspec

from rig.contract.accounts import TokenPair
from rig.kernel.errors import RigError
from rig.node.accounts import codes
from rig.node.accounts.store import Store

SECOND = 1_000_000_000
ACCESS_SECONDS = 15 * 60
REFRESH_SECONDS = 90 * 24 * 3600
"""Since its last refresh a session lives this long."""
GRACE_SECONDS = 20

_LOGIN = "Log in again with `rig login`."


class Reused(Exception):
    """A spent refresh token came back; the session and its person are named, for the record."""

    def __init__(self, session: str, name: str) -> None:
        super().__init__(session)
        self.session = session
        self.name = name


class Session(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    host: str


class Sessions:
    """Makes, renews, finds and ends them. Times are nanoseconds since the epoch."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, name: str, host: str, now: int) -> tuple[Session, TokenPair]:
        """A new session of ``name`` with its first tokens."""
        session = Session(id=secrets.token_hex(8), name=name, host=host)
        with self._store.transaction() as db:
            self._prune(db, now)
            db.execute(
                "INSERT INTO session(id, name, host, created_at) VALUES (?, ?, ?, ?)", (session.id, name, host, now)
            )
            return session, _issue(db, session.id, None, now)

    def refresh(self, token: str, now: int) -> TokenPair:
        """New tokens for a refresh token, which is spent by it.

        Raises `RigError` ``login_expired``, and `Reused` after it has ended the session of a token that came back.
        """
        hashed = codes.digest(token)
        with self._store.transaction() as db:
            row = db.execute(
                "SELECT t.*, s.name, s.revoked_at FROM refresh_token t JOIN session s ON s.id = t.session"
                " WHERE t.hash = ?",
                (hashed,),
            ).fetchone()
            if row is None or not hmac.compare_digest(row["hash"], hashed) or row["revoked_at"]:
                raise RigError("login_expired", "This login was ended.", _LOGIN)
            if row["expires_at"] <= now:
                raise RigError("login_expired", "This login was not used for too long and has ended.", _LOGIN)
            if row["state"] == "live":
                db.execute("UPDATE refresh_token SET state = 'spent', spent_at = ? WHERE hash = ?", (now, hashed))
                db.execute(
                    "UPDATE refresh_token SET state = 'dead' WHERE parent = ? AND hash <> ?", (row["parent"], hashed)
                )
                return _issue(db, row["session"], hashed, now)
            if row["state"] == "spent" and _may_come_back(db, row, now):
                return _issue(db, row["session"], hashed, now)
            _revoke(db, row["session"], now)
        raise Reused(row["session"], row["name"])

    def find(self, access_token: str, now: int) -> tuple[str, str]:
        """``(session, name)`` of an access token. Raises `RigError` ``login_expired`` or ``login_required``."""
        hashed = codes.digest(access_token)
        row = self._store.row(
            "SELECT a.*, s.name, s.revoked_at FROM access_token a JOIN session s ON s.id = a.session WHERE a.hash = ?",
            hashed,
        )
        if row is None or not hmac.compare_digest(row["hash"], hashed):
            raise RigError("login_required", "The platform does not know this token.", _LOGIN)
        if row["revoked_at"]:
            raise RigError("login_expired", "This login was ended.", _LOGIN)
        if row["expires_at"] <= now:
            raise RigError("login_expired", "This access token has run out.", _LOGIN)
        if not row["used"]:
            with self._store.transaction() as db:
                db.execute("UPDATE access_token SET used = 1 WHERE hash = ?", (hashed,))
        return row["session"], row["name"]

    def owner_of(self, token: str) -> Session | None:
        """The session that a token of either kind belongs to, if it goes on."""
        hashed = codes.digest(token)
        row = self._store.row(
            "SELECT * FROM session WHERE revoked_at = 0 AND id = coalesce("
            " (SELECT session FROM refresh_token WHERE hash = ?), (SELECT session FROM access_token WHERE hash = ?))",
            hashed,
            hashed,
        )
        return Session(id=row["id"], name=row["name"], host=row["host"]) if row else None

    def revoke(self, session: str, now: int) -> None:
        """End a session: none of its tokens is good any more."""
        with self._store.transaction() as db:
            _revoke(db, session, now)

    def of_person(self, name: str) -> list[Session]:
        """The sessions of a person that were not ended."""
        found = self._store.rows("SELECT * FROM session WHERE name = ? AND revoked_at = 0", name)
        return [Session(id=row["id"], name=row["name"], host=row["host"]) for row in found]

    def _prune(self, db: sqlite3.Connection, now: int) -> None:
        """Forget what can no longer be used. A spent token stays until it expires, so that its return is noticed."""
        db.execute("DELETE FROM access_token WHERE expires_at <= ?", (now - 24 * 3600 * SECOND,))
        db.execute("DELETE FROM refresh_token WHERE expires_at <= ?", (now,))
        db.execute(
            "DELETE FROM session WHERE id NOT IN (SELECT session FROM refresh_token)"
            " AND id NOT IN (SELECT session FROM access_token)"
        )


def _may_come_back(db: sqlite3.Connection, row: sqlite3.Row, now: int) -> bool:
    successor_spent = db.execute(
        "SELECT 1 FROM refresh_token c JOIN refresh_token n ON n.parent = c.hash WHERE c.parent = ?", (row["hash"],)
    )
    if successor_spent.fetchone() is not None:
        return False
    if now - row["spent_at"] <= GRACE_SECONDS * SECOND:
        return True
    answer_arrived = db.execute(
        "SELECT 1 FROM access_token a JOIN refresh_token c ON a.refresh = c.hash WHERE a.used = 1 AND c.parent = ?",
        (row["hash"],),
    )
    return answer_arrived.fetchone() is None


def _issue(db: sqlite3.Connection, session: str, parent: bytes | None, now: int) -> TokenPair:
    access, refresh = codes.new_token(codes.ACCESS), codes.new_token(codes.REFRESH)
    db.execute(
        "INSERT INTO refresh_token(hash, session, parent, state, expires_at) VALUES (?, ?, ?, 'live', ?)",
        (codes.digest(refresh), session, parent, now + REFRESH_SECONDS * SECOND),
    )
    db.execute(
        "INSERT INTO access_token(hash, session, refresh, expires_at) VALUES (?, ?, ?, ?)",
        (codes.digest(access), session, codes.digest(refresh), now + ACCESS_SECONDS * SECOND),
    )
    return TokenPair(access_token=access, expires_in=ACCESS_SECONDS, refresh_token=refresh)


def _revoke(db: sqlite3.Connection, session: str, now: int) -> None:
    db.execute("UPDATE session SET revoked_at = ? WHERE id = ? AND revoked_at = 0", (now, session))
