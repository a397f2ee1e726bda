"""Access tokens for the platform adapter: found, renewed in time, and never renewed by two processes at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec

from rig.clients.contexts import FileContexts
from rig.clients.home import Home, make_folder
from rig.clients.http import Patience
from rig.clients.keychain import Vault
from rig.clients.locks import locked
from rig.clients.oauth import Opener
from rig.contract.accounts import TOKEN_PATTERN, Context, TokenPair
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.failpoints import failpoint
from rig.kernel.ports import Clock

SECOND = 1_000_000_000
EARLY_SECONDS = 30
"""So long before its end an access token is renewed."""
LOCK_SECONDS = 30.0
"""So long another process may take to renew it."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a vault keeps of a login. Bound to its address: tokens are never sent to another one."""

    url: str
    access_token: str
    refresh_token: str = ""
    expires_at: int = 0
    """End of the access token in nanoseconds since the epoch; 0: not known, as for a token that was given to rig."""


class Tokens:
    """Gives access tokens by context."""

    def __init__(
        self,
        home: Home,
        contexts: FileContexts,
        vault: Vault,
        environ: Mapping[str, str],
        oauth: Opener,
        clock: Clock,
    ) -> None:
        self._home = home
        self._contexts = contexts
        self._vault = vault
        self._environ = environ
        self._oauth = oauth
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def access_token(self, context: Context, renew: bool = False, patience: Patience | None = None) -> str:
        """A token that is good for at least half a minute. ``renew``: the platform refused the last one (401).

        ``patience`` is for a new one; the platform takes the old refresh token again from whoever did not wait for it.
        RIG_TOKEN beats what is kept. Raises `RigError` ``login_required`` or ``login_expired``.
        """
        given = self._environ.get("RIG_TOKEN", "")
        if given and not (self._environ.get("RIG_URL") and context.url != self._environ["RIG_URL"]):
            if renew:
                raise RigError("login_required", "The platform does not accept RIG_TOKEN.", "Give it a new token.")
            if not re.fullmatch(TOKEN_PATTERN, given):
                raise RigError(
                    "login_required",
                    "RIG_TOKEN is no token: tokens are letters, digits, `.`, `_` and `-`.",
                    "Set it to the token alone, without quotes or a newline.",
                )
            return given
        kept = self._kept.get(context.name) or self._load(context)
        if self._fresh(kept) and not renew:
            return kept.access_token
        return self._renew(context, kept, patience).access_token

    def keep(self, context: Context, pair: TokenPair) -> Context:
        """Keep the tokens of a new login, and its context; gives the context with the place that was taken."""
        return self._save(context, self._record(context, pair))

    def peek(self, context: Context) -> str:
        """A token by which the platform can end the login that is kept now; empty where there is none to be had."""
        try:
            kept = self._load(context)
        except RigError:
            return ""
        return kept.refresh_token

    def forget(self, context: Context) -> str:
        """Forget the tokens of a context; gives a token by which the platform can end the login, empty for none."""
        content = self._vault.load(context.name, context.store)
        self._vault.delete(context.name, context.store)
        self._kept.pop(context.name, None)
        self._contexts.save(msgspec.structs.replace(context, store="none"))
        try:
            kept = msgspec.json.decode(content, type=Kept)
        except UNREADABLE:
            return ""
        return kept.refresh_token if kept.url == context.url else ""

    def _renew(self, context: Context, refused: Kept, patience: Patience | None) -> Kept:
        if not refused.refresh_token:
            raise _log_in(context, "login_expired", f"The login for {context.url} has ended.")
        make_folder(self._home.tokens)
        others = min(LOCK_SECONDS, patience.silence) if patience else LOCK_SECONDS
        with locked(os.path.join(self._home.tokens, f"{context.name}.lock"), others):
            # Whoever held the lock before may have renewed it, and kept it in another place.
            context = self._contexts.again(context)
            kept = self._load(context)
            if kept.access_token != refused.access_token and self._fresh(kept):
                return kept
            try:
                pair = self._oauth(context.url, patience).refresh(kept.refresh_token)
            except RigError as error:
                if error.code == "login_expired":
                    raise _log_in(context, error.code, f"The login for {context.url} has ended.") from error
                raise
            failpoint("tokens.renewed")
            kept = self._record(context, pair)
            self._save(context, kept)
            failpoint("tokens.kept")
            return kept

    def _record(self, context: Context, pair: TokenPair) -> Kept:
        # A token that was handed to rig says nothing about its end: only the platform knows.
        expires_at = self._clock.now() + pair.expires_in * SECOND if pair.expires_in else 0
        return Kept(
            url=context.url,
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_at=expires_at,
        )

    def _fresh(self, kept: Kept) -> bool:
        return kept.expires_at == 0 or kept.expires_at - self._clock.now() > EARLY_SECONDS * SECOND

    def _load(self, context: Context) -> Kept:
        content = self._vault.load(context.name, context.store)
        try:
            kept = msgspec.json.decode(content, type=Kept)
        except UNREADABLE:
            kept = None
        if kept is None or kept.url != context.url:
            raise _log_in(context, "login_required", f"You are not logged in to {context.url}.")
        self._kept[context.name] = kept
        return kept

    def _save(self, context: Context, kept: Kept) -> Context:
        place = self._vault.save(context.name, msgspec.json.encode(kept).decode(), context.store)
        self._kept[context.name] = kept
        if place != context.store:
            context = msgspec.structs.replace(context, store=place)
            self._contexts.save(context)
        return context


def _log_in(context: Context, code: str, message: str) -> RigError:
    local = "" if context.name == "local" else f" {context.url}"
    return RigError(code, message, f"Log in again: `rig login{local}`.")
