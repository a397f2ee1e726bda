"""Accounts: the one object through which the node asks who somebody is, and lets people in.

Every method may be called from any thread. Those that check a passphrase take a quarter of a second on purpose: call
them off the event loop. What matters later is told to ``record`` and has to be on the record before anything is handed
out: where it cannot be written, the new session is ended again and the login fails.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Protocol

from events.account import AccountInvited, AccountJoined, AuthFailed, AuthSucceeded, TokenRevoked
from events.base import Fact
from rig.contract.accounts import DeviceAuthorization, Role, TokenPair
from rig.kernel.errors import RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ids import SystemClock, rfc3339
from rig.kernel.ports import Clock
from rig.node.accounts import codes, throttle
from rig.node.accounts.bootstrap import bootstrap_secret
from rig.node.accounts.devices import INTERVAL_SECONDS, LIFE_SECONDS, Asker, Devices, PollState
from rig.node.accounts.members import Members
from rig.node.accounts.passphrases import Scrypt
from rig.node.accounts.people import Invited, People
from rig.node.accounts.principal import Principal
from rig.node.accounts.sessions import Reused, Session, Sessions
from rig.node.accounts.store import Store
from rig.node.accounts.tokens import ServiceTokens
from rig.node.paths import NodePaths

OF_NETWORK = ("role", "invitation", "service_token")
"""The tables of what belongs to one network."""


class Record(Protocol):
    """Puts one fact on the node's record, durable on return. Raises `RigError` where it cannot."""

    def __call__(self, *, stream: str, fact: Fact, target: str, outcome: str, actor: str, src: str) -> None: ...


class Accounts:
    """People, logins and tokens of one node.

    ``owner`` is the account name of the node's owner, ``secret`` what proves it, ``url`` the public address of the node
    without a slash at its end, or a function that gives it (the port may be known only once the node listens).
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: str,
        secret: str,
        url: Callable[[], str],
        record: Record,
        clock: Clock | None = None,
        cost: Scrypt | None = None,
    ) -> None:
        self._store = store
        self._secret = secret
        self._record = record
        self._clock = clock or SystemClock()
        self._sessions = Sessions(store)
        self._devices = Devices(store)
        self.tokens = ServiceTokens(store)
        self.members = Members(store)
        self._people = People(store, self.members, cost or Scrypt())
        self.url = url
        self.owner = owner
        self._people.ensure_owner(owner, self._clock.now())

    @classmethod
    def open(cls, paths: NodePaths, *, owner: str, url: Callable[[], str], record: Record) -> Accounts:
        """The accounts of the node whose state lies under ``paths``; files are made where they are missing."""
        return cls(
            Store(paths.credentials),
            owner=owner,
            secret=bootstrap_secret(paths.bootstrap_secret),
            url=url,
            record=record,
        )

    def close(self) -> None:
        self._store.close()

    # Who asks

    def principal(self, access_token: str) -> Principal:
        """Who sent this token. Raises `RigError` ``login_required`` or ``login_expired``."""
        if access_token.startswith(codes.SERVICE):
            return self.tokens.principal(access_token, self._clock.now())
        session, name = self._sessions.find(access_token, self._clock.now())
        return self.person(name, session)

    def person(self, name: str, session: str = "") -> Principal:
        """What a person may do now, looked up fresh: a role that is taken away ends at once."""
        owner = self._people.is_owner(name)
        return Principal(actor=f"user:{name}", name=name, owner=owner, roles=self._people.roles(name), session=session)

    def seconds_since(self, at: int) -> int:
        """Whole seconds from ``at`` until now."""
        return max(0, (self._clock.now() - at) // 1_000_000_000)

    # Logging in

    def ask_device(self, host: str, src: str, base: str) -> DeviceAuthorization:
        """Begin a device login. ``host`` is what the client calls its machine, ``base`` where its
        person will find the page."""
        device_code, user_code = self._devices.ask(host, src, self._clock.now())
        page = f"{base}/device"
        return DeviceAuthorization(
            device_code=device_code,
            user_code=user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?user_code={user_code}",
            expires_in=LIFE_SECONDS,
            interval=INTERVAL_SECONDS,
        )

    def poll_device(self, device_code: str, src: str) -> TokenPair | PollState:
        """Tokens for a login that was approved, else what it waits for or why it will not be."""
        poll = self._devices.poll(device_code, self._clock.now())
        return self._begin(poll.name, "device", poll.host, src) if poll.state == "approved" else poll.state

    def asker(self, user_code: str, src: str) -> Asker:
        """Who waits behind a user code. Raises `RigError` ``not_found``, or ``rate_limited`` after too many guesses."""
        now, key = self._clock.now(), f"user_code:{src}"
        self._people.require_patience(key, now)
        asker = self._devices.asker(user_code, now)
        if asker is None:
            self._people.failed(key, throttle.USER_CODE, now)
            raise RigError(
                "not_found",
                "No login waits under this code. Codes are good for ten minutes, and once.",
                "Look at your terminal again, or start over with `rig login`.",
            )
        return asker

    def approve(self, user_code: str, name: str, passphrase: str, src: str) -> Asker:
        """Let the client behind a user code in as ``name``, whose passphrase proves it. Slow on purpose.

        Raises `RigError`: ``not_found`` as `asker` does, ``forbidden`` for a wrong passphrase, ``rate_limited``.
        """
        asker = self.asker(user_code, src)
        name = name.strip().lower()
        if not self._people.prove(name, passphrase, src, self._clock.now()):
            self._failed(name, "device", "passphrase", asker.host, src)
            raise RigError("forbidden", "Name and passphrase do not fit together.", "Check both, and try again.")
        if not self._devices.answer(user_code, name, self._clock.now()):
            raise RigError("not_found", "This login was answered already, or it took too long.", "Start over.")
        return asker

    def deny(self, user_code: str, src: str) -> Asker:
        """Turn the client behind a user code away."""
        asker = self.asker(user_code, src)
        self._devices.answer(user_code, "", self._clock.now())
        self._failed("", "device", "denied", asker.host, src)
        return asker

    def bootstrap(self, secret: str, host: str, src: str) -> TokenPair:
        """Tokens of the owner, for the content of the bootstrap secret's file.

        A right secret is never made to wait; wrong ones are, so that they cannot flood the record.
        """
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            now, key = self._clock.now(), f"bootstrap:{src}"
            self._people.require_patience(key, now)
            self._people.failed(key, throttle.SECRET, now)
            self._failed(self.owner, "bootstrap", "secret", host, src)
            raise RigError("login_required", "This is not the bootstrap secret of this node.", "Run `rig login` again.")
        return self._begin(self.owner, "bootstrap", host, src)

    def refresh(self, token: str, src: str) -> TokenPair:
        """New tokens for a refresh token. Raises `RigError` ``login_expired``."""
        try:
            pair = self._sessions.refresh(token, self._clock.now())
        except Reused as reused:
            self._revoked(reused.session, reused.name, "reuse", f"user:{reused.name}", src)
            raise RigError(
                "login_expired",
                "This login was ended, because one of its spent tokens came back: somebody may hold a copy.",
                "Log in again with `rig login`.",
            ) from reused
        failpoint("tokens.issued")
        return pair

    def revoke(self, token: str, src: str) -> None:
        """End the session of an access or refresh token. An unknown one is no error (RFC 7009, section 2.2)."""
        session = self._sessions.owner_of(token)
        if session is not None:
            self._sessions.revoke(session.id, self._clock.now())
            self._revoked(session.id, session.name, "logout", f"user:{session.name}", src)

    # People

    def invite(self, name: str, network: str, role: Role, by: str) -> tuple[str, AccountInvited]:
        """``(link, fact)`` of a new invitation, for a handler that emits the fact. The link is shown once."""
        if self._people.is_owner(name) and by != f"user:{name}":
            raise RigError("forbidden", f"`{name}` is the owner of this node, and nobody else can invite them.")
        code, expires_at = self._people.invite(name, network, role, by, self._clock.now())
        fact = AccountInvited(name=name, network=network, role=role, expires_at=rfc3339(expires_at))
        return f"{self.url()}/invite/{code}", fact

    def invited(self, code: str) -> Invited | None:
        """What an invitation says, without taking it up."""
        return self._people.invited(code, self._clock.now()) if codes.CODE_PATTERN.fullmatch(code) else None

    def join(self, code: str, passphrase: str, src: str) -> Invited:
        """Take up an invitation. Slow on purpose. Sessions of an account that was there before are ended.

        Raises `RigError` ``not_found`` or ``invalid_data`` (the passphrase is too weak; the invitation stays good).
        """
        now = self._clock.now()

        def record(invited: Invited) -> None:
            fact = AccountJoined(name=invited.name, network=invited.network, role=invited.role, again=invited.again)
            self._tell(invited.name, fact, "success", f"user:{invited.name}", src)

        invited = self._people.join(code, passphrase, now, record)
        actor = f"user:{invited.name}"
        for session in self._sessions.of_person(invited.name) if invited.again else ():
            self._sessions.revoke(session.id, now)
            self._revoked(session.id, invited.name, "rejoined", actor, src)
        return invited

    def forget_network(self, network: str) -> None:
        """Take away every role in a network that is deleted, its invitations and its tokens: a later one of the same
        name begins with none."""
        with self._store.transaction() as db:
            for table in OF_NETWORK:
                db.execute(f"DELETE FROM {table} WHERE network = ?", (network,))  # noqa: S608

    def networks(self) -> set[str]:
        """The networks in which somebody has a role, an invitation or a token."""
        named = {row["network"] for table in OF_NETWORK for row in self._store.rows(f"SELECT network FROM {table}")}  # noqa: S608
        return named - {"*"}

    # The record

    def _begin(self, name: str, method: str, host: str, src: str) -> TokenPair:
        now = self._clock.now()
        session, pair = self._sessions.begin(name, host, now)
        fact = AuthSucceeded(method=method, session=session.id, host=host)
        self._tell(name, fact, "success", f"user:{name}", src, undo=session)
        return pair

    def _failed(self, name: str, method: str, reason: str, host: str, src: str) -> None:
        # A name that was typed may be a passphrase in the wrong field: only names of people that exist are recorded.
        known = name if self.members.exists(name) else ""
        self._tell(known, AuthFailed(method=method, reason=reason, host=host), "denied", "", src)

    def _revoked(self, session: str, name: str, reason: str, actor: str, src: str) -> None:
        self._tell(name, TokenRevoked(session=session, reason=reason), "success", actor, src)

    def _tell(self, name: str, fact: Fact, outcome: str, actor: str, src: str, undo: Session | None = None) -> None:
        target = name or "unknown"
        try:
            self._record(
                stream=f"account:{target}",
                fact=fact,
                target=target,
                outcome=outcome,
                actor=actor or "anonymous",
                src=src,
            )
        except BaseException:
            if undo is not None:
                self._sessions.revoke(undo.id, self._clock.now())
            raise
