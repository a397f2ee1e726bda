"""The OAuth 2.0 endpoints without their HTTP: typed requests in, answers or `OAuthError` out.

RFC 6749 (framework), 7009 (revocation), 8628 (device grant). There is one public client, ``rig``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from rig.contract.accounts import BOOTSTRAP_GRANT, DEVICE_GRANT, DeviceAuthorization, TokenPair
from rig.kernel.errors import RigError
from rig.node.accounts.accounts import Accounts

ClientId = Literal["rig"]
Secret = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$(?!\n)")]
Host = Annotated[str, Meta(max_length=100, pattern=r"^[ -~]*$(?!\n)")]


class OAuthError(Exception):
    """An error answer: RFC 6749 section 5.2, RFC 8628 section 3.5. ``retry_after`` is in seconds, 0 for none."""

    def __init__(self, error: str, description: str = "", *, status: int = 400, retry_after: int = 0) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status
        self.retry_after = retry_after


class DeviceRequest(msgspec.Struct, frozen=True):
    client_id: ClientId
    host: Host = ""


class DeviceToken(msgspec.Struct, frozen=True, tag_field="grant_type", tag=DEVICE_GRANT):
    client_id: ClientId
    device_code: Secret


class RefreshToken(msgspec.Struct, frozen=True, tag_field="grant_type", tag="refresh_token"):
    client_id: ClientId
    refresh_token: Secret


class BootstrapToken(msgspec.Struct, frozen=True, tag_field="grant_type", tag=BOOTSTRAP_GRANT):
    client_id: ClientId
    secret: Secret
    host: Host = ""


class RevokeRequest(msgspec.Struct, frozen=True):
    client_id: ClientId
    token: Secret


TokenRequest: TypeAlias = DeviceToken | RefreshToken | BootstrapToken
Form = Sequence[tuple[str, str]]


def device_authorization(form: Form, accounts: Accounts, src: str, base: str) -> DeviceAuthorization:
    """POST /v1/oauth/device_authorization."""
    request = msgspec.convert(_fields(form), DeviceRequest)
    return accounts.ask_device(request.host, src, base)


def token(form: Form, accounts: Accounts, src: str) -> TokenPair:
    """POST /v1/oauth/token."""
    fields = _fields(form)
    if fields.get("grant_type", DEVICE_GRANT) not in {DEVICE_GRANT, BOOTSTRAP_GRANT, "refresh_token"}:
        raise OAuthError("unsupported_grant_type")
    request: TokenRequest = msgspec.convert(fields, TokenRequest)
    if isinstance(request, RefreshToken):
        return accounts.refresh(request.refresh_token, src)
    if isinstance(request, BootstrapToken):
        return accounts.bootstrap(request.secret, request.host, src)
    answer = accounts.poll_device(request.device_code, src)
    if isinstance(answer, str):
        raise OAuthError(answer)
    return answer


def revoke(form: Form, accounts: Accounts, src: str) -> None:
    """POST /v1/oauth/revoke."""
    accounts.revoke(msgspec.convert(_fields(form), RevokeRequest).token, src)


def as_oauth_error(error: RigError | msgspec.ValidationError) -> OAuthError:
    """A refusal in the words of RFC 6749. What a validation says names the field, never its value."""
    if isinstance(error, msgspec.ValidationError):
        return OAuthError("invalid_request", str(error))
    if error.code == "rate_limited":
        wait = error.details.get("retry_after", 60)
        return OAuthError("slow_down", f"{error.message} {error.hint}", status=429, retry_after=int(wait))
    if error.code in {"usage", "too_large"}:
        return OAuthError("invalid_request", error.message, status=error.kind.status)
    if error.code in {"login_required", "login_expired"}:
        return OAuthError("invalid_grant", error.message)
    return OAuthError("server_error", error.message, status=error.kind.status)


def _fields(form: Form) -> dict[str, str]:
    fields = dict(form)
    if len(fields) != len(form):
        raise OAuthError("invalid_request", "A parameter is given more than once.")  # RFC 6749, section 3.2
    return fields
