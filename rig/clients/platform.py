"""A Max platform behind the `Platform` port: commands out, replies in."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import msgspec

from rig.contract.base import Command, Reply
from rig.contract.errors import ERRORS, Problem
from rig.contract.routing import request_of
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.ports import Platform, R, Transport

ON_THE_WAY = 5.0
"""Seconds that all which is asked on the way may take; the last request may end later."""


class HttpPlatform:
    """Sends commands by their routes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call(self, command: Command, reply: type[R], *, key: str = "", corr: str = "") -> R:
        """Send ``command`` and decode what answers it. Raises `RigError` with the platform's code."""
        request = request_of(command)
        path = request.path + ("?" + urlencode(request.query, doseq=True) if request.query else "")
        headers = {"Rig-Correlation": corr} if corr else {}
        if key and request.method != "GET":
            headers["Idempotency-Key"] = key
        body = None
        if request.body is not None:
            body = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        status, _, content = self._transport.request(request.method, path, body, headers)
        if status >= 300:
            refused = problem_error(status, content)
            refused.unclear = refused.unclear and request.method != "GET"
            raise refused
        try:
            answer = msgspec.json.decode(content, type=reply)
        except UNREADABLE as error:
            failure = unreadable(f"The answer to `{request.method} {request.path}` cannot be read: {error}.")
            failure.unclear = request.method != "GET"
            raise failure from error
        if subject_of(command) and subject_of(answer) not in ("", subject_of(command)):
            # What is answered goes on the record here; nobody else may write there about another app.
            raise unreadable(f"The answer to `{request.method} {request.path}` is about something else.")
        return answer


class OnTheWay:
    """A platform of which a command asks what it can do without: it gives that a few seconds in all.

    One that did not answer is not asked again, nor one that took so long for what it has answered.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._left = ON_THE_WAY
        self._lost: RigError | None = None

    def call(self, command: Command, reply: type[R], *, key: str = "", corr: str = "") -> R:
        """See `rig.kernel.ports.Platform.call`. Raises `RigError` ``unreachable`` where the time is up."""
        if self._lost is not None:
            raise self._lost
        if self._left <= 0:
            raise RigError("unreachable", "The platform is too slow to be asked on the way.", "Try again.")
        began = time.monotonic()
        try:
            return self._platform.call(command, reply, key=key, corr=corr)
        except RigError as error:
            self._lost = error if error.code == "unreachable" else None
            raise
        finally:
            self._left -= time.monotonic() - began


def subject_of(message: Command | Reply) -> str:
    """The app, or else the name or network, that a command or its reply is about; empty where it is about none."""
    about = getattr(message, "release", None) or message
    app = getattr(about, "app", "")
    subject = app if isinstance(app, str) and app else getattr(app or about, "name", "")
    subject = subject or getattr(message, "network", "")
    return subject if isinstance(subject, str) else ""


def problem_error(status: int, content: bytes) -> RigError:
    """What a failed request's answer says, as the error to raise. An unknown code keeps its status' meaning.

    ``unclear`` is set where the answer is not the platform's own, and does not say that nothing was done.
    """
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except UNREADABLE:
        return _stranger(status)
    code = problem.code if problem.code in ERRORS else _CODE_BY_STATUS.get(status, "failed")
    error = RigError(code, problem.detail or problem.title or f"The platform refused it (HTTP {status}).", problem.hint)
    error.details = problem.details
    return error


def unreadable(message: str) -> RigError:
    """The error for an answer that is none of the platform's, though it says that all is well."""
    return RigError("unreachable", message, _SOMETHING_ELSE)


def _stranger(status: int) -> RigError:
    """The error for an answer that is no problem document: a proxy's, or that of something else than a platform."""
    if status < 400:
        return RigError(
            "unreachable",
            f"The address leads elsewhere (HTTP {status}). rig does not follow: it would take your login there.",
            "Log in by the address at which the platform itself answers: `rig login URL`.",
        )
    unclear = status >= 500 and status != 503
    code = "unreachable" if unclear else _CODE_BY_STATUS.get(status, "failed")
    error = RigError(code, f"HTTP {status}, from something else than a Max platform.", _SOMETHING_ELSE)
    error.unclear = unclear
    return error


_SOMETHING_ELSE = (
    "Check the address (`rig context list`); a proxy on the way may have answered in the platform's place."
)
_CODE_BY_STATUS = {
    400: "usage",
    401: "login_required",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    422: "invalid_data",
    423: "locked",
    429: "rate_limited",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}
