"""Requests that no client of ours sends: whatever they hold, the node refuses them and is none the worse for it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from rig.clients.http import HttpTransport
from rig.clients.platform import HttpPlatform
from rig.contract.accounts import Whoami
from rig.contract.base import Command
from rig.contract.networks import CreateNetwork, DeleteNetwork, Network
from rig.kernel.errors import RigError
from tests.e2e.rig import User
from tests.support import TIMEOUT

pytestmark = pytest.mark.xdist_group("hostile requests")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DIGEST = b"a" * 64
BUNDLES = "/v1/networks/demo/bundles"


def token_of(user: User) -> str:
    token: str = json.loads((user.home / "tokens" / "local.json").read_text())["access_token"]
    return token


def ask(
    user: User, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """One request as the owner; gives status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", user.node.api_port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body or None, {"Authorization": f"Bearer {token_of(user)}", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


BODIES = {
    "bottomless": b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "bottomless, unknown": b'{"x":' * 50_000 + b"1" + b"}" * 50_000,
    "bad utf-8": b'{"name":"\xff"}',
    "half a character": b'{"name":"\\ud800"}',
    "nul": b'{"name":"a\\u0000b"}',
    "a newline at the end": b'{"name":"evil\\n"}',
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "no json": b"name=demo",
    "wrong type": b'{"name":5}',
    "unknown field": b'{"name":"evil","owner":true}',
    "another command": b'{"name":"evil","type":"network.delete"}',
    "too large": b'{"name":"' + b"x" * (2 << 20) + b'"}',
    "endless number": b'{"name":' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_request(body: str, user: User) -> None:
    before = ask(user, "GET", "/v1/networks")
    status, answer = ask(user, "POST", "/v1/networks", BODIES[body])
    assert status in {400, 413, 422}, answer
    problem = json.loads(answer)
    assert problem["code"] in {"usage", "invalid_data", "too_large"}
    assert problem["detail"]
    assert ask(user, "GET", "/v1/networks") == before


PATHS = [
    ("GET", "/v1/networks/%2e%2e", b""),
    ("GET", "/v1/networks/../../etc/passwd", b""),
    ("GET", "/v1/apps/%2e%2e/%2e%2e", b""),
    ("GET", "/v1/apps/demo%2fx", b""),
    ("DELETE", "/v1/networks/%00", b""),
    ("DELETE", "/v1/networks/%ff%fe", b""),
    ("DELETE", "/v1/networks/demo%0a", b""),
    ("GET", "/v1/networks/" + "n" * 5000, b""),
    ("GET", "/v1/networks?limit=99999999999999999999", b""),
    ("GET", "/v1/networks?limit=-1", b""),
    ("GET", "/v1/networks?owner=true", b""),
    ("GET", "/v1/apps/demo/x/releases/1?wait=1e400", b""),
    ("GET", "/v1/apps/demo/x/releases/v1", b""),
    ("GET", "/v1/apps/demo/x/build-log?after=99999999999999999999", b""),
    ("PATCH", "/v1/apps/demo/x", b'{"scale":{"web":' + b"9" * 400 + b"}}"),
    ("POST", "/v1/networks/%2e%2e/bundles", b'{"bundle":"' + DIGEST + b'"}'),
    ("POST", "/v1/networks/..%2f..%2fx/bundles", b'{"bundle":"' + DIGEST + b'"}'),
    ("POST", "/v1/networks/" + "n" * 300 + "/bundles", b'{"bundle":"' + DIGEST + b'"}'),
    ("POST", BUNDLES, b'{"bundle":"../../../../etc/passwd"}'),
    ("POST", BUNDLES, b'{"bundle":"\xff"}'),
    ("POST", BUNDLES, b'{"bundle":' + b"[" * 2000),
    ("POST", BUNDLES + "/negotiate", b"\x91" * 200_000),
    ("POST", BUNDLES + "/negotiate", b"\xff\xff"),
    ("POST", BUNDLES + "/packs", b"junk" * 100),
    ("POST", BUNDLES + "/packs", b""),
    ("TRACE", "/v1/networks", b""),
    ("POST", "/v1/oauth/token", b"{}"),
    ("GET", "/invite/%ff%00", b""),
    ("POST", "/invite/" + "A" * 43, b"passphrase=x"),
    ("GET", "/nothing", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), PATHS, ids=lambda value: str(value)[:40] if value else "")
def test_a_path_that_leads_nowhere(method: str, path: str, body: bytes, user: User) -> None:
    status, answer = ask(user, method, path, body)
    assert 400 <= status < 500, answer
    assert b"Traceback" not in answer
    assert {path.name for path in (user.home / "node" / "networks").glob("*")} <= {"demo"}, "nothing is made by asking"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "deflate"},
        {"Content-Encoding": "br"},
        {"Idempotency-Key": "k" * 300},
        {"Idempotency-Key": "\xe9\x01"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic cm9vdDpyb290"},
        {"Content-Length": "-5"},
        {"Expect": "the unexpected"},
        {"X-Long": "x" * 100_000},
        {f"X-{number}": "x" for number in range(5000)},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_that_are_none(headers: dict[str, str], user: User) -> None:
    status, answer = ask(user, "POST", "/v1/networks", b'{"name":"evil"}', headers)
    assert 400 <= status < 500
    assert json.loads(answer)["code"] in {"usage", "invalid_data", "too_large", "login_required"}
    assert ask(user, "GET", "/v1/networks/evil")[0] == 404


@pytest.mark.parametrize(
    "wire",
    [
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x00\xff: x\r\n\r\n",
    ],
    ids=["chunks that are none", "two lengths", "length and chunks", "a name that is none"],
)
def test_framing_that_could_smuggle_a_request(wire: bytes, user: User) -> None:
    head = f"POST /v1/networks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token_of(user)}\r\n".encode()
    with socket.create_connection(("127.0.0.1", user.node.api_port), timeout=TIMEOUT) as connection:
        connection.sendall(head + wire)
        answer = b""
        while data := connection.recv(65536):  # until the node hangs up
            answer += data
    assert answer.split(b"\r\n")[0].split()[1] == b"400"
    assert answer.count(b"HTTP/1.") == 1
    assert b"application/problem+json" in answer


# Keys, and several at once


def platform(user: User, token: str) -> HttpPlatform:
    return HttpPlatform(HttpTransport(f"http://127.0.0.1:{user.node.api_port}", lambda renew: token))


def refusal(platform: HttpPlatform, command: Command, key: str) -> str:
    with pytest.raises(RigError) as refused:
        platform.call(command, Network, key=key)
    return refused.value.code


def test_a_key_gives_its_first_result_and_serves_one_request_only(user: User) -> None:
    mine = platform(user, token_of(user))
    first = mine.call(CreateNetwork(name="keyed"), Network, key="key-1")
    assert mine.call(CreateNetwork(name="keyed"), Network, key="key-1") == first
    assert refusal(mine, CreateNetwork(name="other"), "key-1") == "key_reused"
    assert refusal(mine, CreateNetwork(name="keyed"), "key-2") == "already_exists"
    assert refusal(mine, CreateNetwork(name="keyed"), "key-2") == "already_exists", "a refusal is kept, too"


def test_somebody_elses_key_is_not_met(user: User) -> None:
    """A key belongs to its user: another one neither sees its result nor is kept from using the same key."""
    mine, theirs = platform(user, token_of(user)), platform(user, invited(user, "ana"))
    assert theirs.call(Whoami(), Whoami.reply).name == "ana"  # type: ignore[attr-defined]
    mine.call(CreateNetwork(name="of-the-owner"), Network, key="shared-key")
    made = theirs.call(CreateNetwork(name="of-ana"), Network, key="shared-key")
    assert (made.name, made.created_by) == ("of-ana", "user:ana")


def invited(user: User, name: str) -> str:
    """A token of somebody who was invited and has logged in by the page, as a browser would."""
    link = user.ok("node", "invite", name, "--role", "deployer", "-o", "json").data["link"]
    passphrase = "correct horse battery staple"
    _submit(user, "/invite/" + link.rpartition("/")[2], passphrase=passphrase, again=passphrase)
    status, answer = ask(user, "POST", "/v1/oauth/device_authorization", b"client_id=rig&host=laptop", FORM)
    assert status == 200, answer
    asked = json.loads(answer)
    _submit(user, "/device", step="approve", user_code=asked["user_code"], name=name, passphrase=passphrase)
    grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
    form = f"client_id=rig&grant_type={grant}&device_code={asked['device_code']}".encode()
    status, answer = ask(user, "POST", "/v1/oauth/token", form, FORM)
    assert status == 200, answer
    token: str = json.loads(answer)["access_token"]
    return token


def _submit(user: User, path: str, **fields: str) -> None:
    from urllib.parse import urlencode

    csrf = "c" * 43
    body = urlencode({"csrf": csrf, **fields}).encode()
    status, answer = ask(user, "POST", path, body, {**FORM, "Cookie": f"rig_csrf={csrf}"})
    assert status == 200, answer


def test_the_same_change_by_two_at_once_is_made_once(user: User) -> None:
    ready, results = threading.Barrier(8), []

    def race(number: int) -> None:
        mine: Any = platform(user, token_of(user))
        ready.wait()
        try:
            mine.call(CreateNetwork(name="contested"), Network, key=f"race-{number}")
            results.append("made")
        except RigError as refused:
            results.append(refused.code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already_exists"] * 7 + ["made"]


def test_the_same_key_by_two_at_once_is_one_change(user: User) -> None:
    mine = platform(user, token_of(user))
    mine.call(CreateNetwork(name="twice"), Network, key="make-twice")
    ready, results = threading.Barrier(4), []

    def race() -> None:
        ready.wait()
        results.append(platform(user, token_of(user)).call(DeleteNetwork(name="twice"), Network, key="delete-twice"))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)
