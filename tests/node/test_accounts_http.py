"""The endpoints and pages as a client and a browser see them."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from events.account import AccountJoined, AuthFailed, AuthSucceeded, TokenRevoked
from rig.contract.accounts import BOOTSTRAP_GRANT, DEVICE_GRANT
from tests.accounts_server import SECRET, AccountsServer, serve
from tests.support import TIMEOUT

GOOD = "correct horse battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AccountsServer]:
    with serve(tmp_path) as server:
        yield server


class Browser:
    """Keeps cookies and reads forms, no more than a person with JavaScript off needs."""

    def __init__(self, url: str) -> None:
        self.netloc = urlsplit(url).netloc
        self.cookie = ""
        self.status, self.page = 0, ""
        self.headers: dict[str, str] = {}

    def send(self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str) -> str:
        connection = http.client.HTTPConnection(self.netloc, timeout=TIMEOUT)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        body = None
        if fields is not None:
            body = urlencode(fields)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, {**sent, **headers})
        response = connection.getresponse()
        self.status, self.page = response.status, response.read().decode()
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        cookie = self.headers.get("set-cookie", "")
        if cookie:
            self.cookie = cookie.partition(";")[0]
        connection.close()
        return self.page

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.page)
        assert found
        return found[1]

    def submit(self, path: str, **fields: str) -> str:
        return self.send("POST", path, {"csrf": self.csrf, **fields})

    @property
    def alert(self) -> str:
        found = re.search(r'<p role="alert">(.*?)</p>', self.page)
        return unescape(found[1]) if found else ""


def post(server: AccountsServer, endpoint: str, **fields: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """One call of an OAuth endpoint: status, JSON, headers."""
    browser = Browser(server.url)
    browser.send("POST", f"/v1/oauth/{endpoint}", {"client_id": "rig", **fields})
    return browser.status, json.loads(browser.page), browser.headers


def poll(server: AccountsServer, device_code: str) -> tuple[int, dict[str, Any]]:
    return post(server, "token", grant_type=DEVICE_GRANT, device_code=device_code)[:2]


def whoami(server: AccountsServer, authorization: str) -> tuple[int, dict[str, Any]]:
    browser = Browser(server.url)
    browser.send("GET", "/v1/account", Authorization=authorization)
    return browser.status, json.loads(browser.page)


def join(server: AccountsServer, name: str = "bea", network: str = "*", role: Any = "deployer") -> None:
    link, _ = server.accounts.invite(name, network, role, "user:ana")
    browser = Browser(server.url)
    path = urlsplit(link).path
    browser.send("GET", path)
    browser.submit(path, passphrase=GOOD, again=GOOD)
    assert browser.status == 200, browser.page


def ask(server: AccountsServer, host: str = "laptop") -> dict[str, Any]:
    status, asked, headers = post(server, "device_authorization", host=host)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    return asked


def test_the_whole_device_flow(server: AccountsServer) -> None:
    join(server, role="operator", network="shop")
    asked = ask(server)
    assert asked["verification_uri"] == f"{server.url}/device"
    assert poll(server, asked["device_code"]) == (400, {"error": "authorization_pending", "error_description": ""})

    browser = Browser(server.url)
    browser.send("GET", "/device")
    browser.submit("/device", step="look", user_code=asked["user_code"].lower().replace("-", " "))
    assert "laptop" in browser.page
    assert "127.0.0.1" in browser.page
    browser.submit("/device", step="approve", user_code=asked["user_code"], name="Bea ", passphrase=GOOD)
    assert "You are logged in" in browser.page

    server.clock.pass_seconds(asked["interval"])
    status, pair = poll(server, asked["device_code"])
    assert status == 200
    assert pair["token_type"] == "Bearer"
    assert whoami(server, f"Bearer {pair['access_token']}") == (
        200,
        {"actor": "user:bea", "name": "bea", "owner": False, "roles": {"shop": "operator"}, "expires_at": ""},
    )
    succeeded = server.ledger.facts[-1]
    assert isinstance(succeeded, AuthSucceeded)
    assert (succeeded.method, succeeded.host) == ("device", "laptop")
    assert server.ledger.entries[-1] == {
        "stream": "account:bea",
        "target": "bea",
        "outcome": "success",
        "actor": "user:bea",
        "src": "127.0.0.1",
    }
    assert poll(server, asked["device_code"])[1]["error"] == "expired_token", "a device code is good once"


def test_the_complete_link_shows_who_asks_at_once(server: AccountsServer) -> None:
    asked = ask(server, host="<script>alert(1)</script>")
    browser = Browser(server.url)
    browser.send("GET", asked["verification_uri_complete"].removeprefix(server.url))
    assert asked["user_code"] in browser.page
    assert "<script>" not in browser.page


def test_a_client_that_polls_too_fast_is_told_and_must_slow_down(server: AccountsServer) -> None:
    asked = ask(server)
    errors = []
    for seconds in (0, 0.1, asked["interval"], asked["interval"] + 10):
        server.clock.pass_seconds(seconds)
        errors.append(poll(server, asked["device_code"])[1]["error"])
    assert errors == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]


def test_a_login_that_is_denied_or_too_late(server: AccountsServer) -> None:
    denied, late = ask(server), ask(server)
    browser = Browser(server.url)
    browser.send("GET", f"/device?user_code={denied['user_code']}")
    browser.submit("/device", step="deny", user_code=denied["user_code"])
    assert "Turned away" in browser.page
    assert poll(server, denied["device_code"])[1]["error"] == "access_denied"
    server.clock.pass_seconds(late["expires_in"])
    assert poll(server, late["device_code"])[1]["error"] == "expired_token"
    browser.send("GET", f"/device?user_code={late['user_code']}")
    assert browser.status == 404
    assert server.ledger.facts == [AuthFailed(method="device", reason="denied", host="laptop")]


def test_wrong_passphrases_say_the_same_for_anybody_and_slow_down(server: AccountsServer) -> None:
    join(server)
    asked = ask(server)
    browser = Browser(server.url)
    for name in ("bea", "nobody"):
        browser.send("GET", f"/device?user_code={asked['user_code']}")
        browser.submit("/device", step="approve", user_code=asked["user_code"], name=name, passphrase="wrong")
        assert (browser.status, browser.alert) == (
            403,
            "Name and passphrase do not fit together. Check both, and try again.",
        )
        assert GOOD not in browser.page
    for _ in range(4):
        browser.submit("/device", step="approve", user_code=asked["user_code"], name="bea", passphrase="wrong")
    assert browser.status in {403, 429}
    browser.send("GET", "/device")
    browser.submit("/device", step="approve", user_code=asked["user_code"], name="bea", passphrase=GOOD)
    assert browser.status == 429
    assert "Wait" in browser.alert
    server.clock.pass_seconds(60)
    browser.submit("/device", step="approve", user_code=asked["user_code"], name="bea", passphrase=GOOD)
    assert browser.status == 200
    failed = [
        entry
        for fact, entry in zip(server.ledger.facts, server.ledger.entries, strict=True)
        if isinstance(fact, AuthFailed)
    ]
    assert {entry["target"] for entry in failed} == {"bea", "unknown"}
    assert {entry["outcome"] for entry in failed} == {"denied"}


def test_user_codes_cannot_be_tried_out(server: AccountsServer) -> None:
    asked = ask(server)
    browser = Browser(server.url)
    statuses = [browser.send("GET", f"/device?user_code=BBBB-BBB{last}") and browser.status for last in "BCDFGHJKLMNP"]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    browser.send("GET", f"/device?user_code={asked['user_code']}")
    assert browser.status == 429


def test_a_form_that_another_site_sends_is_refused(server: AccountsServer) -> None:
    join(server)
    asked = ask(server)
    fields = {"step": "approve", "user_code": asked["user_code"], "name": "bea", "passphrase": GOOD}
    browser = Browser(server.url)
    browser.send("POST", "/device", {**fields, "csrf": "x" * 43})
    assert browser.status == 403
    browser.send("GET", "/device")
    browser.send("POST", "/device", {**fields, "csrf": "y" * 43})
    assert browser.status == 403
    browser.send("GET", "/device")
    browser.send("POST", "/device", {**fields, "csrf": browser.csrf}, **{"Sec-Fetch-Site": "cross-site"})
    assert browser.status == 403
    assert poll(server, asked["device_code"])[1]["error"] == "authorization_pending"


def test_pages_load_nothing_and_let_nobody_frame_them(server: AccountsServer) -> None:
    browser = Browser(server.url)
    browser.send("GET", "/device")
    policy = browser.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert browser.headers["referrer-policy"] == "no-referrer"
    assert browser.headers["cache-control"] == "no-store"
    assert "HttpOnly" in browser.headers["set-cookie"]
    assert "SameSite=Strict" in browser.headers["set-cookie"]
    assert not re.search(r"<script|src=|https?://", browser.page)
    assert '<html lang="en">' in browser.page
    assert all(
        f'<label for="{field}">' in browser.page for field in re.findall(r'<input[^>]* id="([^"]+)"', browser.page)
    )


def test_an_invitation_is_good_once(server: AccountsServer) -> None:
    link, fact = server.accounts.invite("bea", "shop", "viewer", "user:ana")
    assert fact.name == "bea"
    path = urlsplit(link).path
    browser = Browser(server.url)
    for _ in range(2):
        browser.send("GET", path)
        assert "Welcome, bea" in browser.page, "looking does not use it up"
    browser.submit(path, passphrase="short", again="short")
    assert "5 characters" in browser.alert
    browser.submit(path, passphrase=GOOD, again="something else")
    assert "not the same" in browser.alert
    browser.submit(path, passphrase=GOOD, again=GOOD)
    assert "rig login" in browser.page
    assert server.ledger.facts == [AccountJoined(name="bea", network="shop", role="viewer")]
    browser.send("GET", path)
    assert browser.status == 404


def test_an_invitation_stays_good_when_joining_cannot_be_recorded(server: AccountsServer) -> None:
    path = urlsplit(server.accounts.invite("bea", "*", "viewer", "user:ana")[0]).path
    browser = Browser(server.url)
    browser.send("GET", path)
    server.ledger.broken = True
    browser.submit(path, passphrase=GOOD, again=GOOD)
    assert (browser.status, browser.alert) == (503, "The disk is full.")
    assert server.accounts.person("bea").roles == {}
    server.ledger.broken = False
    browser.submit(path, passphrase=GOOD, again=GOOD)
    assert browser.status == 200
    assert server.accounts.person("bea").roles == {"*": "viewer"}


def test_an_invitation_ends_after_a_day_and_a_newer_one_takes_its_place(server: AccountsServer) -> None:
    first = urlsplit(server.accounts.invite("bea", "*", "viewer", "user:ana")[0]).path
    second = urlsplit(server.accounts.invite("bea", "*", "viewer", "user:ana")[0]).path
    browser = Browser(server.url)
    browser.send("GET", first)
    assert browser.status == 404
    browser.send("GET", second)
    assert browser.status == 200
    server.clock.pass_seconds(24 * 3600)
    browser.submit(second, passphrase=GOOD, again=GOOD)
    assert browser.status == 404


def test_to_be_invited_again_replaces_the_passphrase_and_ends_the_logins(server: AccountsServer) -> None:
    join(server)
    asked = ask(server)
    server.accounts.approve(asked["user_code"], "bea", GOOD, "")
    _, pair = poll(server, asked["device_code"])
    join(server, network="shop", role="owner")
    assert whoami(server, f"Bearer {pair['access_token']}")[0] == 401
    assert isinstance(server.ledger.facts[-1], TokenRevoked)
    assert server.accounts.person("bea").roles == {"*": "deployer", "shop": "owner"}


def test_bootstrap_refresh_and_revoke_over_http(server: AccountsServer) -> None:
    status, pair, headers = post(server, "token", grant_type=BOOTSTRAP_GRANT, secret=SECRET, host="laptop")
    assert status == 200
    assert headers["cache-control"] == "no-store"
    status, pair, _ = post(server, "token", grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert status == 200
    assert whoami(server, f"bearer {pair['access_token']}")[1]["owner"] is True
    assert post(server, "revoke", token=pair["refresh_token"])[0] == 200
    status, problem = whoami(server, f"Bearer {pair['access_token']}")
    assert (status, problem["code"]) == (401, "login_expired")
    status, refused, _ = post(server, "token", grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert (status, refused["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": DEVICE_GRANT}, "invalid_request"),
        ({"grant_type": DEVICE_GRANT, "device_code": "a b"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 201}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "rig_rt.unknown"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "other"}, "invalid_request"),
        ({"grant_type": BOOTSTRAP_GRANT, "secret": "wrong"}, "invalid_grant"),
    ],
)
def test_bad_token_requests(server: AccountsServer, fields: dict[str, str], error: str) -> None:
    status, refused, _ = post(server, "token", **fields)
    assert (status, refused["error"]) == (400, error)


def test_forms_are_bounded_and_strict(server: AccountsServer) -> None:
    browser = Browser(server.url)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, headers, status in (
        ({"client_id": "rig", "pad": "x" * 20_000}, {}, 413),
        ({"client_id": "rig"}, {"Content-Type": "application/json"}, 400),
        ({str(number): "x" for number in range(30)}, form, 400),
    ):
        browser.send("POST", "/v1/oauth/token", body, **headers)
        assert browser.status == status
        assert json.loads(browser.page)["error"] == "invalid_request"
    connection = http.client.HTTPConnection(browser.netloc, timeout=TIMEOUT)
    connection.request("POST", "/v1/oauth/token", "client_id=rig&client_id=rig", form)
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic cmlnOng=", "Bearer", "Bearer rig_rt." + "x" * 43])
def test_a_header_without_a_token_of_ours(server: AccountsServer, header: str) -> None:
    status, problem = whoami(server, header)
    assert (status, problem["code"]) == (401, "login_required")


def test_an_unknown_token(server: AccountsServer) -> None:
    status, problem = whoami(server, "Bearer rig_at." + "x" * 43)
    assert (status, problem["code"]) == (401, "login_required")


def test_too_many_logins_cannot_wait_from_one_address(server: AccountsServer) -> None:
    for _ in range(50):
        ask(server)
    status, refused, headers = post(server, "device_authorization")
    assert (status, refused["error"]) == (429, "slow_down")
    assert int(headers["retry-after"]) > 0
