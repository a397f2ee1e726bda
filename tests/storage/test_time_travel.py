"""The past of an app, told from the record alone: diff, blame, details at a moment, history offline, undo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated, AppDeleted, AppScaled, DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.command import CommandCompleted, CommandReceived, CommandUndone
from handlers import blame_app, diff_releases, list_releases, show_app, undo
from handlers.past import past
from rig.contract.apps import DeleteApp, ShowApp, StartApp, StopApp, UpdateApp
from rig.contract.history import BlameApp, Change, DiffReleases
from rig.contract.networks import DeleteNetwork
from rig.contract.releases import ListReleases, Rollback
from rig.contract.settings import SetSetting
from rig.contract.undo import Undo
from rig.kernel.errors import RigError, declined
from rig.kernel.ids import rfc3339
from rig.kernel.ports import Draft, Recorded, Stamp
from storage.journal import Journal
from tests.storage.records import Platform, Ports, context, open_record, replica_of
from tests.storage.support import stamp

APP = "demo/shop"


class Life:
    """A platform's journal, and what happens to an app on it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.version = 0
        self.current = 0

    def happens(self, *facts: Fact, actor: str = "user:ana", corr: str = "x") -> list[Recorded]:
        by = msgspec.structs.replace(stamp(actor, corr), corr=corr)
        return self.journal.append([Draft(stream=f"app:{APP}", fact=fact, target=APP) for fact in facts], by)

    def deploy(
        self, actor: str, corr: str = "x", *, good: bool = True, bundle: str = "", rollback_of: int = 0, **env: str
    ) -> int:
        """Deploy with these variables; gives when that was over."""
        self.version += 1
        config = {"env": env, "processes": {"web": {"count": 2}}}
        started = DeployStarted(
            app=APP,
            version=self.version,
            bundle=bundle or f"{self.version:064x}",
            config=config,
            source={"commit": "c" * 40, "dirty": True},
            message=f"number {self.version}",
            previous=self.current,
            rollback_of=rollback_of,
        )
        built = DeployBuilt(app=APP, version=self.version, build="b", processes={"web": "run"})
        if not good:
            failed = DeployFailed(app=APP, version=self.version, code="build_failed", reason="No.")
            return self.happens(started, failed, actor=actor, corr=corr)[-1].at
        self.current = self.version
        url = "http://shop.demo.localhost"
        done = DeploySucceeded(app=APP, version=self.version, url=url)
        return self.happens(started, built, done, actor=actor, corr=corr)[-1].at


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
    replicas = []

    def ask(asker: Stamp | None = None, platform: Platform | None = None) -> Any:
        folder = tmp_path / f"replica-{len(replicas)}"
        folder.mkdir()
        replicas.append(replica_of(folder, life.journal))
        return context(own, Ports(folder, replicas[-1], platform), asker)

    yield ask
    for replica in replicas:
        replica.close()


def test_two_releases_compared(life: Life, asked: Any) -> None:
    life.deploy("user:ana", GREETING="hi", OLD="1")
    life.deploy("user:bea", GREETING="hello")
    diff = diff_releases.handle(DiffReleases(app=APP), asked())
    assert diff.changes == [
        Change(key="source", before=f"{1:064x}", after=f"{2:064x}"),
        Change(key="env.GREETING", before="hi", after="hello"),
        Change(key="env.OLD", before="1", after=None),
    ]
    assert (diff.older.version, diff.newer.version, diff.newer.created_by) == (1, 2, "user:bea")
    assert (diff.newer.commit, diff.newer.message, diff.record) == ("c" * 40 + "+", "number 2", "observed")
    assert diff.older.served_at
    named = diff_releases.handle(DiffReleases(app=APP, older="v1", newer="v2"), asked())
    assert named.changes == diff.changes
    assert diff_releases.handle(DiffReleases(app=APP, older="2", newer="v2"), asked()).changes == []


def test_two_moments_compared(life: Life, asked: Any) -> None:
    life.deploy("user:ana")
    between = life.deploy("user:ana", good=False)
    life.happens(AppScaled(name=APP, scale={"web": 4}))
    diff = diff_releases.handle(DiffReleases(app=APP, at=rfc3339(between), to="now"), asked())
    assert diff.changes == [Change(key="scale.web", before=None, after="4")]
    assert (diff.older.version, diff.newer.version) == (1, 1)
    life.deploy("user:ana")
    diff = diff_releases.handle(DiffReleases(app=APP, at="v1", to="v3"), asked())
    assert [change.key for change in diff.changes] == ["release", "source", "scale.web"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (DiffReleases(app=APP, older="v1", at="now"), "usage"),
        (DiffReleases(app=APP, older="v9"), "not_found"),
        (DiffReleases(app=APP, at="v2"), "not_found"),
        (DiffReleases(app=APP), "conflict"),
        (DiffReleases(app="demo/none"), "not_found"),
        (DiffReleases(app=APP, at="2000-01-01"), "not_found"),
    ],
    ids=str,
)
def test_what_cannot_be_compared(life: Life, asked: Any, command: DiffReleases, code: str) -> None:
    life.deploy("user:ana")
    with pytest.raises(RigError) as refused:
        diff_releases.handle(command, asked())
    assert refused.value.code == code


def test_who_set_what(life: Life, asked: Any) -> None:
    life.deploy("user:ana", GREETING="hi", TOKEN_NAME="a")
    life.deploy("user:bea", GREETING="hello", TOKEN_NAME="a")
    life.deploy("user:eve", good=False, GREETING="gone")
    life.happens(AppScaled(name=APP, scale={"web": 4}), actor="user:eve")
    now = blame_app.handle(BlameApp(app=APP), asked())
    assert {row.key: (row.by, row.version, row.value) for row in now.keys} == {
        "env.GREETING": ("user:bea", 2, "hello"),
        "env.TOKEN_NAME": ("user:ana", 1, "a"),
        "processes.web.count": ("user:ana", 1, "2"),
        "scale.web": ("user:eve", 0, "4"),
        "source": ("user:bea", 2, f"{2:064x}"),
    }
    for key in ("GREETING", "env.GREETING"):
        ever = blame_app.handle(BlameApp(app=APP, key=key), asked())
        assert [(row.by, row.value) for row in ever.keys] == [("user:bea", "hello"), ("user:ana", "hi")]
    life.deploy("user:ana")
    ever = blame_app.handle(BlameApp(app=APP, key="GREETING"), asked())
    assert [row.value for row in ever.keys] == [None, "hello", "hi"]


@pytest.mark.parametrize("command", [BlameApp(app=APP, key="NOBODY"), BlameApp(app="demo/none")], ids=str)
def test_what_nobody_set(life: Life, asked: Any, command: BlameApp) -> None:
    life.deploy("user:ana")
    with pytest.raises(RigError) as refused:
        blame_app.handle(command, asked())
    assert refused.value.code == "not_found"


def test_an_app_as_it_was(life: Life, asked: Any) -> None:
    first = life.deploy("user:ana")
    life.deploy("user:bea")
    gone = life.happens(AppDeleted(name=APP))[0].at
    for at in ("v1", rfc3339(first + 1_000_000)):
        app = show_app.handle(ShowApp(app=APP, at=at), asked())
        assert (app.version, app.deployed_by, app.status, app.processes) == (1, "user:ana", "live", {"web": 2})
        assert (app.url, app.hostname) == ("http://shop.demo.localhost", "shop.demo.localhost")
        assert (app.commit, app.message) == ("c" * 40, "number 1")
        assert app.at
    before = first - 3_600_000_000_000
    for at, known in ((gone + 1_000_000, "it was deleted by then"), (before, "the record tells of it since 20")):
        with pytest.raises(RigError, match=f"There was no app `{APP}` at .*Z: {known}"):
            show_app.handle(ShowApp(app=APP, at=rfc3339(at)), asked())


def test_history_without_the_platform(life: Life, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:bea", good=False)
    life.deploy("user:bea")
    ctx = asked()
    page = list_releases.handle(ListReleases(app=APP, limit=2), ctx)
    assert [(release.version, release.outcome) for release in page.releases] == [(3, "succeeded"), (2, "failed")]
    assert (page.next, bool(page.as_of)) == ("2", True)
    assert "cannot be reached" in ctx.warnings[0]
    page = list_releases.handle(ListReleases(app=APP, limit=2, after="2"), asked())
    assert [release.version for release in page.releases] == [1]
    page = list_releases.handle(ListReleases(app=APP, limit=1, filter=["outcome=succeeded"]), asked())
    assert ([release.version for release in page.releases], page.next) == ([3], "3")
    page = list_releases.handle(ListReleases(app=APP, limit=1, filter=["outcome=succeeded"], after="3"), asked())
    assert ([release.version for release in page.releases], page.next) == ([1], "")


def test_history_where_not_even_the_way_to_the_platform_is_there(life: Life, asked: Any) -> None:
    class Stopped(Ports):
        @property
        def platform_on_the_way(self) -> Any:
            raise RigError("unreachable", "The node of this machine does not run.")

        @platform_on_the_way.setter
        def platform_on_the_way(self, platform: Any) -> None:
            """Whatever is set: the node does not run."""

    life.deploy("user:ana")
    ctx = asked()
    ctx.ports.__class__ = Stopped
    page = list_releases.handle(ListReleases(app=APP), ctx)
    assert [release.version for release in page.releases] == [1]
    assert "The node of this machine does not run. This is what was on its record" in ctx.warnings[0]


class Hidden(Platform):
    """A platform that shows its record, and knows no app, or lets whoever asks see none."""

    def call(self, command: Any, reply: type[Any], *, key: str = "", corr: str = "") -> Any:
        if isinstance(command, ListReleases):
            raise RigError("not_found", f"There is no app `{command.app}`.")
        return super().call(command, reply, key=key, corr=corr)


def test_what_is_left_of_an_app_that_was_deleted(life: Life, asked: Any) -> None:
    life.deploy("user:ana", COLOR="blue")
    between = life.deploy("user:bea", COLOR="red")
    life.happens(AppDeleted(name=APP))
    ctx = asked(platform=Hidden(life.journal))
    page = list_releases.handle(ListReleases(app=APP), ctx)
    assert [(release.version, release.current) for release in page.releases] == [(2, False), (1, False)]
    assert re.search(rf"`{APP}` was deleted 20.*Z by ana\. These are the releases that it had\.", ctx.warnings[-1])
    diff = diff_releases.handle(DiffReleases(app=APP, older="v1", newer="v2"), asked())
    assert Change(key="env.COLOR", before="blue", after="red") in diff.changes
    diff = diff_releases.handle(DiffReleases(app=APP, at="v1", to=rfc3339(between)), asked())
    assert Change(key="env.COLOR", before="blue", after="red") in diff.changes
    with pytest.raises(RigError, match="has no two releases to compare"):
        diff_releases.handle(DiffReleases(app=APP), asked())
    for asking in (lambda: blame_app.handle(BlameApp(app=APP), asked()), lambda: past(APP, asked()).state()):
        with pytest.raises(RigError, match=rf"`{APP}` was deleted 20.*Z by ana") as gone:
            asking()
        assert (gone.value.code, "rig history" in gone.value.hint) == ("not_found", True)
    life.happens(AppCreated(name=APP))
    with pytest.raises(RigError, match="There is no app"):
        list_releases.handle(ListReleases(app=APP), asked(platform=Hidden(life.journal)))


def test_without_a_replica_it_is_told_from_what_was_done_here(own: Journal, tmp_path: Path) -> None:
    Life(own).deploy("user:ana")
    ctx = context(own, Ports(tmp_path))
    app = show_app.handle(ShowApp(app=APP, at="v1"), ctx)
    assert app.version == 1
    assert "told from what was done with rig from here" in ctx.warnings[0]


# -- undo -----------------------------------------------------------------------------------------------------------


class Asking:
    """Somebody at a terminal."""

    def __init__(self, answer: bool | None) -> None:
        self.interactive = answer is not None
        self.answer = bool(answer)
        self.told: list[str] = []

    def confirm(self, question: str, *, flag: str, word: str = "", look: str = "") -> None:
        self.told.append(question)
        if not self.interactive:
            raise RigError("input_required", question)
        if not self.answer:
            raise declined()

    def tell(self, text: str) -> None:
        self.told.append(text)


def did(own: Journal, tag: str, target: str = APP, corr: str = "x", **arguments: Any) -> None:
    """A command that was carried out from here."""
    begun = CommandReceived(command=tag, arguments=arguments)
    own.append(
        [
            Draft(stream=f"command:{corr}", fact=begun, target=target, outcome="unknown"),
            Draft(stream=f"command:{corr}", fact=CommandCompleted(command=tag), target=target),
        ],
        stamp(id=corr),
    )


def undone(ctx: Any, answer: bool | None = True, **fields: Any) -> Any:
    ctx.ports.terminal = Asking(answer)
    return undo.handle(Undo(**fields), ctx)


def test_a_deployment_is_taken_back_by_a_rollback(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "second")
    did(own, "deploy", corr="second")
    ctx = asked()
    report = undone(ctx, dry_run=True)
    assert (report.command, report.done, ctx.ports.performed) == (f"rig rollback {APP} v1", False, [])
    assert any("databases" in text for text in report.remains)
    report = undone(ctx)
    assert report.done
    assert ctx.ports.performed == [Rollback(app=APP, version="v1")]
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="second", command="deploy")]
    assert any("Take back" in text for text in ctx.ports.terminal.told)
    ctx.record()
    with pytest.raises(RigError, match="nothing on the record"):
        undone(ctx)
    with pytest.raises(RigError, match="taken back already"):
        undone(ctx, id="0")


def test_a_scale_is_taken_back_by_the_numbers_before(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.happens(AppScaled(name=APP, scale={"web": 5}), corr="first")
    did(own, "app.update", corr="first")
    assert undone(ctx := asked(), yes=True, answer=None).command == f"rig update app {APP} --scale web=2"
    assert ctx.ports.performed == [UpdateApp(app=APP, scale={"web": 2})]
    life.happens(AppScaled(name=APP, scale={"web": 6}), corr="second")
    did(own, "app.update", corr="second")
    did(own, "app.update", corr="third")  # which changed nothing, and is passed over
    assert undone(asked()).command == f"rig update app {APP} --scale web=5"


def test_what_was_stopped_is_started_and_the_other_way_round(own: Journal, asked: Any) -> None:
    did(own, "app.stop", corr="one")
    did(own, "app.start", corr="two")
    ctx = asked()
    assert undone(ctx, id="0").command == f"rig start {APP}"
    assert undone(ctx).command == f"rig stop {APP}"
    assert ctx.ports.performed == [StartApp(app=APP), StopApp(app=APP)]


def test_a_variable_is_taken_back_with_the_release_that_it_made(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "changed")
    did(own, "var.create", corr="changed")
    assert undone(asked()).command == f"rig rollback {APP} v1"


def test_what_was_made_is_taken_back_by_its_deletion(own: Journal, asked: Any) -> None:
    did(own, "network.create", "demo", "one")
    did(own, "app.create", corr="two")
    ctx = asked()
    assert undone(ctx, id="0").done
    assert undone(ctx).done
    assert ctx.ports.performed == [DeleteNetwork(name="demo"), DeleteApp(app=APP)]


def test_a_setting_is_taken_back_by_the_one_before(own: Journal, asked: Any) -> None:
    did(own, "settings.set", "", "one", key="network", value="demo")
    did(own, "settings.set", "", "two", key="output", value="json")
    did(own, "settings.set", "", "three", key="network", value="other")
    ctx = asked()
    undone(ctx)
    undone(ctx, id="0")
    assert ctx.ports.performed == [SetSetting(key="network", value="demo"), SetSetting(key="network")]


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("app.delete", "cannot be taken back"),
        ("account.invite", "cannot be taken back"),
        ("deploy", "first release"),
        ("release.rollback", "No release"),
    ],
)
def test_what_cannot_be_taken_back(life: Life, own: Journal, asked: Any, tag: str, message: str) -> None:
    if tag == "deploy":
        life.deploy("user:ana", "this")
    did(own, tag, corr="this")
    with pytest.raises(RigError, match=message) as refused:
        undone(asked())
    assert refused.value.code == "conflict"
    assert refused.value.hint


def test_a_deployment_that_others_followed_is_not_taken_back(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "mine")
    life.deploy("user:bea")
    did(own, "deploy", corr="mine")
    with pytest.raises(RigError, match="does not serve any more; v3 does"):
        undone(asked())


def test_what_a_rollback_brought_back_can_be_taken_back_in_turn(life: Life, own: Journal, asked: Any) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "mine")
    did(own, "deploy", corr="mine")
    life.deploy("user:bea")
    life.deploy("user:bea", rollback_of=2)
    life.deploy("user:bea", rollback_of=4)
    assert undone(asked()).command == f"rig rollback {APP} v1"


def test_a_deployment_that_another_command_watched_to_its_end_is_taken_back(
    life: Life, own: Journal, asked: Any
) -> None:
    life.deploy("user:ana")
    life.deploy("user:ana", "cut off")
    did(own, "deploy", corr="cut off")
    did(own, "deploy", corr="watching", resume=True)
    assert undone(ctx := asked()).command == f"rig rollback {APP} v1"
    assert [draft.fact for draft in ctx.drafts] == [CommandUndone(id="cut off", command="deploy")]


@pytest.mark.parametrize(("answer", "code"), [(False, "cancelled"), (None, "input_required")])
def test_nothing_is_taken_back_without_a_yes(own: Journal, asked: Any, answer: bool | None, code: str) -> None:
    did(own, "app.create", corr="this")
    ctx = asked()
    with pytest.raises(RigError) as refused:
        undone(ctx, answer)
    assert refused.value.code == code
    assert (ctx.ports.performed, ctx.drafts) == ([], [])


def test_a_query_has_nothing_to_take_back(own: Journal, asked: Any) -> None:
    own.append([Draft(stream="command:q", fact=CommandCompleted(command="app.list"))], stamp(id="q"))
    with pytest.raises(RigError, match="changed nothing"):
        undone(asked(), id="0")


def test_a_platform_in_reach_is_asked_for_what_is_new(life: Life, own: Journal, tmp_path: Path) -> None:
    life.deploy("user:ana")
    replica = replica_of(tmp_path, life.journal)
    life.deploy("user:bea")
    ctx = context(own, Ports(tmp_path, replica, Platform(life.journal)))
    assert diff_releases.handle(DiffReleases(app=APP), ctx).newer.version == 2
    replica.close()
