"""What `rig config apply` asks before it does anything, what it sends, and what is on the record afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from events.network import NetworkConfigured
from handlers import apply_config
from handlers.planning import missing_secrets, plan
from rig.contract.configuration import (
    ApplyConfig,
    ApplyNetworkConfig,
    AppTable,
    ConfigApplied,
    Configuration,
    NetworkConfig,
)
from rig.contract.networks import Drifted
from rig.kernel.configuration import compare
from rig.kernel.context import Context
from rig.kernel.errors import RigError, declined
from rig.kernel.ports import Stamp
from tests.support import Silence

SHOP = Configuration(network="demo", apps={"shop": AppTable(env={"A": "1"}, processes={"web": 3})})
FEWER = Configuration(network="demo", apps={"shop": AppTable(env={"A": "1"}, processes={"web": 1})})
WANTED = {"apps.shop.processes.web": 3}


class Somebody:
    """A terminal, and the platform behind it."""

    def __init__(self, file: Configuration, now: NetworkConfig, word: str | None) -> None:
        self.file, self.now, self.word = file, now, word
        self.platform = self.terminal = self
        self.sent: list[ApplyNetworkConfig] = []
        self.asked = ""
        self.interactive = word is not None
        self.told: list[str] = []
        self.tell = self.told.append

    def configuration(self, path: str) -> Configuration:
        return self.file

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        self.asked = f"{question} {word}"
        if self.word is None:
            raise RigError("input_required", question, f"Say it with `{flag}`.")
        if self.word != word:
            raise declined()

    def call(self, command: Any, reply: type, *, key: str = "", corr: str = "") -> Any:
        if reply is NetworkConfig:
            return self.now
        self.sent.append(command)
        return ConfigApplied(network="demo", changes=1)


def applied(file: Configuration, now: NetworkConfig, word: str | None = None, **flags: bool) -> tuple[Somebody, Any]:
    ports = Somebody(file, now, word)
    journal: Any = Recorder()
    progress: Any = Silence()
    ctx: Any = Context(Stamp(id="1", actor="user:ana", at=0), journal, ports, progress)
    return ports, lambda: (apply_config.handle(ApplyConfig(file="max.toml", **flags), ctx), ctx)


class Recorder:
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        self.facts: list[Any] = []

    def append(self, drafts: list[Any], stamp: Stamp, **options: Any) -> list[Any]:
        self.facts += [draft.fact for draft in drafts]
        return []


def test_nothing_is_asked_where_nothing_is_lost() -> None:
    now = NetworkConfig(network="demo", live=Configuration(network="demo"), revision=7)
    ports, apply = applied(SHOP, now)
    done, ctx = apply()
    assert (ports.asked, done.done) == ("", True)
    [sent] = ports.sent
    assert (sent.expect, sent.allow_removal, sent.delete_apps, sent.document) == (7, False, False, SHOP)
    assert [fact.name for fact in ctx.journal.facts] == ["demo"]
    assert all(isinstance(fact, NetworkConfigured) for fact in ctx.journal.facts)
    assert {change.file for change in done.changes if change.redacted} == {None}


@pytest.mark.parametrize(("word", "code"), [("demo", ""), ("yes", "cancelled"), (None, "input_required")])
def test_fewer_processes_take_the_name_of_the_network(word: str | None, code: str) -> None:
    now = NetworkConfig(network="demo", live=SHOP, wanted=WANTED, applied=SHOP)
    ports, apply = applied(FEWER, now, word)
    if code:
        with pytest.raises(RigError) as refused:
            apply()
        assert (refused.value.code, ports.sent) == (code, [])
    else:
        apply()
        assert ports.sent[0].allow_removal
    assert ports.asked == "Remove or shrink apps.shop.processes.web of demo? demo"
    assert ports.told == (
        ["What would go, or be less:", "  apps.shop.processes.web: 3 → 1"] if ports.interactive else []
    )


def test_apps_go_with_a_flag_of_their_own() -> None:
    now = NetworkConfig(network="demo", live=SHOP, applied=SHOP)
    ports, apply = applied(Configuration(network="demo"), now, yes=True)
    with pytest.raises(RigError, match="delete shop") as refused:
        apply()
    assert (refused.value.exit, "--delete-apps" in refused.value.hint, ports.sent) == (64, True, [])
    ports, apply = applied(Configuration(network="demo"), now, yes=True, delete_apps=True)
    apply()
    assert ports.sent[0].delete_apps


def test_a_plan_sends_nothing_and_asks_nothing() -> None:
    now = NetworkConfig(network="demo", live=SHOP, wanted=WANTED, applied=SHOP)
    ports, apply = applied(FEWER, now, plan=True, show_values=True)
    found, ctx = apply()
    assert (ports.asked, ports.sent, found.done, ctx.journal.facts) == ("", [], False, [])


def test_a_secret_that_is_missing_is_named_with_its_command() -> None:
    file = Configuration(network="demo", secrets={"A": ""}, apps={"new": AppTable(secrets={"B": ""})})
    _, apply = applied(file, NetworkConfig(network="demo", live=Configuration(network="demo")))
    _, ctx = apply()
    assert [warning.partition("`")[2] for warning in ctx.warnings] == [
        "rig create secret demo/new B`.",
        "rig create secret --network demo A`.",
    ]
    assert missing_secrets("demo", compare(SHOP, None, SHOP)) == []


def test_a_plan_says_who_set_by_hand_what_it_takes_back() -> None:
    live = Configuration(network="demo", apps={"shop": AppTable(env={"A": "2"}, processes={"web": 3})})
    by = Drifted(key="apps.shop.env.A", what="changed", set_by="user:bea", set_at="2026-01-01T00:00:00Z")
    [change] = plan(SHOP, NetworkConfig(network="demo", live=live, applied=SHOP, drift=[by])).changes
    assert (change.key, change.drift, change.set_by, change.set_at) == (by.key, True, by.set_by, by.set_at)
