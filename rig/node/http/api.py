"""The Max API over HTTP: each route of the contract becomes a command on the node's bus."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from aiohttp import web

from rig import __version__
from rig.contract.api import API_VERSIONS, ROUTES, Route
from rig.contract.apps import AppStatus, ShowAppStatus
from rig.contract.base import Command, Reply
from rig.contract.releases import ShowRelease
from rig.contract.routing import command_of, lists_of
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.ids import uuid7
from rig.kernel.ports import Clock, Stamp
from rig.node.accounts.principal import Principal
from rig.node.http.body import read_body
from rig.node.http.origin import Origin

MAX_BODY = 1024 * 1024
MAX_HEADER = 200
REVISION = r'"[0-9]{1,15}"'
"""An ETag of this API: how often what was read has changed."""


class Dispatcher(Protocol):
    """The node's bus, as HTTP sees it."""

    async def dispatch(self, command: Command, stamp: Stamp, principal: Principal) -> tuple[Reply, list[str]]: ...

    def news(self, app: str) -> asyncio.Event:
        """What is set when something changes about an app."""
        ...


Authenticate = Callable[[web.Request], Awaitable[Principal]]


class Api:
    """Serves the routes of :data:`rig.contract.api.ROUTES`."""

    def __init__(self, dispatcher: Dispatcher, authenticate: Authenticate, clock: Clock, origin: Origin) -> None:
        self._origin = origin
        self._dispatcher = dispatcher
        self._authenticate = authenticate
        self._clock = clock

    def add_routes(self, app: web.Application) -> None:
        """Register every route of the contract, and `GET /v1`."""
        app.router.add_get("/v1", self._versions)
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route))

    async def _versions(self, request: web.Request) -> web.Response:
        features = ["device-login", "bundles", "rollback", "promotion", "build-log"]
        return web.json_response({"versions": list(API_VERSIONS), "features": features, "server": f"rig/{__version__}"})

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            principal = await self._authenticate(request)
            command = expecting(await read_command(route, request), request.headers.get("If-Match", ""))
            stamp = self.stamp(request, principal)
            reply, warnings = await self._dispatch(command, stamp, principal)
            headers = {"Rig-Warning": _header(" ".join(warnings))} if warnings else {}
            if hasattr(reply, "revision"):
                headers["ETag"] = f'"{reply.revision}"'
            return web.Response(
                status=route.status, body=msgspec.json.encode(reply), content_type="application/json", headers=headers
            )

        return handle

    async def _dispatch(self, command: Command, stamp: Stamp, principal: Principal) -> tuple[Reply, list[str]]:
        if isinstance(command, ShowRelease | ShowAppStatus) and command.wait:
            # A long poll: the answer is held back while it says nothing new.
            deadline = asyncio.get_running_loop().time() + command.wait
            while True:
                # Taken before the look, so that nothing that changes in between is missed.
                news = self._dispatcher.news(command.app)
                reply, warnings = await self._dispatcher.dispatch(command, stamp, principal)
                left = deadline - asyncio.get_running_loop().time()
                if tells(command, reply) or left <= 0:
                    return reply, warnings
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await news.wait()
        return await self._dispatcher.dispatch(command, stamp, principal)

    def stamp(self, request: web.Request, principal: Principal) -> Stamp:
        """Who asks for what a request asks for, when, and from where."""
        identity = uuid7()
        return Stamp(
            id=identity,
            actor=principal.actor,
            at=self._clock.now(),
            src=self._origin(request),
            corr=_given(request, "Rig-Correlation") or identity,
            key=_key(request, principal),
            client=_given(request, "User-Agent"),
            session=principal.session,
        )


def tells(command: Command, reply: Reply) -> bool:
    """Whether an answer says what its asker waits for: another phase of a release, or that nothing is being done."""
    if isinstance(command, ShowRelease):
        return getattr(reply, "phase", "") != command.seen or command.seen == "done"
    return not (isinstance(reply, AppStatus) and reply.app.working)


async def read_command(route: Route, request: web.Request) -> Command:
    """The command that a request carries. Raises `RigError` ``usage``, ``invalid_data``, and what `read_body` does."""
    body: dict[str, Any] | None = None
    if route.method in {"POST", "PATCH"}:
        data = await read_body(request, MAX_BODY)
        try:
            body = msgspec.json.decode(data or b"{}", type=dict[str, Any])
        except UNREADABLE as error:
            raise RigError("usage", f"The body is not a JSON object: {error}.") from error
    try:
        lists = lists_of(route.command)
        query = {name: request.query.getall(name) if name in lists else request.query[name] for name in request.query}
        return command_of(route, dict(request.match_info), query, body)
    except msgspec.ValidationError as error:
        raise RigError("invalid_data", f"{error}.") from error


def expecting(command: Command, tag: str) -> Command:
    """The command with what its sender expects to find, where the request says so (RFC 9110, section 13.1.1).

    Raises `RigError` ``usage`` for a tag that no answer has had, and for a change that would be made whatever it says.
    """
    if not tag or tag == "*" or type(command).effect == "query":
        return command
    if not hasattr(command, "expect"):
        raise RigError(
            "usage", "If-Match is not heeded here. Nothing was done.", "Send the request without it: look first."
        )
    if not re.fullmatch(REVISION, tag):
        raise RigError("usage", "If-Match is not an ETag of this API.", "Send back the ETag of what was read.")
    return msgspec.structs.replace(command, expect=int(tag.strip('"')))


def _given(request: web.Request, header: str) -> str:
    return _header(request.headers.get(header, ""))


def _key(request: web.Request, principal: Principal) -> str:
    """The idempotency key. It is the actor's own: nobody meets the result of somebody else's request."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_HEADER or not key.isprintable():
        raise RigError("usage", f"An Idempotency-Key has at most {MAX_HEADER} printable characters.")
    return f"{principal.actor}/{key}" if key else ""


def _header(text: str) -> str:
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in text[:MAX_HEADER])
