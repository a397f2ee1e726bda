"""Refusals as RFC 9457 problems."""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from rig.kernel.disk import is_full
from rig.kernel.errors import RigError

log = logging.getLogger("rig.node.http")

RETRY_AFTER_SECONDS = 2


def problem_response(error: RigError) -> web.Response:
    """The answer for an error; 429 and 503 say when to come back (RFC 9110, section 10.2.3)."""
    problem = error.problem()
    headers = {}
    if problem.status in {423, 429, 503}:
        headers["Retry-After"] = str(error.details.get("retry_after", RETRY_AFTER_SECONDS))
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="max"'
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(problem),
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem. What was not foreseen is logged here and told to nobody."""
    try:
        return await handler(request)
    except RigError as error:
        if error.code == "internal":
            log.error("%s %s failed", request.method, request.path, exc_info=error.__cause__ or error)
        return problem_response(error)
    except web.HTTPException as error:
        if not is_refusal(error):
            raise
        return problem_response(refusal(error))
    except web.RequestPayloadError as error:
        # Chunks that are none, a body that does not unpack, an end that came too early.
        return problem_response(RigError("usage", f"The body cannot be read: {error.__cause__ or error}."))
    except (ConnectionResetError, TimeoutError) as error:
        return problem_response(RigError("interrupted", f"The request was cut off: {type(error).__name__}."))
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        if is_full(error):
            return problem_response(RigError("unavailable", "The node's disk takes nothing more.", "Make room on it."))
        cause = RigError("internal", f"The node failed in a way it should not: {type(error).__name__}.")
        return problem_response(cause)


def is_refusal(error: web.HTTPException) -> bool:
    """Whether it is an error that is told in aiohttp's own words: no redirect, and no page of ours."""
    return error.status >= 400 and error.content_type != "text/html"


def refusal(error: web.HTTPException) -> RigError:
    """The same in ours."""
    return RigError(_CODES.get(error.status, "usage"), error.reason or "Refused.")


_CODES = {404: "not_found", 405: "usage", 413: "too_large"}
