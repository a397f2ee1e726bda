"""Addresses and tokens that are none: said so, before anything is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import Record, run_rig
from tests.faults.server import Answer, FaultServer

ADDRESSES = [
    "http://localhost:99999",
    "http://localhost:abc",
    "http://localhost:80 80/",
    "http://127.0.0.1:0",
    "http://[::1",
    "http://",
    "ftp://max.example.com",
    "http://max.example.com",
    "https://user:secret@max.example.com",
    "https://max..example.com",
    f"https://{'m' * 64}.example.com",
    f"https://{'ü' * 64}.example.com",
]
TOKENS = ["two words", "a-newline\n", '"quoted"', "\u00fcmlaut", "\udcff"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RIG_CONTEXT", "RIG_OUTPUT", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RIG_HOME", str(tmp_path))
    monkeypatch.setenv("RIG_TOKEN", "token")
    return tmp_path


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(Answer(200, b"{}")) as server:
        yield server


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_URL", address)
    change = run_rig("create", "network", "demo", where="json")
    login = run_rig("login", address, "--token-stdin", where="json", stdin=b"token")
    for ended in (change, login):
        assert (ended.exit, ended.error["code"]) == (64, "usage"), ended
        assert ended.error["hint"]
    assert {record.outcome for record in Record(home).news()[1::2]} == {"failure"}


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_a_token_that_is_none(token: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIG_URL", server.url)
    monkeypatch.setenv("RIG_TOKEN", token)
    ended = run_rig("create", "network", "demo", where="json")
    assert (ended.exit, ended.error["code"]) == (4, "login_required"), ended
    assert token.strip() not in ended.stdout
    assert server.requests == []


def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at once: a name does not come into being while one waits."""
    monkeypatch.setenv("RIG_URL", "https://max.invalid")
    ended = run_rig("whoami", where="json")
    assert (ended.exit, ended.error["code"]) == (69, "unreachable")
    assert ended.error["hint"] == "Check the address and the network."
