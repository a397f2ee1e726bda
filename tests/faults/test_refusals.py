"""Every command that talks to a platform, against every answer that a platform should not give, or gives to refuse.

A server of these tests answers. Each cell proves that it was asked, and that what rig did then is right: the exit code,
the one JSON document, the words for people, the record, and that nothing was sent twice under two keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from events.command import CommandCompleted, CommandReceived
from rig.clients import http as client_http
from rig.clients import upload as client_upload
from rig.clients.http import Patience
from tests.faults.harness import Record, Where, quick_folder, run_rig
from tests.faults.server import Answer, FaultServer, problem
from tests.support import TIMEOUT

pytestmark = pytest.mark.xdist_group("refusals")

TOKEN = "rig_st.canary-of-the-fault-tests"
BOUND = client_http.PATIENCE.silence - 5
"""Seconds: reached only by a command that waits longer than it was told to."""
HASTE = Patience(connect=TIMEOUT, silence=0.15, answer=0.3, retries=0.3)

QUERIES = {
    "whoami": ("whoami",),
    "list networks": ("list", "networks"),
    "list apps": ("list", "apps"),
    "details network": ("details", "network", "demo"),
    "details app": ("details", "app", "demo/hello"),
    "status app": ("status", "app", "demo/hello"),
    "history": ("history", "demo/hello"),
    "logs build": ("logs", "build", "demo/hello"),
    "config export": ("config", "export", "demo"),
    "config diff": ("config", "diff", "max.toml"),
}
CHANGES = {
    "create network": ("create", "network", "demo"),
    "create app": ("create", "app", "demo/hello"),
    "update app": ("update", "app", "demo/hello", "--scale", "web=2"),
    "delete app": ("delete", "app", "demo/hello", "--yes"),
    "delete network": ("delete", "network", "demo", "--yes"),
    "deploy": ("deploy", "SITE", "--app", "demo/hello"),
    "rollback": ("rollback", "demo/hello"),
    "promote": ("promote", "demo-staging/hello", "demo/hello", "--yes"),
    "config apply": ("config", "apply", "max.toml"),
    "node gc": ("node", "gc"),
    "node archive": ("node", "archive", "--before", "9w", "--yes"),
    "node invite": ("node", "invite", "ana"),
}
LOGINS = {"login": ("login", "URL", "--token-stdin")}
COMMANDS = {**QUERIES, **CHANGES, **LOGINS}
READ_FIRST = {
    "config apply": Answer(200, b'{"network": "demo", "live": {"network": "demo"}}'),
    "promote": Answer(
        200,
        b'{"source": {"app": "demo-staging/hello", "version": 1}, "target": {"app": "demo/hello", "version": 0}}',
    ),
}
"""Changes that look before they act: what they see. The fault comes after it."""


class Refusal(msgspec.Struct, frozen=True):
    """An answer, and what has to come of it."""

    answer: Answer
    code: str
    exit: int
    outcome: str
    """Of a query, and of a change unless ``unclear``."""
    unclear: bool = False
    """Whether a change may have been carried out all the same, so that its outcome is not known."""
    repeated: bool = False
    """Whether rig asks again, under the same key."""


HTML = b"<html><body>502 Bad Gateway</body></html>"
REFUSALS = {
    "401": Refusal(problem("login_required"), "login_required", 4, "denied"),
    "401 bare": Refusal(Answer(401), "login_required", 4, "denied"),
    "403": Refusal(problem("forbidden"), "forbidden", 77, "denied"),
    "404": Refusal(problem("not_found"), "not_found", 66, "failure"),
    "409": Refusal(problem("conflict"), "conflict", 73, "failure"),
    "423": Refusal(problem("locked", Retry_After="1"), "locked", 75, "failure"),
    "429": Refusal(problem("rate_limited", Retry_After="0"), "rate_limited", 75, "failure", repeated=True),
    "429 for a day": Refusal(problem("rate_limited", Retry_After="86400"), "rate_limited", 75, "failure"),
    "500": Refusal(problem("internal"), "internal", 70, "error"),
    "500 of a stranger": Refusal(Answer(500, HTML, "text/html"), "unreachable", 69, "failure", unclear=True),
    "502": Refusal(Answer(502, HTML, "text/html"), "unreachable", 69, "failure", unclear=True),
    "503": Refusal(problem("unavailable", Retry_After="0"), "unavailable", 75, "failure", repeated=True),
    "503 for a day": Refusal(Answer(503, HTML, "text/html", {"Retry-After": "86400"}), "unavailable", 75, "failure"),
    "unknown code": Refusal(
        Answer(409, b'{"code":"not_yet","detail":"No.","hint":"Wait.","details":{"code":1,"message":2,"output":3}}'),
        "conflict", 73, "failure",
    ),
    "redirect": Refusal(Answer(302, b"", headers={"Location": "http://127.0.0.1:1/"}), "unreachable", 69, "failure"),
    "garbage": Refusal(Answer(200, b"\x00\xff garbage"), "unreachable", 69, "failure", unclear=True),
    "empty": Refusal(Answer(200, b""), "unreachable", 69, "failure", unclear=True),
    "html": Refusal(Answer(200, HTML, "text/html"), "unreachable", 69, "failure", unclear=True),
    "wrong types": Refusal(Answer(200, b"[1,null]"), "unreachable", 69, "failure", unclear=True),
    "bad utf-8": Refusal(Answer(200, b'{"name":"\xff","next":"\xff"}'), "unreachable", 69, "failure", unclear=True),
    "bottomless": Refusal(Answer(200, b'{"a":' * 10_000), "unreachable", 69, "failure", unclear=True),
    "too large": Refusal(
        Answer(200, b'"' + b"x" * 70_000 + b'"'), "unreachable", 69, "failure", unclear=True, repeated=True
    ),
    "json cut short": Refusal(Answer(200, b'{"name":"dem'), "unreachable", 69, "failure", unclear=True),
    "body cut short": Refusal(
        Answer(200, b'{"name":"demo"', length=5000), "unreachable", 69, "failure", unclear=True, repeated=True
    ),
    "no http": Refusal(
        Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "unreachable", 69, "failure", unclear=True, repeated=True
    ),
    "header flood": Refusal(
        Answer(200, b"{}", headers={f"X-{n}": "x" for n in range(500)}),
        "unreachable", 69, "failure", unclear=True, repeated=True,
    ),
    "silence": Refusal(Answer(silent=True), "unreachable", 69, "failure", unclear=True),
}  # fmt: skip


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One RIG_HOME, so that its journal has to hold every cell of the table."""
    with quick_folder() as folder:
        yield folder / "home"


@pytest.fixture(scope="module")
def record(home: Path) -> Record:
    return Record(home)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(autouse=True)
def user(home: Path, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has a token for the server, and no time."""
    for name in ("RIG_CONTEXT", "RIG_OUTPUT", "CI", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RIG_HOME", str(home))
    monkeypatch.setenv("RIG_URL", server.url)
    monkeypatch.setenv("RIG_TOKEN", TOKEN)
    monkeypatch.setattr(client_http, "PATIENCE", HASTE)
    server.verdicts.heeded(monkeypatch)
    monkeypatch.setattr(client_http, "MAX_ANSWER", 65_536)
    monkeypatch.setattr(client_upload, "LONGEST_RETRY", 0.1)
    monkeypatch.setattr(client_upload, "FIRST_PAUSE", 0.02)
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<h1>hello</h1>")
    (tmp_path / "max.toml").write_text('network = "demo"\n[env]\nA = "1"\n')
    monkeypatch.chdir(tmp_path)


def argv_of(command: str, server: FaultServer) -> list[str]:
    return [{"SITE": "site", "URL": server.url}.get(word, word) for word in COMMANDS[command]]


@pytest.mark.parametrize(
    ("command", "where"),
    [(command, where) for command in COMMANDS for where in ("json", "terminal")]
    # What differs on a pipe of text differs for all commands alike.
    + [(command, "pipe") for command in ("whoami", "create network", "deploy", "login")],
)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_told_and_recorded(
    command: str, refusal: str, where: Where, server: FaultServer, record: Record
) -> None:
    expected = REFUSALS[refusal]
    server.answer = expected.answer
    server.route = lambda request: READ_FIRST.get(command) if request.line.startswith("GET ") else None
    record.news()

    ended = run_rig(*argv_of(command, server), where=where, stdin=TOKEN.encode() if command == "login" else b"")

    # What an earlier test left open is asked for after a refusal, and of an app that is not there, when it was deleted.
    aside = ["GET /v1/intents/"]
    if (command, refusal) == ("history", "404"):
        aside.append("GET /v1/journal/records")
        assert server.requests[-1].line.startswith(aside[-1])
    asked = [request for request in server.requests if not request.line.startswith(tuple(aside))]
    faulted = [request for request in asked if command not in READ_FIRST or not request.line.startswith("GET ")]
    assert faulted, f"the fault has fired: {ended}"
    assert ended.exit == expected.exit, ended
    assert ended.seconds < BOUND
    assert "Traceback" not in ended.stdout + ended.stderr
    assert TOKEN not in ended.stdout + ended.stderr
    if where == "json":
        assert (ended.error["code"], ended.error["exit"]) == (expected.code, expected.exit)
        assert ended.error["message"]
        assert "error:" not in ended.stderr, "a machine reads it on stdout"
    else:
        assert ended.stdout == ""
        assert "error:" in ended.stderr
        assert "hint:" in ended.stderr

    facts = record.news()
    change = command in CHANGES
    unclear = expected.unclear and change and command != "deploy"
    assert [type(entry.fact) for entry in facts] == (
        [CommandCompleted] if command in QUERIES else [CommandReceived, CommandCompleted]
    )
    completed = facts[-1]
    assert isinstance(completed.fact, CommandCompleted)
    assert (completed.fact.code, completed.fact.exit) == (expected.code, expected.exit)
    assert completed.outcome == ("unknown" if unclear else expected.outcome)
    if change:
        state = "unknown" if unclear or expected.outcome == "error" else "refused"
        assert record.outbox()[-1][1] == state

    keys = {request.headers.get("idempotency-key", "") for request in faulted}
    assert len(keys) == 1, "another try is the same request"
    if command not in {"deploy", "login"}:  # uploads have a patience of their own, a login asks once more after a 401
        assert (len(faulted) > 1) == expected.repeated or refusal == "silence"


@pytest.mark.parametrize("where", ["pipe", "json", "terminal"])
@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_listens(
    command: str, where: Where, server: FaultServer, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so nothing is in doubt; and nobody is kept waiting."""
    server.url = "http://127.0.0.1:1"
    monkeypatch.setenv("RIG_URL", server.url)
    monkeypatch.setattr(client_http, "PATIENCE", Patience())
    record.news()
    ended = run_rig(*argv_of(command, server), where=where, stdin=TOKEN.encode() if command == "login" else b"")
    assert (ended.exit, ended.seconds < BOUND) == (69, True), ended
    if where == "json":
        assert ended.error["code"] == "unreachable"
    else:
        assert ended.stdout == ""
        assert "Start it with `rig node start`." in ended.stderr
    assert record.news()[-1].outcome == "failure"
    if command in CHANGES:
        assert record.outbox()[-1][1] == "refused"


@pytest.mark.parametrize("refusal", [name for name in REFUSALS if name not in {"silence"}])
def test_a_logout_needs_no_platform(refusal: str, server: FaultServer, home: Path, record: Record) -> None:
    """The tokens are forgotten here whatever the platform says; that it could not be told is a warning."""
    (home / "tokens").mkdir(parents=True, exist_ok=True)
    kept = {"url": server.url, "access_token": "kept-access", "refresh_token": "kept-refresh", "expires_at": 0}
    token = home / "tokens" / "fault.json"
    token.write_text(json.dumps(kept))
    token.chmod(0o600)
    context = {"name": "fault", "url": server.url, "store": "file"}
    (home / "contexts.json").write_text(json.dumps({"version": 1, "contexts": [context]}))
    server.answer = REFUSALS[refusal].answer
    try:
        ended = run_rig("logout", "fault", where="json")
    finally:
        (home / "contexts.json").unlink()
    assert ended.exit == 0, ended
    [warning] = json.loads(ended.stdout)["warnings"]
    assert "could not be told" in warning
    assert server.requests
    assert not token.exists()
    assert "kept-refresh" not in ended.stdout + ended.stderr


def test_the_record_of_all_this_is_whole(record: Record) -> None:
    """One journal has taken every cell that ran before."""
    run_rig("whoami")
    report = record.verify()
    assert (report.verdict, report.findings) == ("verified", [])
    assert report.size > 0
