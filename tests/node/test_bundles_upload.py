"""A source folder travels to a node: real HTTP between the two, with faults."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession, web

from rig.cli.run import terminate
from rig.clients import upload as upload_module
from rig.clients.http import Answer, Body, HttpTransport
from rig.clients.source.listing import Listing, list_source
from rig.clients.upload import UploadResult, upload
from rig.contract.bundles import PACK_MAX, PART_SIZE, Ask
from rig.kernel.errors import RigError
from rig.node.bundles.http import add_routes
from rig.node.bundles.materialise import materialise
from rig.node.bundles.store import Store
from tests.support import TIMEOUT


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RigError as error:
        body = msgspec.json.encode(error.problem())
        headers = {"Retry-After": "0"} if error.kind.retryable else {}
        return web.Response(
            status=error.kind.status, body=body, headers=headers, content_type="application/problem+json"
        )


class Node:
    """The bundle routes of a node, served in a thread of their own. ``fault`` may raise for a request."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stores: dict[str, Store] = {}
        self.requests: list[str] = []
        self.fault: Callable[[str], None] = lambda leaf: None
        self.base = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._ready.wait(TIMEOUT)

    async def _serve(self) -> None:
        app = web.Application(middlewares=[problems])
        add_routes(app, self.store, self._authorize)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _authorize(self, request: web.Request, network: str) -> None:
        leaf = request.path.rpartition("/")[2]
        self.requests.append(leaf)
        if network == "forbidden":
            raise RigError("forbidden", "Not yours.")
        self.fault(leaf)

    def store(self, network: str) -> Store:
        if network not in self.stores:
            self.stores[network] = Store(self.root / network)
        return self.stores[network]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        for store in self.stores.values():
            store.close()

    def taken(self) -> list[str]:
        requests, self.requests = self.requests, []
        return requests


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "node")
    yield node
    node.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for n in range(300):
        path = root / f"d{n % 7}/e{n % 3}/file{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % n * 50)
    (root / "large").write_bytes(os.urandom(5 * PART_SIZE + 3))
    (root / "link").symlink_to("d0")
    return root


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(upload_module, "LONGEST_PAUSE", 0.0)


class Drawn:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.advances: list[tuple[int, int]] = []

    def step(self, text: str) -> None: ...
    def line(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        self.advances.append((done, total))


def send(node: Node, source: Path, network: str = "demo", progress: Drawn | None = None) -> UploadResult:
    transport = HttpTransport(node.base)
    try:
        return upload(transport, network, list_source(str(source)), progress)
    finally:
        transport.close()


def same_tree(one: Path, other: Path) -> bool:
    return list_source(str(one)).tree == list_source(str(other)).tree


def test_a_source_arrives_as_it_is(node: Node, source: Path, tmp_path: Path) -> None:
    drawn = Drawn()
    result = send(node, source, progress=drawn)
    listing = list_source(str(source))
    assert (result.bundle, result.files, result.bytes) == (listing.tree.bundle, 302, listing.bytes)
    materialise(node.store("demo"), result.bundle, tmp_path / "out")
    assert same_tree(source, tmp_path / "out")
    assert [done for done, _ in drawn.advances] == sorted(done for done, _ in drawn.advances)
    assert drawn.advances[-1] == (listing.bytes, listing.bytes)
    assert "negotiate" not in node.taken(), "an empty store need not be asked"


def test_names_that_are_odd_arrive_as_they_are(node: Node, tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "odd")
    deep = b"/".join([b"d" * 200] * 18)
    names = [
        b"a b",
        b"line\nbreak",
        b"\xff\xfe",
        b"-rf",
        b"*",
        b"n" * 255,
        "é".encode(),
        "e\u0301".encode(),
        deep + b"/x",
    ]
    for name in names:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name if name != b"a b" else b"")
    result = send(node, Path(os.fsdecode(root)))
    assert result.files == len(names)
    materialise(node.store("demo"), result.bundle, tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    for name in names:
        with open(os.path.join(out, name), "rb") as file:
            assert file.read() == (name if name != b"a b" else b"")
    assert same_tree(Path(os.fsdecode(root)), tmp_path / "out")


def test_nothing_changed_is_one_small_request(node: Node, source: Path) -> None:
    send(node, source)
    node.taken()
    assert send(node, source).sent < 100
    assert node.taken() == ["bundles"]


def test_one_changed_file_travels_alone(node: Node, source: Path, tmp_path: Path) -> None:
    send(node, source)
    node.taken()
    (source / "d1/e1/file1").write_text("changed")
    result = send(node, source)
    assert result.sent < 4000
    assert node.taken().count("packs") == 1
    materialise(node.store("demo"), result.bundle, tmp_path / "out")
    assert same_tree(source, tmp_path / "out")


def test_an_upload_that_was_cut_off_goes_on_where_it_stopped(
    node: Node, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rig.clients.pieces.PACK_BYTES", PART_SIZE)
    monkeypatch.setattr(upload_module, "THREADS", 1)
    packs = 0

    def cut(leaf: str) -> None:
        nonlocal packs
        packs += leaf == "packs"
        if packs > 3:
            raise RigError("forbidden", "Cut off.")

    node.fault = cut
    with pytest.raises(RigError, match="Cut off"):
        send(node, source)
    node.fault = lambda leaf: None
    node.taken()
    result = send(node, source)
    assert result.files == 302
    assert node.taken().count("packs") == 5, "three of eight were there"
    assert result.sent < 4 * PART_SIZE


def test_passing_failures_are_tried_again(node: Node, source: Path) -> None:
    failures = iter(["unavailable", "rate_limited", "", "unavailable", "", "unavailable", "unavailable"])

    def fail(leaf: str) -> None:
        code = next(failures, "")
        if code:
            raise RigError(code, "Not just now.")

    node.fault = fail
    assert send(node, source).files == 302


def test_a_failure_that_stays_ends_the_upload(node: Node, source: Path) -> None:
    def fail(leaf: str) -> None:
        if leaf == "packs":
            raise RigError("unavailable", "Disk full.")

    node.fault = fail
    with pytest.raises(RigError, match="Disk full") as caught:
        send(node, source)
    assert caught.value.code == "unavailable"


def test_a_login_that_ends_on_the_way_is_renewed(node: Node, source: Path) -> None:
    renewed = 0

    def token(fresh: bool) -> str:
        nonlocal renewed
        renewed += fresh
        return "token"

    seen = {"packs": 0}

    def expire(leaf: str) -> None:
        seen[leaf] = seen.get(leaf, 0) + 1
        if leaf == "packs" and seen["packs"] == 1:
            raise RigError("login_expired", "Ended.")
        if leaf == "negotiate" and not renewed:
            raise RigError("login_expired", "Ended.")

    node.fault = expire
    transport = HttpTransport(node.base, token)
    assert upload(transport, "demo", list_source(str(source))).files == 302
    assert renewed == 1
    transport.close()


def test_a_refusal_is_not_tried_again(node: Node, source: Path) -> None:
    with pytest.raises(RigError) as caught:
        send(node, source, network="forbidden")
    assert caught.value.code == "forbidden"
    assert node.taken() == ["bundles"]


class Terminating:
    """A transport in whose requests SIGTERM strikes."""

    requests = 0

    def request(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        self.requests += 1
        signal.raise_signal(signal.SIGTERM)
        raise RigError("unreachable", "The signal did not end the request.")


def test_a_signal_is_no_failure_to_try_again_after(source: Path) -> None:
    transport = Terminating()
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises(SystemExit) as ended:
            upload(transport, "demo", list_source(str(source)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ended.value.code, transport.requests) == (143, 1)


def test_a_platform_that_is_not_there(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "ATTEMPTS", 2)
    with pytest.raises(RigError) as caught:
        upload(HttpTransport("http://127.0.0.1:9"), "demo", list_source(str(source)))
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize("name", ["d0/e0/file0", "large"])
@pytest.mark.parametrize("how", ["same size", "shorter", "gone"])
def test_a_file_that_changed_since_it_was_listed_is_named(
    node: Node, source: Path, tmp_path: Path, name: str, how: str
) -> None:
    listing = list_source(str(source), cache_dir=str(tmp_path / "cache"))
    path = source / name
    content = path.read_bytes()
    changed = bytes([content[-1] ^ 1])
    path.write_bytes({"same size": content[:-1] + changed, "shorter": content[:-1], "gone": b""}[how])
    if how == "gone":
        path.unlink()
    with pytest.raises(RigError) as caught:
        upload(HttpTransport(node.base), "demo", listing)
    assert caught.value.code == "conflict"
    assert name in caught.value.message
    assert list((tmp_path / "cache").iterdir()) == [], "the cache is not to be believed any more"


def test_what_was_collected_in_between_is_sent_again(node: Node, source: Path) -> None:
    listing: Listing = list_source(str(source))

    class Forgetful:
        """Claims once that nothing is missing, as if it had been collected after the question."""

        def __init__(self) -> None:
            self.inner = HttpTransport(node.base)
            self.lied = False

        def request(
            self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
        ) -> tuple[int, Mapping[str, str], bytes]:
            status, answered, content = self.inner.request(method, path, body, headers)
            if path.endswith("/negotiate") and not self.lied:
                self.lied = True
                return 200, {}, msgspec.msgpack.encode({})
            return status, answered, content

    other = source.parent / "other"
    other.mkdir()
    (other / "a").write_text("so that the store is not empty")
    send(node, other)
    transport = Forgetful()
    assert upload(transport, "demo", listing).files == 302
    transport.inner.close()


def test_a_request_that_is_too_large_is_cut_off(node: Node) -> None:
    async def post(leaf: str, length: int) -> int:
        async with (
            ClientSession() as session,
            session.post(f"{node.base}/v1/networks/demo/bundles{leaf}", data=bytes(length)) as answer,
        ):
            return answer.status

    assert asyncio.run(post("/packs", PACK_MAX + 1)) == 413
    assert asyncio.run(post("/negotiate", 3 << 20)) == 413
    assert asyncio.run(post("", 5000)) == 413
    assert asyncio.run(post("", 10)) == 422
    assert asyncio.run(post("/negotiate", 10)) == 422
    assert asyncio.run(post("/packs", 10)) == 422


def test_a_platform_that_asks_for_what_was_not_offered(source: Path) -> None:
    class Greedy:
        def request(
            self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
        ) -> tuple[int, Mapping[str, str], bytes]:
            if path.endswith("/negotiate"):
                assert isinstance(body, bytes)
                msgspec.msgpack.decode(body, type=Ask)
                return 200, {}, msgspec.msgpack.encode({"directories": [7]})
            error = RigError("not_found", "Not whole.", lacking=1, empty=False)
            return 404, {}, msgspec.json.encode(error.problem())

    with pytest.raises(RigError, match="not offered"):
        upload(Greedy(), "demo", list_source(str(source)))
