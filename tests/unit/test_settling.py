"""Start, stop, restart and scale: what is agreed to is on the record at once, and its end is waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from events.app import AppRestartRequested, AppScaled, AppStarted, AppStopped
from events.base import Fact
from handlers import restart_app, settling, start_app, stop_app, update_app
from rig.contract.apps import App, AppStatus, RestartApp, ShowAppStatus, StartApp, StopApp, Trouble, UpdateApp
from rig.contract.base import Command
from rig.kernel.context import Context
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Stamp
from tests.unit.test_client_handlers import APP, FakePlatform, Ports

LIVE = msgspec.structs.replace(APP, status="live", version=3)
BUSY = msgspec.structs.replace(LIVE, working="restarting")
VERBS = [
    (start_app, StartApp(app="demo/hello"), AppStarted(name="demo/hello")),
    (stop_app, StopApp(app="demo/hello"), AppStopped(name="demo/hello")),
    (restart_app, RestartApp(app="demo/hello"), AppRestartRequested(name="demo/hello")),
    (
        update_app,
        UpdateApp(app="demo/hello", scale={"web": 2}),
        AppScaled(name="demo/hello", scale={"web": 2}),
    ),
]


class Kept:
    """A journal that keeps drafts."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def append(self, drafts: list[Draft], stamp: Stamp, *, expect: dict[str, int]) -> list[Any]:
        self.facts += [draft.fact for draft in drafts]
        return []


class Said:
    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)


def given(*answers: Any) -> tuple[Context[Any], FakePlatform, Kept, Said]:
    platform, kept, said = FakePlatform(*answers), Kept(), Said()
    stamp = Stamp(id="cmd-1", actor="user:ana", at=1, corr="corr-1")
    return Context(stamp, kept, Ports(platform=platform), said), platform, kept, said  # type: ignore[arg-type]


def status(app: App, trouble: Trouble | None = None) -> AppStatus:
    return AppStatus(app=app, trouble=trouble)


@pytest.mark.parametrize(("module", "command", "fact"), VERBS)
def test_the_end_is_waited_for(module: Any, command: Command, fact: Fact) -> None:
    ctx, platform, kept, said = given(APP, status(BUSY), status(BUSY), status(LIVE))
    assert module.handle(command, ctx) == LIVE
    assert kept.facts == [fact], "before the wait, which may be cut off"
    assert platform.asked[0] == (command, "cmd-1", "corr-1")
    asked = [command for command, _, _ in platform.asked[1:]]
    assert asked == [ShowAppStatus(app="demo/hello", wait=wait) for wait in (1, 20, 20)]
    assert len(said.steps) == 1


@pytest.mark.parametrize(("module", "command", "fact"), VERBS)
def test_who_does_not_want_to_wait_does_not(module: Any, command: Command, fact: Fact) -> None:
    ctx, platform, _, said = given(APP)
    app = module.handle(msgspec.structs.replace(command, no_wait=True), ctx)
    assert app.working
    assert [draft.fact for draft in ctx.drafts] == [fact]
    assert (len(platform.asked), said.steps) == (1, [])


def test_what_did_not_come_off_is_an_error_with_its_reason() -> None:
    trouble = Trouble(code="unhealthy", message="web.1 did not answer.", hint="Look at it.", output=["Traceback"])
    ctx, _, kept, _ = given(APP, status(LIVE, trouble))
    with pytest.raises(
        RigError, match=r"could not be restarted: web.1 did not answer. What ran before still"
    ) as failed:
        restart_app.handle(RestartApp(app="demo/hello"), ctx)
    assert (failed.value.code, failed.value.exit, failed.value.hint) == ("unhealthy", 1, "Look at it.")
    assert failed.value.details == {"output": ["Traceback"]}
    assert kept.facts == [AppRestartRequested(name="demo/hello")]


def test_a_wait_that_is_over_says_that_the_platform_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr(settling, "time", clock)  # the handler's alone: threads of other tests may look at theirs
    ctx, _, _, _ = given(APP, *[status(BUSY)] * 9)
    with pytest.raises(RigError, match=r"not started yet, after 4 s. The platform goes on starting demo/hello") as over:
        start_app.handle(StartApp(app="demo/hello", timeout=4), ctx)
    assert (over.value.code, over.value.exit) == ("pending", 8)


def test_ctrl_c_says_so_too() -> None:
    class Interrupted(FakePlatform):
        def call(self, command: Command, *arguments: Any, **options: Any) -> Any:
            if isinstance(command, ShowAppStatus):
                raise KeyboardInterrupt
            return super().call(command, *arguments, **options)

    ctx, _, _, _ = given()
    ctx.ports.platform = Interrupted(APP)
    with pytest.raises(RigError, match="The platform goes on stopping demo/hello") as ended:
        stop_app.handle(StopApp(app="demo/hello"), ctx)
    assert (ended.value.code, ended.value.exit) == ("cancelled", 130)


def test_how_it_is_waited_does_not_travel() -> None:
    from rig.contract.routing import command_of, request_of, route_of

    command = UpdateApp(app="demo/hello", scale={"web": 2}, no_wait=True, timeout=7)
    assert request_of(command).body == {"scale": {"web": 2}}
    with pytest.raises(msgspec.ValidationError, match="Unknown field `timeout`"):
        command_of(route_of(UpdateApp), {"network": "demo", "name": "hello"}, {}, {"timeout": 7})
