"""Ctrl-C, SIGTERM and kill -9 at each step that takes long: what is left of it on the terminal and on both records."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.command import CommandCompleted, CommandReceived
from tests.e2e.rig import GATED, User, open_gate, web_app
from tests.faults.harness import Record
from tests.faults.proxy import Fault, Proxy
from tests.faults.server import Answer, FaultServer
from tests.faults.terminal import OnTerminal
from tests.support import wait_until

pytestmark = pytest.mark.xdist_group("interruptions")

SOON = 40.0
"""Seconds from the signal to the end, on the busiest machine. What is interrupted would take 45 and more."""
RETRY_AFTER = 29
"""Seconds: nearly as many as rig has patience for."""
SIGNALS = [(signal.SIGINT, 130, "cancelled"), (signal.SIGTERM, 143, "terminated")]
INTERRUPTED_AT = """
import os, signal, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder)
"""
"""What Python loads before anything else: Ctrl-C comes while a module is looked for."""


@pytest.fixture(scope="module")
def proxy(user: User) -> Iterator[Proxy]:
    """The user's way to the node leads through it."""
    with Proxy(user.node.api_port) as proxy:
        direct = f"http://127.0.0.1:{user.node.api_port}"
        for file in (user.home / "contexts.json", user.home / "tokens" / "local.json"):
            file.write_text(file.read_text().replace(direct, proxy.url))
        yield proxy


@pytest.fixture(autouse=True)
def mended(proxy: Proxy) -> Iterator[None]:
    yield
    proxy.break_by(None)


def interrupted(running: OnTerminal, number: signal.Signals, code: int, within: float = SOON) -> None:
    """Interrupt it, as a user or a service manager does, and see it end well, ``within`` so many seconds."""
    if number == signal.SIGINT:
        running.press_ctrl_c()
    else:
        running.send(number)
    ended, seconds = running.wait()
    assert ended == code, running.text
    assert seconds < within
    assert running.settings == running.before, "the terminal is as it was"
    assert running.text.count("\x1b[?25l") == running.text.count("\x1b[?25h"), "the cursor can be seen"
    assert "Traceback" not in running.text
    assert "error:" in running.text


def last(record: Record, code: str) -> str:
    """The outcome of the command that was interrupted."""
    outcome = record.news()[-1]
    assert isinstance(outcome.fact, CommandCompleted)
    assert outcome.fact.code == code
    assert record.verify().verdict == "verified"
    return outcome.outcome


def history(user: User, app: str) -> list[tuple[int, str]]:
    releases = user.ok("history", app, "-o", "json").data["releases"]
    return [(release["version"], release["outcome"]) for release in releases]


def goes_on(user: User, app: str) -> bool:
    """Open the gate, which may not be there yet; whether the one release has come through it."""
    open_gate(user, app)
    return history(user, app) == [(1, "succeeded")]


@pytest.mark.parametrize(("number", "code", "error"), SIGNALS)
def test_while_an_answer_is_awaited(number: signal.Signals, code: int, error: str, user: User, proxy: Proxy) -> None:
    record = Record(user.home)
    proxy.break_by(Fault(how="stall", request="POST /v1/networks"))
    with OnTerminal("create", "network", f"awaited-{code}", env=user.environ) as running:
        wait_until(lambda: proxy.fired, "the answer is held back")
        interrupted(running, number, code)
    assert last(record, error) == "unknown"
    assert record.outbox()[-1][1] == "unknown"


@pytest.mark.parametrize(("number", "code", "error"), SIGNALS)
def test_while_sources_are_sent(
    number: signal.Signals, code: int, error: str, user: User, proxy: Proxy, tmp_path: Path
) -> None:
    record, app = Record(user.home), f"demo/sent-{code}"
    folder = web_app(tmp_path / "app", noise__txt=tmp_path.name)
    proxy.break_by(Fault(how="stall", request="POST /v1/networks/demo/bundles/packs"))
    with OnTerminal("deploy", str(folder), "--app", app, "--create", env=user.environ) as running:
        wait_until(lambda: proxy.fired, "the upload is held up")
        interrupted(running, number, code)
    assert last(record, error) == "unknown"
    assert user.rig("history", app).exit == 66, "no release was made"
    proxy.break_by(None)
    user.deploy(folder, app)
    assert history(user, app) == [(1, "succeeded")]


@pytest.mark.parametrize(("number", "code", "error"), SIGNALS)
def test_while_a_release_is_watched(number: signal.Signals, code: int, error: str, user: User, tmp_path: Path) -> None:
    record, app = Record(user.home), f"demo/watched-{code}"
    folder = web_app(tmp_path / "app", rig__toml=GATED, noise__txt=tmp_path.name)
    with OnTerminal("deploy", str(folder), "--app", app, "--create", env=user.environ) as running:
        running.wait_for("Building v1")
        interrupted(running, number, code)
        assert "is still being made" in running.text
        assert f"rig status app {app}" in running.text
    assert last(record, error) == "unknown"
    wait_until(lambda: goes_on(user, app), "the release goes on without us")


@pytest.mark.parametrize(("number", "code", "error"), SIGNALS)
def test_while_a_login_waits_for_its_approval(
    number: signal.Signals, code: int, error: str, user: User, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{user.node.api_port}"
    with OnTerminal("login", url, "--no-browser", env={**user.environ, "RIG_HOME": str(tmp_path)}) as running:
        running.wait_for("Approve it on")
        interrupted(running, number, code)
    assert last(Record(tmp_path), error) == "unknown"
    assert not (tmp_path / "contexts.json").exists()


def test_twice_in_a_row_ends_it_all_the_same(user: User, proxy: Proxy) -> None:
    proxy.break_by(Fault(how="stall", request="POST /v1/networks"))
    with OnTerminal("create", "network", "impatient", env=user.environ) as running:
        wait_until(lambda: proxy.fired, "the answer is held back")
        running.press_ctrl_c()
        running.press_ctrl_c()
        code, seconds = running.wait()
        assert (code, seconds < SOON) == (130, True), running.text
        assert "Traceback" not in running.text
    assert Record(user.home).verify().verdict == "verified"


@pytest.mark.parametrize("module", ["rig.light", "rig.cli.run", "rig.cli.whoami", "rig.bootstrap", "http.client"])
def test_while_rig_is_starting(module: str, user: User, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_AT.format(module=module))
    ended = user.rig("whoami", env={"PYTHONPATH": str(tmp_path)})
    assert ended.exit == 130, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("step", ["upload", "build"])
def test_a_killed_deployment_is_unknown_and_may_be_repeated(
    step: str, user: User, proxy: Proxy, tmp_path: Path
) -> None:
    record, app = Record(user.home), f"demo/killed-at-{step}"
    build = GATED if step == "build" else ""
    folder = web_app(tmp_path / "app", rig__toml=build, noise__txt=tmp_path.name)
    record.news()
    if step == "upload":
        proxy.break_by(Fault(how="stall", request="POST /v1/networks/demo/bundles/packs"))
    with OnTerminal("deploy", str(folder), "--app", app, "--create", env=user.environ) as running:
        if step == "upload":
            wait_until(lambda: proxy.fired, "the upload is held up")
        else:
            running.wait_for("Building v1")
        running.send(signal.SIGKILL)
        running.wait()
    proxy.break_by(None)
    intent = record.news()[0]
    assert isinstance(intent.fact, CommandReceived)
    assert (intent.fact.command, intent.outcome) == ("deploy", "unknown")
    assert record.verify().verdict == "verified"

    again = user.rig("deploy", str(folder), "--app", app, "--create", "-o", "json")
    if step == "build":
        assert (again.exit, again.json["error"]["code"]) == (75, "locked"), again
        assert history(user, app) == [(1, "pending")], "the release is made once"
        wait_until(lambda: goes_on(user, app), "it comes to its end by itself")
    else:
        assert again.exit == 0, again
        assert history(user, app) == [(1, "succeeded")]


def test_a_wait_for_the_rate_limit_can_be_interrupted(tmp_path: Path, user: User) -> None:
    body = json.dumps({"code": "rate_limited", "detail": "Too many.", "status": 429}).encode()
    with FaultServer(Answer(429, body, headers={"Retry-After": str(RETRY_AFTER)})) as server:
        env = {**user.environ, "RIG_HOME": str(tmp_path), "RIG_URL": server.url, "RIG_TOKEN": "t"}
        with OnTerminal("whoami", env=env) as running:
            wait_until(lambda: server.requests, "it was told to wait")
            interrupted(running, signal.SIGINT, 130, within=RETRY_AFTER - 4)
