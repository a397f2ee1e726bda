"""Who changed which key of a network or an app, told from the record alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated, AppDeleted, AppLimited, AppScaled, AppScaleReset
from events.base import Fact
from events.config import SecretRef, SecretsChanged, VarsChanged
from events.network import NetworkCreated, NetworkDeleted
from handlers import config_history
from rig.contract.configuration import ConfigHistory, KeyHistory
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft
from storage.journal import Journal
from storage.replica import Replica
from tests.storage.records import Ports, context, open_record, replica_of
from tests.storage.support import stamp

APP = "demo/shop"


def happens(journal: Journal, stream: str, *facts: Fact, by: str = "user:ana") -> None:
    drafts = [Draft(stream=stream, fact=fact, target=stream.partition(":")[2]) for fact in facts]
    journal.append(drafts, stamp(by))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Journal]:
    """A platform on which somebody has set this and that."""
    with open_record(tmp_path / "node", "node") as journal:
        for network in ("demo", "demo-two"):
            happens(journal, f"network:{network}", NetworkCreated(name=network))
        happens(journal, f"app:{APP}", AppCreated(name=APP), VarsChanged(scope=APP, set={"A": "1", "B": "2"}))
        happens(journal, "network:demo", VarsChanged(scope="demo", set={"A": "0"}), by="user:bea")
        secret = SecretsChanged(scope=APP, set={"KEY": SecretRef(version=1, digest="d1")})
        happens(journal, f"app:{APP}", AppScaled(name=APP, scale={"web": 2}), secret, by="user:bea")
        changed = VarsChanged(scope=APP, set={"A": "3"}, removed=["B"], before={"A": "1", "B": "2"})
        happens(journal, f"app:{APP}", changed, AppScaleReset(name=APP, processes=["web"]))
        happens(journal, "network:demo-two", VarsChanged(scope="demo-two", set={"A": "other"}))
        yield journal


@pytest.fixture
def asked(node: Journal, tmp_path: Path) -> Iterator[Any]:
    """Asks a replica of it; the platform is away."""
    own = open_record(tmp_path / "own")
    replicas: list[Replica] = []

    def ask(target: str, **more: Any) -> KeyHistory:
        folder = tmp_path / f"replica-{len(replicas)}"
        folder.mkdir()
        replicas.append(replica_of(folder, node))
        ctx = context(own, Ports(folder, replicas[-1]))
        return config_history.handle(ConfigHistory(target=target, **more), ctx)

    yield ask
    for replica in replicas:
        replica.close()
    own.close()


def told(found: KeyHistory) -> list[tuple[str, str, str | None, str | None, str]]:
    return [(one.scope, one.key, one.before, one.after, one.by.removeprefix("user:")) for one in found.changes]


def test_an_app_from_its_first_value_to_its_last(asked: Any) -> None:
    found = asked(APP, show_values=True)
    assert told(found) == [
        (APP, "processes.web", "2", None, "ana"),
        (APP, "env.A", "1", "3", "ana"),
        (APP, "env.B", "2", None, "ana"),
        (APP, "secrets.KEY", None, "d1", "bea"),
        (APP, "processes.web", None, "2", "bea"),
        (APP, "env.A", None, "1", "ana"),
        (APP, "env.B", None, "2", "ana"),
    ]
    assert [one.change for one in found.changes][:4] == ["removed", "changed", "removed", "added"]
    assert (found.record, found.more) == ("observed", False)


def test_a_network_is_told_with_its_apps_and_no_other(asked: Any) -> None:
    found = asked("demo", key="A", show_values=True)
    assert told(found) == [
        (APP, "env.A", "1", "3", "ana"),
        ("demo", "env.A", None, "0", "bea"),
        (APP, "env.A", None, "1", "ana"),
    ]
    assert [one.scope for one in asked("demo-two").changes] == ["demo-two"]
    assert [one.key for one in asked("demo", key="processes.web").changes] == ["processes.web"] * 2


def test_limits_of_memory_are_told_as_they_are_written(node: Journal, asked: Any) -> None:
    happens(node, f"app:{APP}", AppLimited(name=APP, memory={"*": 512 << 20, "web": 0}))
    happens(node, f"app:{APP}", AppLimited(name=APP, memory={"*": 1 << 30}, before={"*": 512 << 20, "web": 0}))
    found = [(one.key, one.before, one.after) for one in asked(APP).changes][:4]
    assert found == [
        ("memory", "512M", "1G"),
        ("memory.web", "none", None),
        ("memory", None, "512M"),
        ("memory.web", None, "none"),
    ]


def test_values_of_variables_are_not_shown_unasked(asked: Any) -> None:
    found = asked(APP)
    hidden = [one for one in found.changes if one.key.startswith("env.")]
    assert {(one.before, one.after, one.redacted) for one in hidden} == {(None, None, True)}
    assert [one.change for one in hidden] == ["changed", "removed", "added", "added"]
    assert [one.after for one in found.changes if one.key == "processes.web"] == [None, "2"]


def test_what_there_is_too_much_of_says_so(asked: Any) -> None:
    assert (len(asked(APP, limit=2).changes), asked(APP, limit=2).more) == (2, True)
    assert not asked(APP, limit=7).more


def test_what_was_deleted_has_nothing_set_any_more(node: Journal, asked: Any) -> None:
    happens(node, f"app:{APP}", AppDeleted(name=APP), AppCreated(name=APP), VarsChanged(scope=APP, set={"A": "new"}))
    happens(node, "network:demo-two", NetworkDeleted(name="demo-two"))
    newest = told(asked(APP, show_values=True))[:3]
    assert newest == [
        (APP, "env.A", None, "new", "ana"),
        (APP, "env.A", "3", None, "ana"),
        (APP, "secrets.KEY", "d1", None, "ana"),
    ]
    assert told(asked("demo-two", show_values=True))[0] == ("demo-two", "env.A", "other", None, "ana")


def test_what_nobody_knows_of(asked: Any) -> None:
    for target in ("nowhere", "demo/nothing"):
        with pytest.raises(RigError) as refused:
            asked(target)
        assert refused.value.code == "not_found"


def test_without_a_replica_it_is_told_from_what_was_done_here(tmp_path: Path) -> None:
    with open_record(tmp_path / "own") as own:
        happens(own, f"app:{APP}", VarsChanged(scope=APP, set={"A": "1"}))
        ctx = context(own, Ports(tmp_path))
        found = config_history.handle(ConfigHistory(target=APP), ctx)
    assert (found.record, [one.key for one in found.changes]) == ("local", ["env.A"])
    assert "no replica" in ctx.warnings[0]
    assert msgspec.to_builtins(found)["changes"][0]["by"] == "user:ana"
