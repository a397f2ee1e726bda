"""People of a node, who come in as people do: by an invitation's page and a device login."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from rig.contract.accounts import DEVICE_GRANT
from tests.e2e.rig import User
from tests.support import TIMEOUT

PASSPHRASE = "correct horse battery staple"


class Answer(msgspec.Struct, frozen=True):
    """What the node answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """Sends requests to a node, as a browser, or as somebody with a token."""

    def __init__(self, user: User, token: str = "") -> None:
        self.user = user
        self.token = token
        self.cookie = ""

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; redirects are not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.user.node.api_port, timeout=TIMEOUT)
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= {"Cookie": self.cookie} if self.cookie else {}
        try:
            connection.request(method, path, body, sent | (headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in found:
                self.cookie = found["set-cookie"].partition(";")[0]
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def form(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """Send a form."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields).encode(), kind | (headers or {}))

    def fill_in(self, path: str, **fields: str) -> Answer:
        """Open a page, and send the form on it."""
        page = self.ask("GET", path)
        assert page.status == 200, page.text
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token is not None
        return self.form(path.partition("?")[0], None, csrf=token[1], **fields)


def owner_token(user: User) -> str:
    """The access token of the node's owner, as `rig login` has kept it."""
    kept: dict[str, str] = json.loads((user.home / "tokens" / "local.json").read_text())
    return kept["access_token"]


def join(user: User, name: str, network: str, role: str) -> str:
    """Invite somebody, take up the invitation, log in; gives the access token."""
    owner = Browser(user, owner_token(user))
    body = json.dumps({"name": name, "network": network, "role": role}).encode()
    invited = owner.ask("POST", "/v1/invitations", body)
    assert invited.status == 201, invited.text
    link = urlsplit(invited.json["link"]).path
    joined = Browser(user).fill_in(link, passphrase=PASSPHRASE, again=PASSPHRASE)
    assert joined.status == 200, joined.text
    return log_in(user, name)


def log_in(user: User, name: str) -> str:
    """A device login, approved on its page."""
    browser = Browser(user)
    asked = browser.form("/v1/oauth/device_authorization", client_id="rig", host="laptop").json
    page = f"/device?{urlencode({'user_code': asked['user_code']})}"
    approved = browser.fill_in(page, step="approve", user_code=asked["user_code"], name=name, passphrase=PASSPHRASE)
    assert approved.status == 200, approved.text
    answer = browser.form("/v1/oauth/token", client_id="rig", grant_type=DEVICE_GRANT, device_code=asked["device_code"])
    assert answer.status == 200, answer.text
    token: str = answer.json["access_token"]
    return token
