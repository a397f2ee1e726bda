"""A node with a thousand apps: how what it does grows with their number. `python -m tests.bench.resources [APPS …]`.

Each size has a node of its own. It starts with a past that was written into its journal beforehand: ten releases and
ten variables for each app, and a network with as many variables as all of them together. What counts is the processor
time of the node, or of the whole command, so that what others do on the machine meanwhile is no part of it. The last
column says how a figure grows between the smallest size and the largest: n^1 is linear, n^0 stays the same.
"""

from __future__ import annotations

import http.client
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]

from events.app import AppCreated, AppStopped, DeployBuilt, DeployStarted, DeploySucceeded
from events.base import Fact
from events.command import CommandCompleted, CommandReceived
from events.config import Supplied, VarsChanged
from events.network import NetworkCreated
from rig.contract.project import AppConfig
from rig.kernel.ids import uuid7
from rig.kernel.ports import Draft, Stamp
from rig.node.builder.model import Build, BuildPaths, save_build
from rig.node.paths import NodePaths
from storage.journal import Journal
from storage.projections.audit import AuditProjection
from storage.projections.releases import ReleasesProjection
from tests.e2e.rig import User
from tests.support import wait_until

SIZES = (100, 300, 1_000)
RELEASES = 10
VARS = 10
CREATED = 100
"""Apps that are made through the API, one request each, when the others are there. It is the same number at each size,
so that the time for one should stay the same."""
ENOUGH = 0.25
"""Seconds of the processor that a figure stands on at least."""
BUILD = "0123456789abcdef0123"
TOLERANCE = 0.15
"""Of an exponent: processor time varies, by what else is in the caches say, and n log n is no worse than this."""


class Measured(msgspec.Struct):
    """One thing at every size: seconds of the processor, or bytes."""

    what: str
    values: list[float]
    unit: str = "ms"
    most: float = 1.0
    """The exponent that it should not exceed."""

    def growth(self, sizes: Sequence[int]) -> float:
        """The exponent of n between the smallest size and the largest."""
        return math.log(self.values[-1] / self.values[0]) / math.log(sizes[-1] / sizes[0])

    def row(self, sizes: Sequence[int]) -> str:
        """A row of a Markdown table."""
        shown = [
            f"{value * 1000:,.1f} ms" if self.unit == "ms" else f"{value / 2**20:,.1f} MiB" for value in self.values
        ]
        growth = self.growth(sizes)
        verdict = "" if growth <= self.most + TOLERANCE else f" (more than n^{self.most:g})"
        return f"| {self.what} | {' | '.join(shown)} | n^{growth:.2f}{verdict} |"


class Api:
    """Requests to a node by one connection, as a service does them."""

    def __init__(self, user: User, network: str) -> None:
        made = user.ok("create", "token", f"for-{network}", "--role", "deployer", "--network", network, "-o", "json")
        self._headers = {"Authorization": f"Bearer {made.data['token']}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", user.node.api_port, timeout=120)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        self._connection.request(method, path, msgspec.json.encode(body) if body else None, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {content.decode()}")
        return msgspec.json.decode(content)

    def pages(self, path: str, limit: int) -> int:
        """Ask for every page of a list; gives the number of pages."""
        after, count = "", 0
        while True:
            count += 1
            after = self("GET", f"{path}{'&' if '?' in path else '?'}limit={limit}&after={after}")["next"]
            if not after:
                return count


def past(home: Path, apps: int) -> None:
    """A journal in which ``apps`` apps were made, configured, deployed ten times each and stopped; and their builds."""
    paths = NodePaths(home / "node")
    pending: list[Draft] = []
    with Journal.open(paths.journal, origin="node", projections=(AuditProjection(), ReleasesProjection())) as journal:

        def flush() -> None:
            journal.append(pending, Stamp(id=uuid7(), actor="user:bench", at=time.time_ns()))
            pending.clear()

        def change(command: str, stream: str, target: str, *facts: Fact) -> None:
            own = f"command:{uuid7()}"
            pending.append(Draft(stream=own, fact=CommandReceived(command=command), target=target, outcome="unknown"))
            pending.extend(Draft(stream=stream, fact=fact, target=target) for fact in facts)
            pending.append(Draft(stream=own, fact=CommandCompleted(command=command), target=target))
            if len(pending) > 5_000:
                flush()

        change("network.create", "network:demo", "demo", NetworkCreated(name="demo"))
        change("network.create", "network:wide", "wide", NetworkCreated(name="wide"))
        wide = {f"V{number:05}": f"value {number:05}" for number in range(apps * VARS)}
        change("variables.change_network", "network:wide", "wide", VarsChanged(scope="wide", set=wide))
        for number in range(apps):
            name = f"demo/app{number:05}"
            facts = list(life(name))
            change("app.create", f"app:{name}", name, facts[0])
            for first in range(1, len(facts), 3):
                change("deploy", f"app:{name}", name, *facts[first : first + 3])
            at = BuildPaths(paths.app(name), BUILD)
            at.root.mkdir(parents=True)
            place = str(at.source)
            build = Build(id=BUILD, builder="procfile", isolation="none", place=place, processes={"web": "true"})
            save_build(build, at)
        flush()


def life(name: str) -> Iterator[Fact]:
    """What happened to one app."""
    variables = {f"NAME_{number}": f"value {number} of {name}" for number in range(VARS)}
    config: dict[str, Any] = msgspec.to_builtins(AppConfig())
    yield AppCreated(name=name)
    for version in range(1, RELEASES + 1):
        yield DeployStarted(
            app=name,
            version=version,
            bundle=f"{version:064x}",
            config=config,
            source={"commit": f"{version:040x}", "branch": "main", "subject": "A change"},
            message="A change",
            changed=["source"],
            previous=version - 1,
            isolation="none",
            supplied=Supplied(vars={"app": variables}),
        )
        yield DeployBuilt(app=name, version=version, build=BUILD, processes={"web": "true"})
        yield DeploySucceeded(app=name, version=version, bundle=f"{version:064x}", url="http://localhost")
    yield VarsChanged(scope=name, set=variables)
    yield AppStopped(name=name)


def spent(work: Callable[[], object], node: psutil.Process) -> float:
    """Processor time that the node takes for it. It is told in hundredths of a second, so the work is repeated."""
    times = 1
    while True:
        before = processor_time(node)
        for _ in range(times):
            work()
        took = processor_time(node) - before
        if took >= ENOUGH:
            return took / times
        times *= 2


def processor_time(process: psutil.Process) -> float:
    """What it has taken so far, in seconds."""
    user, system, *_ = process.cpu_times()
    return float(user + system)


def commanded(user: User, *arguments: str) -> float:
    """Processor time of a whole command, the least of a few."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        user.ok(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


Value = tuple[str, float, str, float]
"""What, how much, the unit, and the exponent that it should not exceed."""


def measure(folder: Path, apps: int) -> Iterator[Value]:
    """Everything, on one node with so many apps."""
    user = User(folder / "home")
    user.home.mkdir(parents=True)
    past(user.home, apps)
    try:
        user.start_node("--isolation", "none")
        node = psutil.Process(user.node.pid)
        yield "node start, with such a journal", processor_time(node), "ms", 1
        yield "memory of the node, started", node.memory_info().rss, "MiB", 1
        api, wide = Api(user, "demo"), Api(user, "wide")

        def asked(path: str) -> Callable[[], object]:
            return lambda: api("GET", path)

        yield "one app", spent(asked("/v1/apps/demo/app00050"), node), "ms", 0
        yield "one page of 100 apps", spent(asked("/v1/apps?limit=100"), node), "ms", 0
        yield "all apps, in pages of 100", spent(lambda: api.pages("/v1/apps", 100), node), "ms", 1
        some = "/v1/apps?limit=100&filter=name%3Dapp0*7"
        yield "apps by a filter", spent(asked(some), node), "ms", 1
        yield "status of the network", spent(asked("/v1/networks/demo/status"), node), "ms", 1
        yield "status of one app", spent(asked("/v1/apps/demo/app00050/status"), node), "ms", 0
        yield "variables of one app", spent(asked("/v1/apps/demo/app00050/variables"), node), "ms", 0
        pages = lambda: wide.pages("/v1/networks/wide/variables", 100)  # noqa: E731
        yield "all variables of a network with 10 n, in pages of 100", spent(pages, node), "ms", 1
        yield from commands(user, folder)
        began = processor_time(node)
        for number in range(CREATED):
            api("POST", "/v1/apps", {"app": f"demo/new{number:05}"})
        yield "one more app", (processor_time(node) - began) / CREATED, "ms", 0
        began = processor_time(node)
        user.ok("node", "gc", "--dry-run")
        yield "looking for garbage", processor_time(node) - began, "ms", 1
        began = processor_time(node)
        user.ok("delete", "network", "demo", "--cascade", "--yes")
        wait_until(lambda: not left(user), "the apps are taken down", 120)
        yield "deleting the network with its apps", processor_time(node) - began, "ms", 1
    finally:
        user.stop_everything()


def left(user: User) -> list[Path]:
    """The folders of apps that are still there."""
    return list((user.home / "node" / "networks" / "demo" / "apps").glob("*"))


def commands(user: User, folder: Path) -> Iterator[Value]:
    """Whole commands, as somebody types them."""
    for arguments in (
        ("list", "apps", "--network", "demo", "--limit", "1000"),
        ("list", "apps", "--network", "demo", "--filter", "name=app0*7", "--limit", "1000"),
        ("status", "network", "demo"),
        ("list", "vars", "--network", "wide"),
    ):
        yield f"`rig {' '.join(arguments)}`", commanded(user, *arguments), "ms", 1
    file = folder / "max.toml"
    yield "`rig config export demo`", commanded(user, "config", "export", "demo"), "ms", 1
    file.write_text(user.ok("config", "export", "demo").stdout)
    yield "`rig config diff`", commanded(user, "config", "diff", str(file)), "ms", 1


def report(folder: Path, sizes: Sequence[int] = SIZES) -> None:
    """Measure everything at each size, and print the table."""
    found: dict[str, Measured] = {}
    for size in sizes:
        for what, value, unit, most in measure(folder / str(size), size):
            found.setdefault(what, Measured(what, [], unit, most)).values.append(value)
    print(f"| what | {' | '.join(f'{size:,} apps' for size in sizes)} | grows with |")
    print(f"|---|{'---|' * len(sizes)}---|")
    for measured in found.values():
        print(measured.row(sizes), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        report(Path(name), [int(size) for size in sys.argv[1:]] or SIZES)
