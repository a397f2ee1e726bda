"""login, logout, whoami, context and settings: through the real bus and journal, against a real server."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rig.clients.contexts import FileContexts
from rig.clients.home import find_home
from rig.clients.http import HttpTransport, Patience
from rig.clients.keychain import Vault
from rig.clients.logins import ClientLogins, piped_text
from rig.clients.oauth import OAuth
from rig.clients.platform import HttpPlatform
from rig.clients.settings import FileSettings
from rig.clients.tokens import Tokens
from rig.contract.accounts import (
    Account,
    ContextList,
    ContextRow,
    DeviceAuthorization,
    ListContexts,
    LoggedIn,
    Login,
    Logout,
    UseContext,
    Whoami,
)
from rig.contract.base import Command, Done, Reply
from rig.contract.node import NodeState
from rig.contract.replica import RegisterJournal
from rig.contract.settings import GetSetting, ListSettings, SetSetting, SettingList, SettingValue
from rig.kernel.bus import Bus
from rig.kernel.errors import RigError
from rig.kernel.ids import SystemClock, uuid7
from rig.kernel.ports import Stamp
from rig.kernel.processes import start_time
from storage.journal import Journal
from tests.accounts_server import SECRET, AccountsServer, serve
from tests.support import Silence

GOOD = "correct horse battery"


class Terminal:
    """Somebody at a terminal; ``said`` is what they saw."""

    def __init__(self) -> None:
        self.interactive = True
        self.said: list[str] = []

    def agree(self, question: str, *, default: bool = False) -> bool:
        return default

    def note(self, text: str) -> None:
        self.said.append(text)

    def tell(self, text: str) -> None:
        self.said.append(text)


class Rig:
    """The ports of a handler, as the composition root puts them together; each command gets a new set."""

    def __init__(self, folder: Path, server: AccountsServer | None = None) -> None:
        self.folder, self.server = folder, server
        self.terminal = Terminal()
        self.journal = Journal.open(folder / "journal.sqlite", origin="client")
        self.environ: dict[str, str] = {}
        self.stdin = b""
        self.explicit = ""
        self.pages: list[str] = []
        self.browser_works = True
        self.performed: list[Command] = []
        self.warnings: list[str] = []
        self.replica = None
        self._assemble()

    def _assemble(self) -> None:
        self.home = find_home({"RIG_HOME": str(self.folder)})
        self.settings = FileSettings(self.home.settings, self.environ)
        self.contexts = FileContexts(self.home, self.settings, self.environ, self.explicit)
        vault = Vault(self.home, keychain=False, note=self.terminal.note)
        self.tokens = Tokens(self.home, self.contexts, vault, self.environ, self._oauth, SystemClock())
        self.logins = ClientLogins(
            self.home, self.contexts, self.tokens, self._oauth, host="laptop", stdin=lambda: io.BytesIO(self.stdin)
        )

    def _oauth(self, url: str, patience: Patience | None = None, /) -> OAuth:
        def sleep(seconds: float) -> None:
            assert self.server
            self.server.clock.pass_seconds(seconds)

        return OAuth(HttpTransport(url), sleep)

    @property
    def platform(self) -> HttpPlatform:
        context = self.contexts.current()
        return HttpPlatform(HttpTransport(context.url, lambda renew: self.tokens.access_token(context, renew)))

    @property
    def platform_on_the_way(self) -> HttpPlatform:
        return self.platform

    def open_browser(self, url: str) -> bool:
        self.pages.append(url)
        return self.browser_works

    def perform(self, command: Command) -> Reply:
        self.performed.append(command)
        return Done(target="")

    def run(self, command: Command) -> Any:
        self._assemble()
        bus: Bus[Any] = Bus(self.journal, self, Silence(), handlers="handlers")
        stamp = Stamp(id=uuid7(), actor="os:ana", at=SystemClock().now())
        reply, self.warnings = bus.dispatch(command, stamp)
        return reply

    def fails(self, command: Command) -> RigError:
        with pytest.raises(RigError) as refused:
            self.run(command)
        return refused.value

    def start_node(self, api: str, pid: int) -> None:
        node = self.folder / "node"
        node.mkdir(exist_ok=True)
        state = NodeState(pid=pid, started=start_time(os.getpid()), version="0", api=api)
        (node / "node.json").write_bytes(msgspec.json.encode(state))
        (node / "bootstrap.secret").write_text(SECRET + "\n")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AccountsServer]:
    with serve(tmp_path / "server") as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path, server: AccountsServer) -> Iterator[Rig]:
    rig = Rig(tmp_path / "home", server)
    yield rig
    rig.journal.close()


def join(server: AccountsServer) -> None:
    link, _ = server.accounts.invite("bea", "*", "deployer", "user:ana")
    server.accounts.join(link.rpartition("/")[2], GOOD, "")


def approving(rig: Rig, server: AccountsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody approves as soon as the code is shown."""
    real = ClientLogins.ask

    def ask(self: ClientLogins, url: str) -> DeviceAuthorization:
        asked = real(self, url)
        server.accounts.approve(asked.user_code, "bea", GOOD, "")
        return asked

    monkeypatch.setattr(ClientLogins, "ask", ask)


def test_the_node_of_this_machine_asks_nothing(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    reply = rig.run(Login())
    assert isinstance(reply, LoggedIn)
    assert (reply.context, reply.url, reply.account.owner, reply.store) == ("local", server.url, True, "file")
    assert rig.pages == []
    who = rig.run(Whoami())
    assert isinstance(who, Account)
    assert who.actor == "user:ana"
    again = rig.run(Login(url=server.url + "/"))
    assert again.context == "local"
    assert len(rig.contexts.all()) == 1


def test_a_node_that_does_not_run(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, 2**22 + 1)
    error = rig.fails(Login())
    assert (error.code, error.exit, error.hint) == ("unreachable", 69, "Start it: `rig node start`.")


def test_an_address_where_nothing_listens(rig: Rig) -> None:
    error = rig.fails(Login(url="http://127.0.0.1:1"))
    assert error.code == "unreachable"
    assert error.message == "http://127.0.0.1:1 cannot be reached: Connection refused."


def test_without_a_node_and_a_context_one_is_told_how_to_begin(rig: Rig) -> None:
    error = rig.fails(Login())
    assert error.code == "login_required"
    assert "rig node start" in error.hint


def test_a_login_in_the_browser(rig: Rig, server: AccountsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    join(server)
    approving(rig, server, monkeypatch)
    reply = rig.run(Login(url=server.url, name="team"))
    assert (reply.context, reply.account.name) == ("team", "bea")
    assert len(rig.pages) == 1
    assert rig.pages[0].startswith(f"{server.url}/device?user_code=")
    assert "Your code is" in rig.terminal.said[0]
    assert f"{server.url}/device" in rig.terminal.said[0]


@pytest.mark.parametrize("how", ["--no-browser", "no terminal"])
def test_a_login_without_a_browser_prints_where_to_go(
    rig: Rig, server: AccountsServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    join(server)
    approving(rig, server, monkeypatch)
    rig.terminal.interactive = how != "no terminal"
    assert rig.run(Login(url=server.url, browser=how != "--no-browser")).context == "127.0.0.1"
    assert rig.pages == []
    assert f"{server.url}/device" in rig.terminal.said[0]


def test_a_token_from_standard_input(rig: Rig, server: AccountsServer) -> None:
    pair = server.accounts.bootstrap(SECRET, "ci", "")
    rig.stdin = pair.access_token.encode() + b"\n"
    reply = rig.run(Login(url=server.url, token_stdin=True))
    assert reply.account.name == "ana"
    assert rig.run(Whoami()).name == "ana"
    assert rig.run(Logout()).message.startswith("Logged out")
    assert server.accounts.principal(pair.access_token).name == "ana", (
        "a token that was given to rig is not rig's to end"
    )
    rig.stdin = b"rig_at." + b"x" * 43
    assert rig.fails(Login(url=server.url, token_stdin=True)).exit == 4
    assert rig.contexts.find("127.0.0.1").store == "none"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "invalid_data"), (b"\n", "invalid_data"), (b"a b", "invalid_data"), (b"a\n\n", "invalid_data"),
     (b"\xff", "invalid_data"), (b"x" * 9000, "too_large")],
)  # fmt: skip
def test_what_is_no_token_is_refused(rig: Rig, server: AccountsServer, content: bytes, code: str) -> None:
    rig.stdin = content
    assert rig.fails(Login(url=server.url, token_stdin=True)).code == code
    assert rig.contexts.all() == []


@pytest.mark.parametrize(("content", "text"), [(b"s", "s"), (b"s\n", "s"), (b"s\r\n", "s"), (b" s\n\n", " s\n")])
def test_one_newline_at_the_end_does_not_count(content: bytes, text: str) -> None:
    assert piped_text(io.BytesIO(content)) == text


@pytest.mark.parametrize(("content", "code"), [(b"s" * 8193, "too_large"), (b"\xff", "invalid_data")])
def test_what_is_piped_in_place_of_a_token_is_refused_with_what_to_do(content: bytes, code: str) -> None:
    with pytest.raises(RigError) as refused:
        piped_text(io.BytesIO(content))
    assert (refused.value.code, "alone" in refused.value.hint) == (code, True)


def test_logging_in_makes_the_journal_known(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    rig.run(Login())
    info = rig.journal.info()
    assert rig.performed == [RegisterJournal(origin=info.origin, key=info.verifier)]


def test_a_login_that_the_environment_overrides_says_so(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    rig.environ = {"RIG_URL": "https://ci.example.com", "RIG_TOKEN": "t"}
    rig.run(Login(url=server.url))
    assert "RIG_URL" in rig.warnings[0]
    assert rig.performed == []


def test_logging_out_and_asking_who_one_is(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    rig.run(Login())
    assert rig.run(Logout()).target == "local"
    assert rig.run(Logout(name="local")).message.startswith("You were not logged in")
    error = rig.fails(Whoami())
    assert (error.exit, error.hint) == (4, "Log in again: `rig login`.")
    assert rig.run(Login(name="local")).context == "local"
    assert rig.run(Whoami()).name == "ana"


def test_contexts(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    assert rig.run(ListContexts()) == ContextList(contexts=[])
    assert rig.warnings == []
    rig.run(Login())
    rig.run(Login(name="other"))
    listed = rig.run(ListContexts())
    assert [(row.name, row.current) for row in listed.contexts] == [("local", False), ("other", True)]
    used = rig.run(UseContext(name="local", network="demo"))
    assert isinstance(used, ContextRow)
    assert (used.name, used.network, used.current) == ("local", "demo", True)
    assert rig.settings.path == str(rig.folder / "settings.toml")
    assert rig.fails(UseContext(name="locla")).hint == "Did you mean `local`?"
    rig.environ = {"RIG_CONTEXT": "other"}
    assert rig.run(UseContext(name="local")).current is False
    assert "RIG_CONTEXT" in rig.warnings[0]
    rig.environ, rig.explicit = {}, "other"
    assert rig.run(Login()).context == "other", "what --context names is renewed"


def test_settings(rig: Rig) -> None:
    listed = rig.run(ListSettings(origin=True))
    assert isinstance(listed, SettingList)
    assert listed.file == str(rig.folder / "settings.toml")
    assert rig.run(SetSetting(key="output", value="json")).origin == "file"
    assert rig.run(GetSetting(key="output")).value == "json"
    rig.environ = {"RIG_OUTPUT": "csv"}
    kept = rig.run(SetSetting(key="output", value="yaml"))
    assert isinstance(kept, SettingValue)
    assert kept.value == "csv"
    assert "RIG_OUTPUT has the last word" in rig.warnings[0]
    assert rig.fails(SetSetting(key="context", value="nowhere")).code == "not_found"
    assert rig.fails(GetSetting(key="outptu")).hint == "Did you mean `output`?"


def test_no_secret_enters_the_journal(rig: Rig, server: AccountsServer) -> None:
    pair = server.accounts.bootstrap(SECRET, "ci", "")
    rig.stdin = pair.access_token.encode()
    rig.start_node(server.url, os.getpid())
    rig.run(Login(url=server.url, token_stdin=True))
    rig.run(Login())
    rig.run(Whoami())
    rig.run(Logout())
    content = (rig.folder / "journal.sqlite").read_bytes()
    assert b"account.login" in content
    for secret in (SECRET, pair.access_token, "rig_at.", "rig_rt."):
        assert secret.encode() not in content


def test_logins_at_once_on_one_home_lose_nothing(rig: Rig, server: AccountsServer) -> None:
    rig.start_node(server.url, os.getpid())
    names = [f"c{number}" for number in range(6)]
    rigs = [Rig(rig.folder, server) for _ in names]
    threads = [
        threading.Thread(target=one.run, args=(Login(name=name),)) for one, name in zip(rigs, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in rigs:
        one.journal.close()
    rig._assemble()
    assert [context.name for context in rig.contexts.all()] == names
    for context in rig.contexts.all():
        assert rig.tokens.access_token(context)
