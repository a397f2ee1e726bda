"""Service tokens: named, with a role in one network and an end date, kept as hashes. Times are nanoseconds."""

from __future__ import annotations

import hmac
import sqlite3

import msgspec

from rig.contract.accounts import Role
from rig.contract.tokens import Token
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from rig.node.accounts import codes
from rig.node.accounts.principal import Principal
from rig.node.accounts.store import Store

HOUR = 3600 * 1_000_000_000


class ServiceToken(msgspec.Struct, frozen=True, kw_only=True):
    """All that the node knows of a token. Its text is not among it."""

    name: str
    network: str
    role: Role
    created_by: str
    created_at: int
    expires_at: int
    used_at: int = 0


class ServiceTokens:
    """Makes, finds and deletes them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, token: ServiceToken) -> str:
        """Keep a new token; gives its text, once. Raises `RigError` ``already_exists``.

        A name is taken for the whole platform: it is who the record says it was.
        """
        text = codes.new_token(codes.SERVICE)
        try:
            with self._store.transaction() as db:
                db.execute(
                    "INSERT INTO service_token(name, hash, network, role, created_by, created_at, expires_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        token.name,
                        codes.digest(text),
                        token.network,
                        token.role,
                        token.created_by,
                        token.created_at,
                        token.expires_at,
                    ),
                )
        except sqlite3.IntegrityError as error:
            raise RigError(
                "already_exists",
                f"There is a token `{token.name}` already.",
                f"Choose another name, or delete it first: `rig delete token {token.name}`.",
            ) from error
        return text

    def all(self) -> list[ServiceToken]:
        """Every token, by name."""
        return [_token(row) for row in self._store.rows("SELECT * FROM service_token ORDER BY name")]

    def named(self, name: str) -> ServiceToken | None:
        row = self._store.row("SELECT * FROM service_token WHERE name = ?", name)
        return _token(row) if row else None

    def delete(self, name: str) -> None:
        """From now on it opens nothing."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM service_token WHERE name = ?", (name,))

    def of_network(self, network: str) -> list[ServiceToken]:
        """The tokens of one network."""
        rows = self._store.rows("SELECT * FROM service_token WHERE network = ? ORDER BY name", network)
        return [_token(row) for row in rows]

    def principal(self, text: str, now: int) -> Principal:
        """Who uses this token, looked up fresh. Raises `RigError` ``login_required`` or ``login_expired``."""
        hashed = codes.digest(text)
        row = self._store.row("SELECT * FROM service_token WHERE hash = ?", hashed)
        if row is None or not hmac.compare_digest(row["hash"], hashed):
            raise RigError(
                "login_required",
                "The platform does not know this token; it may have been deleted.",
                "An owner can make a new one: `rig create token NAME`.",
            )
        token = _token(row)
        if token.expires_at <= now:
            raise RigError(
                "login_expired",
                f"The token `{token.name}` has come to its end.",
                f"Make a new one: `rig delete token {token.name}`, then `rig create token {token.name}`.",
            )
        if now - token.used_at >= HOUR:
            with self._store.transaction() as db:
                db.execute("UPDATE service_token SET used_at = ? WHERE name = ?", (now, token.name))
        return Principal(
            actor=f"token:{token.name}",
            name=token.name,
            roles={token.network: token.role},
            expires_at=token.expires_at,
        )


def _token(row: sqlite3.Row) -> ServiceToken:
    return ServiceToken(
        name=row["name"],
        network=row["network"],
        role=row["role"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
    )


def sees(who: Principal, token: ServiceToken) -> bool:
    """Whether somebody is told of a token."""
    return who.permits("own", token.network) or who.permits("audit", token.network)


def no_token(name: str) -> RigError:
    """The error for a token that is not there, or that the asker may not know of."""
    return RigError("not_found", f"There is no token `{name}`.", "`rig list tokens` shows those that are yours.")


def token_view(token: ServiceToken, revision: int) -> Token:
    """A service token, as far as anybody is told. ``revision``: how often one of this name was made or deleted."""
    return Token(
        name=token.name,
        network=token.network,
        role=token.role,
        created_at=rfc3339(token.created_at),
        created_by=token.created_by,
        expires_at=rfc3339(token.expires_at),
        used_at=rfc3339(token.used_at),
        revision=revision,
    )
