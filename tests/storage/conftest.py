"""A journal of a few records, for tests of evidence; the life of an app, for those of its past; the two records of a
change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from events.app import AppCreated
from rig.kernel.ports import Stamp
from storage.journal import Journal
from storage.replica import Replica
from tests.storage.evidencing import COUNT
from tests.storage.lives import APP, Life
from tests.storage.records import Platform, Ports, context, open_record, replica_of
from tests.storage.support import START, FakeClock, completed, fill, open_journal, stamp


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Nine intents, a second apart, the last one ended."""
    fill(tmp_path, COUNT - 1)
    with open_journal(tmp_path, clock=FakeClock(START + (COUNT - 1) * 1_000_000_000)) as opened:
        opened.append([completed("command:0")], stamp())
        yield opened


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_record(tmp_path / "node", "node") as journal:
        life = Life(journal)
        life.happens(AppCreated(name=APP))
        yield life


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path / "own") as journal:
        yield journal


@pytest.fixture
def asked(life: Life, own: Journal, tmp_path: Path) -> Iterator[Any]:
    """Gives the context of a handler, with a replica of all that has happened by then; the platform is away."""
    replicas: list[Replica] = []

    def ask(asker: Stamp | None = None, platform: Platform | None = None) -> Any:
        folder = tmp_path / f"replica-{len(replicas)}"
        folder.mkdir()
        replicas.append(replica_of(folder, life.journal))
        return context(own, Ports(folder, replicas[-1], platform), asker)

    yield ask
    for replica in replicas:
        replica.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path) as journal:
        yield journal


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    with open_record(tmp_path / "node", "node") as journal:
        yield journal


@pytest.fixture
def replica(tmp_path: Path, node: Journal) -> Iterator[Replica]:
    """Of ``node``, empty."""
    replica = Replica(str(tmp_path / "replica.sqlite"), node.projections)
    yield replica
    replica.close()
