"""The routes of accounts: the OAuth endpoints, the pages, and who sends a request."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from rig.contract.accounts import TokenError
from rig.kernel.errors import RigError
from rig.node.accounts import codes, oauth, pages
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.oauth import OAuthError
from rig.node.accounts.principal import Principal
from rig.node.http.body import read_body
from rig.node.http.origin import Origin

MAX_FORM = 16 * 1024
_CSRF = "rig_csrf"
_BEARER = re.compile(r"Bearer +(rig_[as]t\.[A-Za-z0-9_-]{43})", re.IGNORECASE)

_JSON_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749, section 5.1."""


def add_routes(app: web.Application, accounts: Accounts, origin: Origin) -> None:
    """Add everything under ``/v1/oauth/``, ``/device`` and ``/invite/``."""
    routes = _Routes(accounts, origin)
    app.router.add_post("/v1/oauth/device_authorization", routes.device_authorization)
    app.router.add_post("/v1/oauth/token", routes.token)
    app.router.add_post("/v1/oauth/revoke", routes.revoke)
    app.router.add_get("/device", routes.device_page)
    app.router.add_post("/device", routes.device_answer)
    app.router.add_get("/invite/{code}", routes.invite_page)
    app.router.add_post("/invite/{code}", routes.invite_answer)


async def authenticate(request: web.Request, accounts: Accounts) -> Principal:
    """Who sent this request, by its Bearer token (RFC 6750, section 2.1; nowhere else is one looked for).

    Raises `RigError` ``login_required`` or ``login_expired``.
    """
    headers = request.headers.getall("Authorization", [])
    if not headers:
        raise RigError("login_required", "This needs a login.", "Run `rig login`.")
    match = _BEARER.fullmatch(headers[0])
    if match is None or len(headers) > 1:
        raise RigError(
            "login_required", "The Authorization header holds no token of this platform.", "Run `rig login`."
        )
    return accounts.principal(match[1])


class _Routes:
    def __init__(self, accounts: Accounts, origin: Origin) -> None:
        self._accounts = accounts
        self._origin = origin

    # OAuth

    async def device_authorization(self, request: web.Request) -> web.Response:
        async def answer() -> bytes:
            form = await _form(request)
            # What the client used may be a forwarded port, which its browser needs too; behind TLS we cannot see it.
            public = self._accounts.url()
            base = public if public.startswith("https://") else f"{request.scheme}://{request.host}"
            source = self._origin(request)
            asked = await asyncio.to_thread(oauth.device_authorization, form, self._accounts, source, base)
            return msgspec.json.encode(asked)

        return await _oauth(answer)

    async def token(self, request: web.Request) -> web.Response:
        async def answer() -> bytes:
            form = await _form(request)
            # Off the event loop: it writes to disk and to the node's journal.
            pair = await asyncio.to_thread(oauth.token, form, self._accounts, self._origin(request))
            return msgspec.json.encode(pair)

        return await _oauth(answer)

    async def revoke(self, request: web.Request) -> web.Response:
        async def answer() -> bytes:
            form = await _form(request)
            await asyncio.to_thread(oauth.revoke, form, self._accounts, self._origin(request))
            return b"{}"

        return await _oauth(answer)

    # The device page

    async def device_page(self, request: web.Request) -> web.Response:
        csrf = _csrf_cookie(request)
        code = request.query.get("user_code", "")[:20]
        if not code:
            return _html(request, csrf, pages.enter_code(csrf))
        return await self._look(request, csrf, code)

    async def device_answer(self, request: web.Request) -> web.Response:
        csrf = _csrf_cookie(request)
        try:
            fields = await _page_form(request)
        except RigError as error:
            return _html(request, csrf, pages.enter_code(csrf, problem=_words(error)), error.kind.status)
        code, name, step = fields.get("user_code", "")[:20], fields.get("name", "")[:63], fields.get("step", "")
        if step == "look":
            return await self._look(request, csrf, code)
        src = self._origin(request)
        try:
            if step == "deny":
                await asyncio.to_thread(self._accounts.deny, code, src)
                return _html(request, csrf, pages.denied())
            if step == "approve":
                passphrase = fields.get("passphrase", "")
                asker = await asyncio.to_thread(self._accounts.approve, code, name, passphrase, src)
                return _html(request, csrf, pages.approved(asker, name.strip().lower()))
        except RigError as error:
            if error.code == "forbidden":
                return await self._look(request, csrf, code, name, error)
            return _html(request, csrf, pages.enter_code(csrf, code, _words(error)), error.kind.status)
        return _html(request, csrf, pages.enter_code(csrf, code, "Choose Approve or Deny."), 400)

    async def _look(
        self, request: web.Request, csrf: str, code: str, name: str = "", problem: RigError | None = None
    ) -> web.Response:
        """The page that says who asks; with a ``problem`` it is shown again."""
        try:
            asker = await asyncio.to_thread(self._accounts.asker, code, self._origin(request))
        except RigError as error:
            return _html(request, csrf, pages.enter_code(csrf, code, _words(error)), error.kind.status)
        ago = self._accounts.seconds_since(asker.asked_at)
        page = pages.approve(csrf, asker, ago, name, _words(problem) if problem else "")
        return _html(request, csrf, page, problem.kind.status if problem else 200)

    # The invitation page

    async def invite_page(self, request: web.Request) -> web.Response:
        csrf = _csrf_cookie(request)
        invited = self._accounts.invited(request.match_info["code"])
        if invited is None:
            return _html(request, csrf, _no_invitation(), 404)
        return _html(request, csrf, pages.invitation(csrf, invited))

    async def invite_answer(self, request: web.Request) -> web.Response:
        csrf = _csrf_cookie(request)
        code = request.match_info["code"]
        invited = self._accounts.invited(code)
        if invited is None:
            return _html(request, csrf, _no_invitation(), 404)
        try:
            fields = await _page_form(request)
            passphrase = fields.get("passphrase", "")
            if not hmac.compare_digest(passphrase.encode(), fields.get("again", "").encode()):
                raise RigError("invalid_data", "The two are not the same.", "Type the passphrase twice.")
            joined = await asyncio.to_thread(self._accounts.join, code, passphrase, self._origin(request))
        except RigError as error:
            return _html(request, csrf, pages.invitation(csrf, invited, _words(error)), error.kind.status)
        return _html(request, csrf, pages.joined(joined, self._accounts.url()))


async def _oauth(answer: Callable[[], Awaitable[bytes]]) -> web.Response:
    try:
        try:
            body = await answer()
        except (RigError, msgspec.ValidationError) as error:
            raise oauth.as_oauth_error(error) from error
    except OAuthError as refused:
        headers = {**_JSON_HEADERS, **({"Retry-After": str(refused.retry_after)} if refused.retry_after else {})}
        content = msgspec.json.encode(TokenError(error=refused.error, error_description=refused.description))
        return web.Response(status=refused.status, body=content, content_type="application/json", headers=headers)
    return web.Response(body=body, content_type="application/json", headers=_JSON_HEADERS)


async def _form(request: web.Request) -> list[tuple[str, str]]:
    """The fields of a form body, within `MAX_FORM` bytes. Raises `RigError`."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise RigError("usage", "The body must be application/x-www-form-urlencoded.")
    body = await read_body(request, MAX_FORM)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError as error:
        raise RigError("usage", "The form cannot be read.") from error


def _csrf_cookie(request: web.Request) -> str:
    """The token of this browser, a new one where it has none."""
    cookie = request.cookies.get(_CSRF, "")
    return cookie if codes.CODE_PATTERN.fullmatch(cookie) else codes.new_code()


async def _page_form(request: web.Request) -> dict[str, str]:
    """The fields of a page's form. Raises `RigError` ``forbidden`` unless our own page sent it: the hidden field must
    match the cookie, which another site can neither read nor (SameSite=Strict) have sent along."""
    fields = dict(await _form(request))
    sent = request.cookies.get(_CSRF, "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (
        not sent
        or site not in {"same-origin", "none"}
        or not hmac.compare_digest(sent.encode(), fields.get("csrf", "").encode())
    ):
        raise RigError("forbidden", "This form has grown old, or cookies are off.", "Try once more.")
    return fields


def _html(request: web.Request, csrf: str, page: str, status: int = 200) -> web.Response:
    response = web.Response(status=status, text=page, content_type="text/html", headers=pages.HEADERS)
    response.set_cookie(_CSRF, csrf, httponly=True, samesite="Strict", secure=request.secure, path="/")
    return response


def _words(error: RigError) -> str:
    return f"{error.message} {error.hint}".strip()


def _no_invitation() -> str:
    return pages.failed(
        "This invitation is not good",
        "It was used, it is older than a day, or a newer one took its place. Ask for a new one.",
    )
