"""The OAuth 2.0 endpoints of a platform, from the client's side: RFC 6749, 7009, 8628."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from rig.clients.http import HttpTransport, Patience
from rig.contract.accounts import BOOTSTRAP_GRANT, DEVICE_GRANT, DeviceAuthorization, TokenError, TokenPair
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.ports import Transport

T = TypeVar("T")

CLIENT_ID = "rig"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Refused(RigError):
    """An error answer of an endpoint; ``error`` is the word of the RFC."""

    def __init__(self, error: str, description: str, status: int) -> None:
        self.error = error
        code, message, hint = _MEANINGS.get(error, ("failed", f"The platform refused the login: {error}.", ""))
        if status == 429:
            code, message, hint = "rate_limited", "The platform takes no more logins just now.", "Wait a while."
        super().__init__(code, f"{message} {description}".strip() if code != "login_expired" else message, hint)


_MEANINGS = {
    "access_denied": ("forbidden", "The login was denied on the platform's page.", ""),
    "expired_token": ("login_required", "The login was not approved in time.", "Run `rig login` again."),
    "invalid_grant": ("login_expired", "The login has ended.", "Log in again with `rig login`."),
}


class OAuth:
    """The endpoints of one platform. ``transport`` must send no token of its own; ``sleep`` takes seconds."""

    def __init__(self, transport: Transport, sleep: Callable[[float], None] = time.sleep) -> None:
        self._transport = transport
        self._sleep = sleep

    def ask(self, host: str) -> DeviceAuthorization:
        """Begin a device login; ``host`` is what the page will call this machine."""
        return self._post("device_authorization", DeviceAuthorization, host=_printable(host))

    def await_approval(self, asked: DeviceAuthorization) -> TokenPair:
        """Poll until somebody has answered on the page (RFC 8628, section 3.5).

        Raises `RigError`: ``forbidden`` when denied, ``login_required`` when nobody answered in time.
        """
        interval, deadline = max(1, asked.interval), time.monotonic() + asked.expires_in
        losses = 0
        while True:
            self._sleep(interval << min(losses, 2))
            try:
                return self._post("token", TokenPair, grant_type=DEVICE_GRANT, device_code=asked.device_code)
            except Refused as refused:
                losses = 0
                if refused.error == "slow_down":
                    interval += 5
                elif refused.error != "authorization_pending":
                    raise
            except RigError as error:
                # A connection that was lost says nothing about the login.
                if error.code not in {"unreachable", "unavailable"}:
                    raise
                losses += 1
            if time.monotonic() > deadline:
                raise Refused("expired_token", "", 400)

    def bootstrap(self, secret: str, host: str) -> TokenPair:
        """Log in as the owner of an embedded node, by its bootstrap secret."""
        return self._post("token", TokenPair, grant_type=BOOTSTRAP_GRANT, secret=secret, host=_printable(host))

    def refresh(self, refresh_token: str) -> TokenPair:
        """New tokens. Raises `RigError` ``login_expired`` where the platform ended the login."""
        return self._post("token", TokenPair, grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> None:
        """End the login that a token belongs to."""
        self._post("revoke", dict[str, str], token=token)

    def _post(self, endpoint: str, answer: type[T], /, **fields: str) -> T:
        body = urlencode({"client_id": CLIENT_ID, **fields}).encode()
        status, _, content = self._transport.request("POST", f"/v1/oauth/{endpoint}", body, _FORM)
        if status >= 500:
            raise RigError("unavailable", f"The platform cannot take logins just now (HTTP {status}).", "Try again.")
        try:
            if status == 200:
                return msgspec.json.decode(content, type=answer)
            refused = msgspec.json.decode(content, type=TokenError)
        except UNREADABLE as error:
            raise RigError(
                "unreachable",
                f"Something answers at this address (HTTP {status}), but it is no Max platform.",
                "Check the address.",
            ) from error
        raise Refused(refused.error, refused.error_description, status)


class Opener(Protocol):
    """Makes the client for the endpoints of an address, which waits as long as ``patience`` says, or as usual."""

    def __call__(self, url: str, patience: Patience | None = None, /) -> OAuth: ...


def open_oauth(url: str, patience: Patience | None = None, /, *, user_agent: str = "rig") -> OAuth:
    """The endpoints of an address; they are sent no token but the one that they are about."""
    return OAuth(HttpTransport(url, user_agent=user_agent, patience=patience))


def _printable(host: str) -> str:
    return "".join(character for character in host if " " <= character <= "~")[:100]
