"""A platform that takes connections and says nothing, as one does whose process was stopped: whoever tells of the past
does not wait for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from events.app import AppCreated, DeployStarted, DeploySucceeded
from events.base import Fact
from events.config import VarsChanged
from rig.clients import http as client_http
from rig.clients.http import Patience
from rig.contract.accounts import TokenPair
from rig.contract.networks import Network
from rig.kernel.ports import Draft
from tests.faults.harness import Record, run_rig
from tests.faults.http1 import Message
from tests.faults.server import Answer, FaultServer
from tests.storage.records import open_record, page_of
from tests.storage.support import stamp
from tests.support import TIMEOUT

APP = "demo/shop"
MISSING = "so what is newer there is missing"
BRIEF = Patience(connect=TIMEOUT, silence=0.4, answer=0.4, retries=0.0)
BOUND = client_http.PATIENCE.silence - 5
"""Seconds: reached only by a command that waits as long as it does for what it was asked for."""

FACTS: tuple[Fact, ...] = (
    AppCreated(name=APP),
    VarsChanged(scope=APP, set={"COLOR": "red"}),
    DeployStarted(app=APP, version=1, bundle="1" * 64),
    DeploySucceeded(app=APP, version=1, url="http://shop.demo.localhost"),
    DeployStarted(app=APP, version=2, bundle="2" * 64, previous=1),
    DeploySucceeded(app=APP, version=2, url="http://shop.demo.localhost"),
)

READERS = (
    ("audit",),
    ("audit", "stats"),
    ("audit", "export", "--format", "html", "--file", "audit.html"),
    ("blame", APP),
    ("config", "history", APP),
    ("dashboard",),
    ("details", "app", APP, "--at", "v1"),
    ("diff", APP),
)
"""Commands that tell of the past, and fetch on the way what is new of it."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RIG_CONTEXT", "RIG_OUTPUT", "RIG_URL", "RIG_TOKEN", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RIG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(client_http, "BRIEF", BRIEF)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def server(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A platform that said something until the replica had its record, and says nothing now."""
    with FaultServer(Answer(silent=True)) as server, open_record(tmp_path / "platform", "node") as journal:
        journal.append([Draft(stream=f"app:{APP}", fact=fact, target=APP) for fact in FACTS], stamp())

        def records(request: Message) -> Answer | None:
            asked = re.match(r"GET /v1/journal/records(?:\?after=(\d+))? ", request.line)
            return Answer(body=msgspec.json.encode(page_of(journal, int(asked[1] or -1)))) if asked else None

        server.route = records
        server.verdicts.heeded(monkeypatch)
        monkeypatch.setenv("RIG_URL", server.url)
        monkeypatch.setenv("RIG_TOKEN", "rig_st.0123456789")
        assert run_rig("audit", "--sync").exit == 0
        server.route = lambda request: None
        server.requests.clear()
        yield server


@pytest.fixture
def unsettled(server: FaultServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change whose end is not known, so that the next command would ask for it."""
    with monkeypatch.context() as hasty:
        hasty.setattr(client_http, "PATIENCE", BRIEF)
        assert run_rig("create", "network", "other").exit == 69
    assert Record(home).outbox()[-1][1] == "unknown"
    server.requests.clear()


@pytest.mark.usefixtures("unsettled")
@pytest.mark.parametrize("reader", READERS, ids=" ".join)
def test_who_tells_of_the_past_waits_a_few_seconds_once(reader: tuple[str, ...], server: FaultServer) -> None:
    ended = run_rig(*reader, where="json")

    assert ended.exit == 0, ended
    assert [request.line.split("?")[0] for request in server.requests] == ["GET /v1/journal/records"]
    [warning] = [each for each in json.loads(ended.stdout)["warnings"] if MISSING in each]
    assert "timed out" in warning
    assert ended.seconds < BOUND


def test_a_history_that_is_known_is_told_without_the_platform(server: FaultServer) -> None:
    ended = run_rig("history", APP, where="json")

    assert ended.exit == 0, ended
    document = json.loads(ended.stdout)
    assert [release["version"] for release in document["data"]["releases"]] == [2, 1]
    assert document["data"]["as_of"]
    assert "timed out" in document["warnings"][0]
    assert (len(server.requests), ended.seconds < BOUND) == (1, True)


def test_a_check_says_that_it_was_not_against_the_platform(server: FaultServer) -> None:
    ended = run_rig("journal", "verify", where="json")

    assert ended.exit == 0, ended
    document = json.loads(ended.stdout)
    assert (document["data"]["replicated"], document["data"]["compared"]) == (len(FACTS), False)
    assert "by itself" in document["warnings"][0]
    assert (len(server.requests), ended.seconds < BOUND) == (1, True)


def test_a_change_that_was_made_does_not_wait_for_its_witness(server: FaultServer) -> None:
    made = msgspec.json.encode(Network(name="other", domain="other.localhost"))
    server.route = lambda request: Answer(201, made) if request.line.startswith("POST /v1/networks ") else None
    ended = run_rig("create", "network", "other", where="json")

    assert ended.exit == 0, ended
    assert [request.line.split()[1] for request in server.requests] == ["/v1/networks", "/v1/journals/checkpoints"]
    assert ended.seconds < BOUND


def test_what_is_asked_for_is_waited_for(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = Patience(connect=TIMEOUT, silence=0.8, answer=0.8, retries=0.3)
    monkeypatch.setattr(client_http, "PATIENCE", patient)
    ended = run_rig("audit", "--sync", where="json")

    assert (ended.exit, ended.error["code"]) == (69, "unreachable")
    assert len(server.requests) == 2, "it is tried again"
    assert ended.seconds >= 2 * patient.silence


def test_a_token_that_has_ended_is_not_waited_for_either(
    server: FaultServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIG_TOKEN")
    kept = {"url": server.url, "access_token": "old", "refresh_token": "spent", "expires_at": 1}
    (home / "tokens").mkdir(mode=0o700)
    token = home / "tokens" / "ours.json"
    token.write_bytes(msgspec.json.encode(kept))
    token.chmod(0o600)
    context = {"name": "ours", "url": server.url, "account": "ana", "store": "file"}
    (home / "contexts.json").write_bytes(msgspec.json.encode({"contexts": [context]}))

    ended = run_rig("audit", where="json")

    assert ended.exit == 0, ended
    assert [request.line for request in server.requests] == ["POST /v1/oauth/token HTTP/1.1"]
    assert any(MISSING in warning for warning in json.loads(ended.stdout)["warnings"])
    assert ended.seconds < BOUND

    pair = msgspec.json.encode(TokenPair(access_token="new", refresh_token="next", expires_in=900))
    server.route = lambda request: Answer(body=pair) if request.line.startswith("POST /v1/oauth/token ") else None
    run_rig("audit")
    assert b"refresh_token=spent" in server.requests[-2].body, "nothing was forgotten"
    assert server.requests[-1].headers["authorization"] == "Bearer new"
