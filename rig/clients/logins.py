"""Logging in: the adapter behind the `Logins` port."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from rig.clients.contexts import FileContexts
from rig.clients.home import Home
from rig.clients.http import HttpTransport, parse_base
from rig.clients.oauth import Opener
from rig.clients.platform import HttpPlatform
from rig.clients.tokens import Tokens
from rig.contract.accounts import TOKEN_PATTERN, Account, Context, DeviceAuthorization, TokenPair, Whoami
from rig.kernel.errors import RigError
from rig.kernel.node_state import read_state, runs

MAX_TOKEN = 8192
"""Bytes."""
ALONE = "Pipe in the token alone, without quotes or a variable's name."
SECRET_FILE = "bootstrap.secret"


class ClientLogins:
    """Logs in to platforms and keeps what comes of it. ``host`` is what their pages will call this machine."""

    def __init__(
        self,
        home: Home,
        contexts: FileContexts,
        tokens: Tokens,
        oauth: Opener,
        *,
        host: str,
        stdin: Callable[[], BinaryIO] = lambda: sys.stdin.buffer,
    ) -> None:
        self._home = home
        self._contexts = contexts
        self._tokens = tokens
        self._oauth = oauth
        self._host = host
        self._stdin = stdin

    def address(self, url: str) -> str:
        """The address in its one form, without a slash at its end. Raises `RigError` ``usage``."""
        parts = parse_base(url)
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"

    def embedded(self) -> str:
        """Address of the node of this machine, empty if there is none.

        Raises `RigError` ``unreachable`` where there is one that does not run, or is not ready yet.
        """
        state = read_state(self._home.node)
        if state is None:
            return ""
        if not state.api or not runs(state):
            raise RigError("unreachable", "The node of this machine does not run.", "Start it: `rig node start`.")
        return self.address(state.api)

    def as_owner(self, url: str) -> TokenPair:
        """Log in to the node of this machine: whoever can read its bootstrap secret is its owner."""
        path = os.path.join(self._home.node, SECRET_FILE)
        try:
            with open(path, encoding="ascii") as file:
                secret = file.read(1000).strip()
        except (OSError, ValueError) as error:
            raise RigError(
                "login_required",
                f"The node's bootstrap secret cannot be read: {path}.",
                "Log in as the user who started the node, or be invited: `rig node invite NAME`.",
            ) from error
        return self._oauth(url).bootstrap(secret, self._host)

    def ask(self, url: str) -> DeviceAuthorization:
        """Begin a login that somebody approves on the platform's page."""
        return self._oauth(url).ask(self._host)

    def await_approval(self, url: str, asked: DeviceAuthorization) -> TokenPair:
        """Wait until it is approved. Raises `RigError` ``forbidden`` or ``login_required``."""
        return self._oauth(url).await_approval(asked)

    def read_token(self) -> TokenPair:
        """A token from standard input, read to its end; one newline after it does not count."""
        token = piped_text(self._stdin())
        if not re.fullmatch(TOKEN_PATTERN, token) or token.endswith("\n"):
            raise RigError(
                "invalid_data",
                "What came from standard input is no token: tokens are letters, digits, `.`, `_` and `-`.",
                ALONE,
            )
        return TokenPair(access_token=token, expires_in=0)

    def account(self, url: str, token: str) -> Account:
        """Whom the platform takes the bearer of a token for."""
        return HttpPlatform(HttpTransport(url, lambda renew: token)).call(Whoami(), Account)

    def keep(self, context: Context, pair: TokenPair) -> Context:
        """Keep a new login, and end the one that it replaces."""
        before = self._contexts.again(context)
        replaced = self._tokens.peek(before) if before.url == context.url else ""
        kept = self._tokens.keep(msgspec.structs.replace(context, store="none"), pair)
        if replaced and pair.refresh_token:
            self._revoke(context.url, replaced)
        return kept

    def end(self, context: Context) -> str:
        """Forget a login here and end it on the platform; gives a warning if the platform could not be told."""
        token = self._tokens.forget(context)
        return self._revoke(context.url, token) if token else ""

    def _revoke(self, url: str, token: str) -> str:
        try:
            self._oauth(url).revoke(token)
        except RigError as error:
            return f"The login was forgotten here, but {url} could not be told: {error.message}"
        return ""


def piped_text(stream: BinaryIO) -> str:
    """What a pipe holds where a token should be, without one newline at its end.

    Raises `RigError` ``invalid_data`` or ``too_large``.
    """
    content = stream.read(MAX_TOKEN + 1)
    if len(content) > MAX_TOKEN:
        raise RigError("too_large", f"The token on standard input is longer than {MAX_TOKEN} bytes.", ALONE)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise RigError("invalid_data", "The token on standard input is not UTF-8.", ALONE) from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise RigError(
            "invalid_data",
            "Standard input holds no token; it is empty.",
            'Pipe it in, as in `printf %s "$TOKEN" | rig login URL --token-stdin`.',
        )
    return text


def keychain_wanted(setting: str, home: Home) -> bool:
    """Whether tokens go to the system's keychain. ``auto`` keeps them under RIG_HOME where that is set: entries in the
    keychain would outlive the folder."""
    return setting == "on" or (setting == "auto" and not home.single)
