"""The client's handlers that pass a command on and put what the platform said on the local record; and local ones."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import pytest

from events.app import AppCreated, AppDeleted
from events.base import Fact
from events.network import NetworkCreated, NetworkDeleted
from handlers import (
    create_app,
    create_network,
    delete_app,
    delete_network,
    list_contexts,
    set_setting,
    show_build_log,
    show_schema,
    use_context,
)
from rig.contract.accounts import Context as Platform
from rig.contract.accounts import ListContexts, UseContext
from rig.contract.apps import App, CreateApp, DeleteApp
from rig.contract.base import Command, Reply
from rig.contract.networks import CreateNetwork, DeleteNetwork, Network
from rig.contract.releases import BuildLog, LogLine, ShowBuildLog
from rig.contract.schemas import ShowSchema, replies
from rig.contract.settings import SetSetting, SettingValue
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Stamp


class FakePlatform:
    """Answers with what it was given, and remembers what it was asked."""

    def __init__(self, *answers: Reply | RigError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Command, str, str]] = []

    def call(self, command: Command, reply: type[Reply], *, key: str = "", corr: str = "") -> Any:
        self.asked.append((command, key, corr))
        answer = self.answers.pop(0)
        if isinstance(answer, RigError):
            raise answer
        return answer


class FakeContexts:
    def __init__(self, *known: Platform, current: str = "") -> None:
        self.known = {context.name: context for context in known}
        self.chosen_name = current

    def current(self) -> Platform:
        return self.find(self.chosen_name)

    def find(self, name: str) -> Platform:
        if name not in self.known:
            raise RigError("not_found", f"There is no context `{name}`.", "See `rig context list`.")
        return self.known[name]

    def all(self) -> list[Platform]:
        return list(self.known.values())

    def save(self, context: Platform) -> None:
        self.known[context.name] = context

    def use(self, name: str) -> None:
        self.chosen_name = name


class FakeSettings:
    def __init__(self, origin: Any = "file", where: str = "settings.toml:1") -> None:
        self.origin, self.where = origin, where
        self.kept: dict[str, str] = {}

    def set(self, key: str, value: str) -> SettingValue:
        self.kept[key] = value
        return SettingValue(key=key, value=value, origin=self.origin, where=self.where)


class Ports:
    def __init__(self, **ports: Any) -> None:
        self.__dict__.update(ports)


def given(**ports: Any) -> Context[Any]:
    stamp = Stamp(id="cmd-1", actor="user:ana", at=1, corr="corr-1")
    return Context(stamp, None, Ports(**ports), None)  # type: ignore[arg-type]


APP = App(name="demo/hello", url="http://hello.demo.localhost", hostname="hello.demo.localhost", status="empty")
NETWORK = Network(name="demo", domain="demo.localhost")


@pytest.mark.parametrize(
    ("module", "command", "answer", "stream", "fact"),
    [
        (create_network, CreateNetwork(name="demo"), NETWORK, "network:demo", NetworkCreated(name="demo")),
        (delete_network, DeleteNetwork(name="demo"), NETWORK, "network:demo", NetworkDeleted(name="demo")),
        (create_app, CreateApp(app="demo/hello"), APP, "app:demo/hello", AppCreated(name="demo/hello")),
        (delete_app, DeleteApp(app="demo/hello"), APP, "app:demo/hello", AppDeleted(name="demo/hello")),
    ],
)
def test_what_the_platform_agreed_to_is_on_the_record(
    module: Any, command: Command, answer: Reply, stream: str, fact: Fact
) -> None:
    platform = FakePlatform(answer)
    ctx = given(platform=platform)
    assert module.handle(command, ctx) == answer
    assert [(draft.stream, draft.fact) for draft in ctx.drafts] == [(stream, fact)]
    assert platform.asked == [(command, "cmd-1", "corr-1")], "under the key of this dispatch"

    ctx = given(platform=FakePlatform(RigError("forbidden", "You may not.", "Ask.")))
    with pytest.raises(RigError, match="You may not"):
        module.handle(command, ctx)
    assert ctx.drafts == []


def line(number: int) -> LogLine:
    return LogLine(seq=number, at="", text=f"line {number}")


def test_a_long_build_log_is_asked_for_page_by_page() -> None:
    pages = [
        BuildLog(app="demo/hello", version=3, lines=[line(1), line(2)], next=2),
        BuildLog(app="demo/hello", version=3, lines=[line(3), line(4)], next=4),
        BuildLog(app="demo/hello", version=3, lines=[line(5)], next=5, complete=True),
    ]
    platform = FakePlatform(*pages)
    log = show_build_log.handle(ShowBuildLog(app="demo/hello", limit=2), given(platform=platform))
    assert [each.seq for each in log.lines] == [1, 2, 3, 4, 5]
    assert log.complete
    # The first answer says which release is meant: a newer one must not get into the middle.
    asked = [(command.version, command.after) for command, _, _ in platform.asked if isinstance(command, ShowBuildLog)]
    assert asked == [("", 0), ("v3", 2), ("v3", 4)]


LOCAL, TEAM = Platform(name="local", url="http://127.0.0.1:1"), Platform(name="team", url="https://max.example.com")


def test_the_list_of_contexts_shows_what_there_is_even_without_a_current_one() -> None:
    ctx = given(contexts=FakeContexts(LOCAL, TEAM, current="team"))
    rows = list_contexts.handle(ListContexts(), ctx).contexts
    assert [(row.name, row.current) for row in rows] == [("local", False), ("team", True)]
    assert ctx.warnings == []
    ctx = given(contexts=FakeContexts(LOCAL, current="gone"))
    assert [row.current for row in list_contexts.handle(ListContexts(), ctx).contexts] == [False]
    assert ctx.warnings == ["There is no context `gone`. See `rig context list`."]


def test_a_context_is_used_with_a_network() -> None:
    contexts = FakeContexts(LOCAL, TEAM)
    row = use_context.handle(UseContext(name="team", network="shop"), given(contexts=contexts))
    assert (row.name, row.network, row.current) == ("team", "shop", True)
    assert contexts.known["team"].network == "shop"
    with pytest.raises(RigError, match="no context"):
        use_context.handle(UseContext(name="none"), given(contexts=contexts))


def test_a_setting_is_kept_and_what_overrides_it_is_said() -> None:
    settings = FakeSettings()
    ctx = given(settings=settings, contexts=FakeContexts(LOCAL))
    set_setting.handle(SetSetting(key="network", value="demo"), ctx)
    assert (settings.kept, ctx.warnings) == ({"network": "demo"}, [])
    ctx = given(settings=FakeSettings("environment", "RIG_NETWORK"), contexts=FakeContexts(LOCAL))
    set_setting.handle(SetSetting(key="network", value="demo"), ctx)
    assert "RIG_NETWORK has the last word" in ctx.warnings[0]


def test_the_context_setting_names_a_context_that_is_there() -> None:
    settings = FakeSettings()
    with pytest.raises(RigError, match="no context"):
        set_setting.handle(SetSetting(key="context", value="none"), given(settings=settings, contexts=FakeContexts()))
    assert settings.kept == {}


def test_schemas_of_one_kind_of_all_and_of_none() -> None:
    assert list(show_schema.handle(ShowSchema(name="app"), given()).schemas) == ["app"]
    assert set(show_schema.handle(ShowSchema(), given()).schemas) == set(replies())
    with pytest.raises(RigError, match="no kind") as caught:
        show_schema.handle(ShowSchema(name="cat"), given())
    assert "app-status" in caught.value.hint


def test_the_text_of_a_schema_is_not_indented() -> None:
    """Or it would depend on the Python: from 3.13 on a docstring has no indentation."""
    schemas = show_schema.handle(ShowSchema(), given()).schemas
    texts = [
        part["description"] for each in schemas.values() for part in each["$defs"].values() if "description" in part
    ]
    assert any("\n\n" in text for text in texts)
    assert texts == [cleandoc(text) for text in texts]
