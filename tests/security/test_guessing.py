"""Guessing passphrases, and what opens in a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.bootstrap import Client, user_settings
from rig.cli.ask import Terminal
from rig.cli.output import Output
from rig.cli.progress import progress_for
from rig.kernel.errors import RigError
from rig.node.accounts import throttle
from tests.accounts_server import AccountsServer, serve

GOOD = "correct horse battery staple"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AccountsServer]:
    with serve(tmp_path) as running:
        yield running


def log_in(server: AccountsServer, name: str, passphrase: str, src: str) -> None:
    code = server.accounts.ask_device("laptop", src, server.url).user_code
    try:
        server.accounts.approve(code, name, passphrase, src)
    finally:
        server.clock.pass_seconds(20)


def test_one_passphrase_cannot_be_tried_on_many_names(server: AccountsServer) -> None:
    link, _ = server.accounts.invite("bea", "*", "viewer", "user:ana")
    server.accounts.join(link.rpartition("/")[2], GOOD, "192.0.2.1")
    for n in range(throttle.PASSPHRASE_FROM.free + 1):
        with pytest.raises(RigError) as refused:
            log_in(server, f"person-{n}", "spring 2026!", "192.0.2.1")
        assert refused.value.code == "forbidden"
        if n % 10 == 0:
            # An account of one's own does not wash the slate clean.
            log_in(server, "bea", GOOD, "192.0.2.1")
    for n in range(20):
        server.clock.pass_seconds(-20)
        with pytest.raises(RigError) as refused:
            log_in(server, f"another-{n}", "spring 2026!", "192.0.2.1")
    assert refused.value.code == "rate_limited"
    log_in(server, "bea", GOOD, "192.0.2.2")


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("https://hello.demo.example.com/", True),
        ("http://hello.demo.localhost:8480", True),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("--new-window=x", False),
        ("/usr/bin/true", False),
        ("https://a b", False),
        ("https://a\x1b]0;x", False),
        ("https://a\n", False),
        ("", False),
    ],
)
def test_a_platform_opens_pages_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, opened: bool
) -> None:
    shown: list[str] = []

    def show(address: str) -> bool:
        shown.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", show)
    output, environ = Output(), {"RIG_HOME": str(tmp_path)}
    client = Client(
        settings=user_settings(environ=environ),
        progress=progress_for(output),
        terminal=Terminal(output, may_ask=False),
        environ=environ,
    )
    assert client.open_browser(url) is opened
    assert shown == ([url] if opened else [])
