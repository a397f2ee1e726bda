"""A real HTTP server with the node's accounts, on an ephemeral loopback port, with a clock that a test can move."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from events.base import Fact
from rig.contract.accounts import Account, TokenPair
from rig.kernel.errors import RigError
from rig.node.accounts.accounts import Accounts
from rig.node.accounts.http import add_routes, authenticate
from rig.node.accounts.passphrases import Scrypt
from rig.node.accounts.store import Store
from rig.node.http.origin import Origin
from tests.support import TIMEOUT

CHEAP = Scrypt(n=1 << 8, r=8, p=1)
SECRET = "s" * 43
SECOND = 1_000_000_000


class HandClock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.at = 1_780_000_000 * SECOND

    def now(self) -> int:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


class Ledger:
    """Keeps what accounts put on the record; ``broken`` makes it refuse, as a full disk does."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.entries: list[dict[str, Any]] = []
        self.broken = False

    def __call__(self, *, stream: str, fact: Fact, target: str, outcome: str, actor: str, src: str) -> None:
        if self.broken:
            raise RigError("journal_unavailable", "The disk is full.")
        self.facts.append(fact)
        self.entries.append({"stream": stream, "target": target, "outcome": outcome, "actor": actor, "src": src})


class AccountsServer:
    """``url`` is the base address; ``accounts``, ``clock`` and ``ledger`` are the live parts behind it."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self.clock = HandClock()
        self.ledger = Ledger()
        self.refreshes = 0
        self.accounts = Accounts(
            Store(folder / "credentials.sqlite"),
            owner="ana",
            secret=SECRET,
            url=lambda: self.url,
            record=self.ledger,
            clock=self.clock,
            cost=CHEAP,
        )

        self._refresh = self.accounts.refresh
        self.accounts.refresh = self._count_refresh  # type: ignore[method-assign]

    def _count_refresh(self, token: str, src: str) -> TokenPair:
        self.refreshes += 1
        return self._refresh(token, src)

    def application(self) -> web.Application:
        async def account(request: web.Request) -> web.Response:
            try:
                who = await authenticate(request, self.accounts)
            except RigError as error:
                return web.Response(
                    status=error.kind.status,
                    body=msgspec.json.encode(error.problem()),
                    content_type="application/problem+json",
                )
            body = Account(actor=who.actor, name=who.name, owner=who.owner, roles=who.roles)
            return web.Response(body=msgspec.json.encode(body), content_type="application/json")

        app = web.Application()
        add_routes(app, self.accounts, Origin("the edge's own"))
        app.router.add_get("/v1/account", account)
        return app


@contextmanager
def serve(folder: Path) -> Iterator[AccountsServer]:
    """The server, in a thread of its own, until the block ends."""
    server = AccountsServer(folder)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        runner = web.AppRunner(server.application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    def in_thread() -> None:
        loop.run_until_complete(run())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=in_thread)
    thread.start()
    assert ready.wait(TIMEOUT)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT)
        server.accounts.close()
