"""The OAuth client and the renewal of tokens, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rig.clients.contexts import FileContexts
from rig.clients.home import Home, find_home
from rig.clients.http import HttpTransport
from rig.clients.keychain import Vault
from rig.clients.logins import ClientLogins
from rig.clients.oauth import OAuth, open_oauth
from rig.clients.platform import HttpPlatform
from rig.clients.settings import FileSettings
from rig.clients.tokens import Kept, Tokens
from rig.contract.accounts import Account, Context, Whoami
from rig.kernel.errors import RigError
from rig.kernel.ids import SystemClock
from tests.accounts_server import SECRET, AccountsServer, serve
from tests.support import files_with, free_port

GOOD = "correct horse battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AccountsServer]:
    with serve(tmp_path / "server") as server:
        yield server


class Machine:
    """One user's rig on one machine, without the command line around it."""

    def __init__(self, folder: Path, environ: dict[str, str] | None = None) -> None:
        environ = environ or {}
        self.home: Home = find_home({"RIG_HOME": str(folder)})
        self.contexts = FileContexts(self.home, FileSettings(self.home.settings, environ), environ)
        self.vault = Vault(self.home, keychain=False)
        self.tokens = Tokens(self.home, self.contexts, self.vault, environ, open_oauth, SystemClock())
        self.logins = ClientLogins(self.home, self.contexts, self.tokens, open_oauth, host="laptop")

    def login(self, url: str) -> Context:
        pair = OAuth(HttpTransport(url)).bootstrap(SECRET, "laptop")
        return self.logins.keep(Context(name="local", url=url, account="ana"), pair)

    def kept(self) -> Kept:
        return msgspec.json.decode((Path(self.home.tokens) / "local.json").read_bytes(), type=Kept)

    def change(self, **changes: Any) -> None:
        """Change what is kept, as time or another process would."""
        record = msgspec.structs.replace(self.kept(), **changes)
        (Path(self.home.tokens) / "local.json").write_bytes(msgspec.json.encode(record))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "home")


def whoami(machine: Machine, context: Context) -> str:
    def token(renew: bool) -> str:
        return machine.tokens.access_token(context, renew)

    return HttpPlatform(HttpTransport(context.url, token)).call(Whoami(), Account).name


def approve(server: AccountsServer, user_code: str) -> None:
    server.accounts.approve(user_code, "bea", GOOD, "")


def join(server: AccountsServer) -> None:
    link, _ = server.accounts.invite("bea", "*", "deployer", "user:ana")
    server.accounts.join(link.rpartition("/")[2], GOOD, "")


def test_a_device_login_polls_until_it_is_approved(server: AccountsServer) -> None:
    join(server)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        server.clock.pass_seconds(seconds)
        if len(waits) == 3:
            approve(server, asked.user_code)

    oauth = OAuth(HttpTransport(server.url), sleep)
    asked = oauth.ask("lap\x07top ä")
    assert server.accounts.asker(asked.user_code, "").host == "laptop "
    pair = oauth.await_approval(asked)
    assert server.accounts.principal(pair.access_token).name == "bea"
    assert waits == [2, 2, 2]


def test_a_client_that_is_told_to_slow_down_does(server: AccountsServer) -> None:
    join(server)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        server.clock.pass_seconds(0.1 if len(waits) < 3 else seconds)
        if len(waits) == 5:
            approve(server, asked.user_code)

    oauth = OAuth(HttpTransport(server.url), sleep)
    asked = oauth.ask("laptop")
    oauth.await_approval(asked)
    assert waits == [2, 2, 7, 7, 7]


def test_a_denied_login(server: AccountsServer) -> None:
    oauth = OAuth(HttpTransport(server.url), lambda seconds: None)
    asked = oauth.ask("laptop")
    server.accounts.deny(asked.user_code, "")
    with pytest.raises(RigError, match="denied") as refused:
        oauth.await_approval(asked)
    assert refused.value.exit == 77


def test_a_login_that_nobody_approves(server: AccountsServer) -> None:
    oauth = OAuth(HttpTransport(server.url), server.clock.pass_seconds)
    with pytest.raises(RigError, match="not approved in time") as refused:
        oauth.await_approval(oauth.ask("laptop"))
    assert refused.value.exit == 4


def test_a_lost_connection_is_no_verdict(server: AccountsServer) -> None:
    join(server)
    real = HttpTransport(server.url)
    lost = iter([True, True, False])

    class Flaky:
        def request(self, method: str, path: str, body: Any, headers: Any) -> Any:
            if path.endswith("/token") and next(lost):
                raise RigError("unreachable", "Gone.")
            return real.request(method, path, body, headers)

    waits: list[float] = []
    oauth = OAuth(Flaky(), waits.append)
    asked = oauth.ask("laptop")
    approve(server, asked.user_code)
    assert oauth.await_approval(asked).access_token
    assert waits == [2, 4, 8]


def test_what_answers_may_be_no_platform(tmp_path: Path) -> None:
    class Other:
        def request(self, *_: Any) -> Any:
            return 404, {}, b"<html>"

    with pytest.raises(RigError, match="no Max platform") as refused:
        OAuth(Other()).ask("laptop")
    assert refused.value.code == "unreachable"


@pytest.mark.parametrize("url", ["http://max.example.com", "http://localhost.example.com", "http://10.0.0.1:80"])
def test_no_token_goes_over_plain_http_to_another_machine(machine: Machine, url: str) -> None:
    with pytest.raises(RigError, match="plain HTTP") as refused:
        machine.logins.address(url)
    assert (refused.value.exit, refused.value.hint != "") == (64, True)
    with pytest.raises(RigError, match="plain HTTP"):
        machine.logins.ask(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1/", "http://localhost:1", "http://A.localhost:1"])
def test_plain_http_is_fine_on_this_machine(machine: Machine, url: str) -> None:
    assert machine.logins.address(url) == url.lower().rstrip("/")


@pytest.mark.parametrize(
    "changes",
    [
        {"verification_uri_complete": "file:///etc/passwd"},
        {"verification_uri": "https://a/\x1b[2J"},
        {"user_code": "\x1b]0;x\x07"},
        {"interval": 0},
        {"device_code": "a b"},
    ],
)
def test_what_a_platform_may_not_make_us_show_or_open(changes: dict[str, Any]) -> None:
    asked = {
        "device_code": "rig_dc.x",
        "user_code": "BCDF-GHJK",
        "verification_uri": "https://a/device",
        "verification_uri_complete": "https://a/device?user_code=BCDF-GHJK",
        "expires_in": 600,
        "interval": 5,
    }

    class Hostile:
        def request(self, *_: Any) -> Any:
            return 200, {}, json.dumps({**asked, **changes}).encode()

    with pytest.raises(RigError, match="no Max platform"):
        OAuth(Hostile()).ask("laptop")


def test_tokens_are_kept_and_used(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    assert context.store == "file"
    assert machine.contexts.all() == [context]
    assert whoami(machine, context) == "ana"
    assert server.refreshes == 0


def test_a_token_that_is_about_to_end_is_renewed_before_it_is_sent(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    machine.change(expires_at=SystemClock().now() + 29 * 10**9)
    before = machine.kept()
    later = Machine(Path(machine.home.data))
    assert whoami(later, context) == "ana"
    assert server.refreshes == 1
    assert later.kept().refresh_token != before.refresh_token


def test_a_token_that_the_platform_refuses_is_renewed_once(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    server.clock.pass_seconds(3600)
    assert whoami(machine, context) == "ana"
    assert server.refreshes == 1


def test_a_renewal_of_another_process_is_found(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    server.clock.pass_seconds(3600)
    assert whoami(Machine(Path(machine.home.data)), context) == "ana"
    assert whoami(machine, context) == "ana"
    assert server.refreshes == 1


def test_a_login_that_was_ended_says_how_to_come_back(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    server.accounts.revoke(machine.kept().refresh_token, "")
    with pytest.raises(RigError) as refused:
        whoami(machine, context)
    assert (refused.value.code, refused.value.hint) == ("login_expired", "Log in again: `rig login`.")


def test_tokens_are_never_sent_to_another_address(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    moved = msgspec.structs.replace(context, url="https://evil.example.com")
    with pytest.raises(RigError, match="not logged in to https://evil") as refused:
        Machine(Path(machine.home.data)).tokens.access_token(moved)
    assert refused.value.code == "login_required"


def test_rig_token_beats_what_is_kept_and_writes_nothing(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    before = sorted(path.name for path in Path(machine.home.tokens).iterdir())
    ci = Machine(Path(machine.home.data), {"RIG_TOKEN": "given"})
    assert ci.tokens.access_token(context) == "given"
    with pytest.raises(RigError, match="RIG_TOKEN"):
        whoami(ci, context)
    assert sorted(path.name for path in Path(machine.home.tokens).iterdir()) == before


def test_rig_token_belongs_to_the_address_it_came_with(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    ci = Machine(Path(machine.home.data), {"RIG_TOKEN": "given", "RIG_URL": "https://ci.example.com"})
    assert ci.tokens.access_token(context) == machine.kept().access_token


def test_to_log_in_again_ends_the_login_before(server: AccountsServer, machine: Machine) -> None:
    machine.login(server.url)
    before = machine.kept()
    context = machine.login(server.url)
    assert whoami(machine, context) == "ana"
    with pytest.raises(RigError, match="ended"):
        server.accounts.principal(before.access_token)


def test_logging_out_ends_it_here_and_there(server: AccountsServer, machine: Machine) -> None:
    context = machine.login(server.url)
    kept = machine.kept()
    assert machine.logins.end(context) == ""
    assert machine.contexts.find("local").store == "none"
    assert not (Path(machine.home.tokens) / "local.json").exists()
    with pytest.raises(RigError, match="ended"):
        server.accounts.principal(kept.access_token)


def test_logging_out_of_a_platform_that_is_gone(machine: Machine, tmp_path: Path) -> None:
    with serve(tmp_path / "short") as server:
        context = machine.login(server.url)
    warning = machine.logins.end(context)
    assert "could not be told" in warning
    assert not (Path(machine.home.tokens) / "local.json").exists()


_REFRESH = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_login_tokens import Machine
machine = Machine(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
print(machine.tokens.access_token(machine.contexts.find(sys.argv[2])))
"""


def test_processes_that_need_a_new_token_at_once_ask_for_one(server: AccountsServer, machine: Machine) -> None:
    machine.login(server.url)
    machine.change(expires_at=1)
    here = Path(__file__).parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _REFRESH, machine.home.data, "local", str(here), str(here.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    outputs = [""] * len(processes)

    def finish(number: int) -> None:
        outputs[number] = processes[number].communicate(timeout=60)[0].strip()

    threads = [threading.Thread(target=finish, args=(number,)) for number in range(len(processes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in processes] == [0] * 4
    assert server.refreshes == 1
    assert set(outputs) == {machine.kept().access_token}
    assert server.accounts.principal(outputs[0]).name == "ana"


def test_an_answer_that_was_lost_on_the_way_is_asked_for_again(server: AccountsServer, machine: Machine) -> None:
    """The node has spent the token and its answer never arrives: the client still holds the spent one."""
    context = machine.login(server.url)
    server.accounts.refresh(machine.kept().refresh_token, "")
    machine.change(expires_at=1)
    later = Machine(Path(machine.home.data))
    assert whoami(later, context) == "ana"


def test_nobody_listens(machine: Machine) -> None:
    with pytest.raises(RigError) as refused:
        machine.logins.ask(f"http://127.0.0.1:{free_port()}")
    assert refused.value.code == "unreachable"


def test_what_is_kept_holds_no_more_than_it_must(server: AccountsServer, machine: Machine) -> None:
    machine.login(server.url)
    content = json.loads((Path(machine.home.tokens) / "local.json").read_text())
    assert set(content) == {"url", "access_token", "refresh_token", "expires_at"}
    assert files_with(Path(machine.home.data), content["access_token"]) == [Path(machine.home.tokens) / "local.json"]
