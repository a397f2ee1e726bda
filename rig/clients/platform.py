"""A Max platform behind the `Platform` port: commands out, replies in."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from rig.contract.base import Command
from rig.contract.errors import ERRORS, Problem
from rig.contract.routing import request_of
from rig.kernel.errors import RigError
from rig.kernel.ports import R, Transport


class HttpPlatform:
    """Sends commands by their routes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call(self, command: Command, reply: type[R], *, key: str = "", corr: str = "") -> R:
        """Send ``command`` and decode what answers it. Raises `RigError` with the platform's code."""
        request = request_of(command)
        path = request.path + ("?" + urlencode(request.query) if request.query else "")
        headers = {"Rig-Correlation": corr} if corr else {}
        if key and request.method != "GET":
            headers["Idempotency-Key"] = key
        body = None
        if request.body is not None:
            body = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        status, _, content = self._transport.request(request.method, path, body, headers)
        if status >= 400:
            raise problem_error(status, content)
        try:
            return msgspec.json.decode(content, type=reply)
        except msgspec.DecodeError as error:
            raise RigError(
                "invalid_data", f"The platform's answer to `{request.method} {request.path}` cannot be read: {error}."
            ) from error


def problem_error(status: int, content: bytes) -> RigError:
    """What a failed request's answer says, as the error to raise. An unknown code keeps its status' meaning."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(
            status=status, code="", detail=f"The platform answered {status} with something else than a problem."
        )
    code = problem.code if problem.code in ERRORS else _CODE_BY_STATUS.get(status, "failed")
    return RigError(code, problem.detail or problem.title, problem.hint, **problem.details)


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
