"""People: how they are invited, how they prove who they are, and which roles they have."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from rig.contract.accounts import Role
from rig.contract.members import Member
from rig.kernel.errors import RigError
from rig.node.accounts import codes, passphrases, throttle
from rig.node.accounts.members import Members
from rig.node.accounts.store import Store

SECOND = 1_000_000_000
INVITATION_SECONDS = 24 * 3600


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that has not been taken up. ``again``: the person has a passphrase already, which would be
    replaced."""

    name: str
    network: str
    role: Role
    invited_by: str
    expires_at: int
    again: bool


def account_name(os_user: str) -> str:
    """The account name nearest to the name of an operating system's user."""
    name = re.sub(r"[^a-z0-9._-]+", "-", os_user.rpartition("\\")[2].lower()).strip("-._")[:63]
    return name if re.match(r"[a-z]", name) else f"user-{name}"[:63].rstrip("-._")


class People:
    """The people of this node. Times are nanoseconds since the epoch."""

    def __init__(self, store: Store, members: Members, cost: passphrases.Scrypt) -> None:
        self._store = store
        self._members = members
        self._cost = cost

    def ensure_owner(self, name: str, now: int) -> None:
        """Make this person the one owner of the node, who needs no passphrase."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO person(name, owner, created_at) VALUES (?, 1, ?)"
                " ON CONFLICT(name) DO UPDATE SET owner = 1",
                (name, now),
            )
            db.execute("UPDATE person SET owner = 0 WHERE name <> ?", (name,))

    def roles(self, name: str) -> dict[str, Role]:
        """Role by network."""
        return {row["network"]: row["role"] for row in self._store.rows("SELECT * FROM role WHERE name = ?", name)}

    def is_owner(self, name: str) -> bool:
        row = self._store.row("SELECT owner FROM person WHERE name = ?", name)
        return row is not None and bool(row["owner"])

    def invite(self, name: str, network: str, role: Role, by: str, now: int) -> tuple[str, int]:
        """``(code, end)`` of a new invitation; an earlier one for the same person and network is void."""
        code, expires_at = codes.new_code(), now + INVITATION_SECONDS * SECOND
        with self._store.transaction() as db:
            db.execute("DELETE FROM invitation WHERE expires_at <= ?", (now,))
            db.execute("DELETE FROM invitation WHERE name = ? AND network = ?", (name, network))
            db.execute(
                "INSERT INTO invitation(hash, name, network, role, invited_by, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                (codes.digest(code), name, network, role, by, expires_at),
            )
        return code, expires_at

    def invited(self, code: str, now: int) -> Invited | None:
        """What an invitation says; None for one that is unknown, taken up or too old."""
        row = self._store.row(
            "SELECT i.*, coalesce(p.passphrase, '') <> '' AS again FROM invitation i"
            " LEFT JOIN person p ON p.name = i.name WHERE i.hash = ? AND i.expires_at > ?",
            codes.digest(code),
            now,
        )
        if row is None:
            return None
        return Invited(
            name=row["name"],
            network=row["network"],
            role=row["role"],
            invited_by=row["invited_by"],
            expires_at=row["expires_at"],
            again=bool(row["again"]),
        )

    def join(self, code: str, passphrase: str, now: int, record: Callable[[Invited], None]) -> Invited:
        """Take up an invitation: set the passphrase, get the role. The link is void from then on.

        ``record`` puts it on the record before it takes effect; where it raises, the invitation stays good.
        """
        invited = self.invited(code, now)
        if invited is None:
            raise _void()
        passphrases.require_good(passphrase, invited.name)
        kept = passphrases.make(passphrase, self._cost)
        with self._store.transaction() as db:
            row = db.execute("DELETE FROM invitation WHERE hash = ? RETURNING *", (codes.digest(code),)).fetchone()
        if row is None:
            raise _void()
        try:
            record(invited)
        except BaseException:
            with self._store.transaction() as db:
                db.execute("INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?)", tuple(row))
            raise
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO person(name, passphrase, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT(name) DO UPDATE SET passphrase = excluded.passphrase",
                (invited.name, kept, now),
            )
            self._members.give(Member(name=invited.name, network=invited.network, role=invited.role))
        return invited

    def prove(self, name: str, passphrase: str, src: str, now: int) -> bool:
        """Whether this is the passphrase of the account ``name``. Failures slow down further tries, by name and
        by address.

        Raises `RigError` ``rate_limited`` while a wait is in force, without looking at the passphrase.
        """
        keys = (
            (f"passphrase:{name}:{src}", throttle.PASSPHRASE_HERE),
            (f"passphrase:{name}", throttle.PASSPHRASE_ANYWHERE),
        )
        here = f"passphrase_from:{src}"
        for key in (*(key for key, _ in keys), here):
            self.require_patience(key, now)
        # Counted before the slow check and taken back after a good one: else many tries at once would count as none.
        for key, policy in keys:
            self.failed(key, policy, now)
        row = self._store.row("SELECT passphrase FROM person WHERE name = ?", name)
        good = passphrases.check(passphrase, row["passphrase"] if row else "", self._cost)
        if good:
            for key, _ in keys:
                self.forgive(key)
        else:
            # Never forgiven: who has an account here could log in between two guesses at those of others.
            self.failed(here, throttle.PASSPHRASE_FROM, now)
        return good

    def require_patience(self, key: str, now: int) -> None:
        """Raises `RigError` ``rate_limited`` while ``key`` has to wait."""
        seconds = throttle.wait(self._guesses(key), now)
        if seconds:
            raise RigError(
                "rate_limited", "There were too many wrong tries.", f"Wait {seconds} seconds.", retry_after=seconds
            )

    def failed(self, key: str, policy: throttle.Policy, now: int) -> None:
        """Count one failure."""
        with self._store.transaction() as db:
            guesses = throttle.failed(self._guesses(key), policy, now)
            db.execute("DELETE FROM throttle WHERE max(last_at, until) < ?", (now - 24 * 3600 * SECOND,))
            db.execute(
                "INSERT OR REPLACE INTO throttle(key, failures, last_at, until) VALUES (?, ?, ?, ?)",
                (key, guesses.failures, guesses.last_at, guesses.until),
            )

    def forgive(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM throttle WHERE key = ?", (key,))

    def _guesses(self, key: str) -> throttle.Guesses:
        row = self._store.row("SELECT * FROM throttle WHERE key = ?", key)
        return throttle.Guesses(row["failures"], row["last_at"], row["until"]) if row else throttle.Guesses()


def _void() -> RigError:
    return RigError(
        "not_found",
        "This invitation is not good: it was used, it is older than a day, or a newer one took its place.",
        "Ask for a new one: `rig node invite NAME`.",
    )
