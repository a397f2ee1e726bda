"""Machines on which something serves already."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.kills.machine import Machine

FAILED = pytest.StashKey[bool]()
"""Of a test: whether it has failed, be it while it was set up."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


class Stock:
    """The machines that the tests of a module share: one without isolation, one with isolated apps.

    What a failed test leaves is not what the next one is about: that one gets a new machine.
    """

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._machines: dict[str, Machine] = {}

    def lend(self, isolation: str, item: pytest.Item) -> Iterator[Machine]:
        """For one test, a machine that serves a version of `demo/app`."""
        if isolation not in self._machines:
            self._machines[isolation] = self._made(isolation)
        yield self._machines[isolation]
        if item.stash.get(FAILED, False):
            self._machines.pop(isolation).destroy()

    def _made(self, isolation: str) -> Machine:
        machine = Machine(self._factory.mktemp("machine"), isolation)
        try:
            machine.run_node()
            machine.ok("login")
            label = machine.change()
            machine.deploy(machine.source, "demo/app")
            machine.check(label)
        except BaseException:
            machine.destroy()
            raise
        return machine

    def close(self) -> None:
        for machine in self._machines.values():
            machine.stop_everything()


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    stock = Stock(tmp_path_factory)
    yield stock
    stock.close()


@pytest.fixture
def machine(stock: Stock, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The tests of a module share it; each deploys a version of its own."""
    yield from stock.lend("none", request.node)


@pytest.fixture
def isolated(stock: Stock, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The same with isolated apps, where they can be."""
    yield from stock.lend("auto", request.node)
