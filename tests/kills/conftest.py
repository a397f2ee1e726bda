"""Machines on which something serves already."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.kills.machine")

from tests.kills.machine import Machine  # noqa: E402 - what it asserts is explained from here on


def serving(factory: pytest.TempPathFactory, isolation: str) -> Iterator[Machine]:
    """A machine that serves a first version of `demo/app`."""
    machine = Machine(factory.mktemp("machine"), isolation)
    try:
        machine.run_node()
        machine.ok("login")
        label = machine.change()
        machine.deploy(machine.source, "demo/app")
        machine.check(label)
        yield machine
    finally:
        machine.stop_everything()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The tests of a module share it; each deploys a version of its own."""
    yield from serving(tmp_path_factory, "none")


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The same with isolated apps, where they can be."""
    yield from serving(tmp_path_factory, "auto")
