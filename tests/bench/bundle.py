"""Listing, hashing and sending a source of 20 000 files and 100 MB, against what people would use instead."""

from __future__ import annotations

import gc
import itertools
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from rig.__main__ import COLLECT_AFTER
from rig.clients.http import Answer, Body
from rig.clients.source.listing import Listing, list_source
from rig.clients.upload import upload
from rig.contract.bundles import Bundle
from rig.contract.errors import Problem
from tests.bench.harness import Figure, Work, command, compare, peak_memory, processor_seconds, seconds
from tests.bench.relay import Relay
from tests.e2e.rig import RIG, User

FILES = 20_000
BYTES = 100_000_000


def make_tree(root: Path, files: int = FILES, size: int = BYTES) -> Path:
    """A source tree of pseudo-random text, the same at every call."""
    generator = random.Random(20_000)
    words = [generator.randbytes(6).hex() for _ in range(4096)]
    each = size // files
    for number in range(files):
        folder = root / f"pkg{number // 500:03d}" / f"mod{number // 50 % 10}"
        if number % 50 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        text = " ".join(generator.choices(words, k=each // 13 + 1))
        (folder / f"file{number}.txt").write_text(text[:each])
    (root / "index.html").write_text("<h1>big</h1>")
    return root


class Nowhere:
    """A platform that has nothing at first, and forgets what it is sent."""

    def __init__(self, listing: Listing) -> None:
        self._bundle = Bundle(bundle=listing.tree.bundle, files=listing.files, bytes=listing.bytes)
        self._asked = False

    def request(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> Answer:
        if path.endswith("/packs"):
            assert body is not None
            for _ in body:
                pass
            return 200, {}, b""
        if self._asked:
            return 200, {}, msgspec.json.encode(self._bundle)
        self._asked = True
        nothing = Problem(title="", status=404, code="not_found", details={"lacking": 1, "empty": True})
        return 404, {}, msgspec.json.encode(nothing)


def pack_all(source: Path) -> None:
    """What `rig deploy` does to send a source to a platform that has nothing of it, less the sending."""
    gc.set_threshold(COLLECT_AFTER)  # as in a process of its own
    listing = list_source(str(source))
    upload(Nowhere(listing), "demo", listing)


def figures(user: User, folder: Path) -> Iterator[Figure]:
    """First time, nothing changed, one file changed: time, bytes on the wire and memory."""
    source = make_tree(folder / "source")
    copy = folder / "copy"
    cache = user.home / "cache"
    survey = command(
        [RIG, "deploy", str(source), "--app", "demo/big", "--dry-run", "--quiet", "-q", "bundle"], env=user.environ
    )

    def cold() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        survey()

    def pack() -> None:
        archive = subprocess.Popen(["tar", "-cf", "-", "-C", str(source), "."], stdout=subprocess.PIPE)
        subprocess.run(["zstd", "-3", "-q", "-c"], stdin=archive.stdout, stdout=subprocess.DEVNULL, check=True)
        archive.wait()

    yield compare(
        "list and hash 100 MB in 20 000 files, nothing cached",
        cold,
        pack,
        peer_name="tar \\| zstd -3",
        budget="≤ 1.5 ×",
        runs=3,
    )
    yield compare(
        "list, hash and pack the same: processor time",
        lambda: pack_all(source),
        pack,
        peer_name="tar \\| zstd -3",
        budget="≤ 1.5 ×",
        runs=5,
        measure=processor_seconds,
    )
    networks = itertools.count()

    def send() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        user.deploy(source, f"first{next(networks)}/big", "--detach")

    yield compare(
        "list, hash, pack and send the same, whole command: processor time",
        send,
        pack,
        peer_name="tar \\| zstd -3",
        budget="",
        runs=3,
        measure=processor_seconds,
    )
    subprocess.run(["rsync", "-a", f"{source}/", str(copy)], check=True)
    yield compare(
        "nothing changed: decide so, whole command",
        survey,
        command(["rsync", "-a", f"{source}/", str(copy)]),
        peer_name="rsync -a",
        budget="≤ 3 ×",
        runs=7,
    )
    first = seconds(lambda: user.deploy(source, "demo/big"))
    yield Figure(what="20 000 files, 100 MB: first deploy to served, as a static site", ours=first)
    changed = source / "pkg003" / "mod4" / "file1700.txt"
    changed.write_text(changed.read_text() + " one more word\n")
    os.sync()
    with Relay(user.node.api_port) as relay:
        token = json.loads((user.home / "tokens" / "local.json").read_text())["access_token"]
        away = User(user.home, {"RIG_URL": relay.url, "RIG_TOKEN": token})
        away.deploy(source, "demo/big", "--detach")
    stats = subprocess.run(
        ["rsync", "-az", "--stats", f"{source}/", str(copy)], check=True, capture_output=True, text=True
    ).stdout
    wire = sum(
        int(line.split(":")[1].replace(",", "")) for line in stats.splitlines() if line.startswith("Total bytes")
    )
    yield Figure(
        what="one file in 20 000 changed: bytes on the wire, both ways, HTTP included",
        ours=relay.up + relay.down,
        peer=wire,
        peer_name="rsync -az",
        budget="≤ 1.0 ×",
        unit="bytes",
    )
    numbers = itertools.count()

    def change(work: Work) -> Work:
        def run() -> None:
            changed.write_text(changed.read_text() + f" word {next(numbers)}\n")
            work()

        return run

    yield compare(
        "one file in 20 000 changed: built and served, against copied",
        change(lambda: user.deploy(source, "demo/big", "--lock-wait", "60")),
        change(command(["rsync", "-az", f"{source}/", str(copy)])),
        peer_name="rsync -az",
        budget="",
        runs=3,
    )
    shutil.rmtree(cache)
    argv: list[str | Path] = [RIG, "deploy", str(source), "--app", "another/big", "--create", "--quiet"]
    yield Figure(
        what="peak memory of `rig deploy` of 100 MB in 20 000 files, all of it sent",
        ours=peak_memory(argv, user.environ),
        budget="< 50 MB",
        unit="MB",
    )


def large_figures(user: User, folder: Path) -> Iterator[Figure]:
    """Memory does not grow with the source: 1 GB in ten files, sent whole."""
    source = folder / "large"
    source.mkdir()
    (source / "index.html").write_text("<h1>large</h1>")
    generator = random.Random(1)
    block = generator.randbytes(1 << 20)
    for number in range(10):
        with (source / f"part{number}.bin").open("wb") as file:
            for repeat in range(100):
                # No two blocks are alike, so that all of it has to travel.
                file.write(bytes([number, repeat]) + block[2:])
    argv: list[str | Path] = [RIG, "deploy", str(source), "--app", "demo/large", "--create", "--quiet"]
    yield Figure(
        what="peak memory of `rig deploy` of 1 GB, all of it sent",
        ours=peak_memory(argv, user.environ),
        budget="< 50 MB",
        unit="MB",
    )


def deploy_figures(user: User, folder: Path) -> Iterator[Figure]:
    """A small Flask app, from the command to the page: first, one line changed, unchanged."""
    from tests.e2e.rig import example

    source = example("hello-python", folder)
    yield Figure(what="hello-python, first deploy to served", ours=seconds(lambda: user.deploy(source, "demo/flask")))
    times = []
    page = source / "templates" / "index.html"
    for number in range(5):
        page.write_text(page.read_text().replace("<h1>", f"<h1>{number}"))
        times.append(seconds(lambda: user.deploy(source, "demo/flask")))
    yield Figure(
        what="hello-python, one-line change to served", ours=sorted(times)[2], budget="≤ 0.5 × piku's 2.3–3.3 s"
    )
    again = sorted(seconds(lambda: user.deploy(source, "demo/flask")) for _ in range(5))[2]
    yield Figure(what="hello-python, unchanged", ours=again)
