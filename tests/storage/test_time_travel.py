"""The past of an app, told from the record alone: diff, blame, details at a moment, history offline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.app import AppCreated, AppDeleted, AppScaled
from handlers import blame_app, diff_releases, list_releases, show_app
from handlers.past import past
from rig.contract.apps import ShowApp
from rig.contract.history import BlameApp, Change, DiffReleases
from rig.contract.releases import ListReleases
from rig.kernel.errors import RigError
from rig.kernel.ids import rfc3339
from storage.journal import Journal
from tests.storage.lives import APP, Life
from tests.storage.records import Platform, Ports, context, replica_of
from tests.storage.support import stamp


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
        (DiffReleases(app=APP, at="2000-01-01", to="2000-01-02"), "not_found"),
    ],
    ids=str,
)
def test_what_cannot_be_compared(life: Life, asked: Any, command: DiffReleases, code: str) -> None:
    life.deploy("user:ana")
    with pytest.raises(RigError) as refused:
        diff_releases.handle(command, asked())
    assert refused.value.code == code


def test_before_it_was_made_and_after_it_was_deleted_it_is_compared_with_nothing(life: Life, asked: Any) -> None:
    born = past(APP, asked()).records[0].at
    before = rfc3339(born - 1)
    diff = diff_releases.handle(DiffReleases(app=APP, at=before, to=rfc3339(born)), asked())
    assert (diff.older.absent, diff.newer.absent, diff.newer.version) == ("not_yet", "", 0)
    assert diff.changes == [Change(key="app", before=None, after=APP)]
    life.deploy("user:ana", GREETING="hi")
    made = diff_releases.handle(DiffReleases(app=APP, at=before, to="now"), asked())
    assert (made.older.version, made.older.at, made.older.absent, made.newer.version) == (0, before, "not_yet", 1)
    assert [change.key for change in made.changes] == [
        *("app", "release", "source", "commit", "env.GREETING", "processes.web.count"),
    ]
    assert all(change.before is None and change.after for change in made.changes)
    gone = life.happens(AppDeleted(name=APP))[0].at
    ended = diff_releases.handle(DiffReleases(app=APP, at="v1", to=rfc3339(gone)), asked())
    assert (ended.older.absent, ended.newer.absent, ended.newer.version) == ("", "deleted", 0)
    assert ended.changes == [Change(key=c.key, before=c.after, after=None) for c in made.changes]
    life.happens(AppCreated(name=APP))
    anew = diff_releases.handle(DiffReleases(app=APP, at=rfc3339(gone), to="now"), asked())
    assert (anew.older.absent, anew.changes) == ("deleted", [Change(key="app", before=None, after=APP)])
    with pytest.raises(RigError, match=f"There was no app `{APP}` at .*: the record tells of it since"):
        diff_releases.handle(DiffReleases(app=APP, at=before, to=rfc3339(gone)), asked())


def test_of_what_the_record_does_not_tell_it_is_not_said_that_it_was_not_there(own: Journal, tmp_path: Path) -> None:
    life = Life(own)
    born = life.deploy("user:ana")
    diff = diff_releases.handle(DiffReleases(app=APP, at=rfc3339(born - 10**12)), context(own, Ports(tmp_path)))
    assert (diff.older.absent, diff.newer.version, diff.record) == ("unrecorded", 1, "local")


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
    later = asked(msgspec.structs.replace(stamp(), at=gone + 3_600_000_000_000))
    for moment, known in ((gone + 1_000_000, "it was deleted by then"), (before, "the record tells of it since 20")):
        with pytest.raises(RigError, match=f"There was no app `{APP}` at .*Z: {known}"):
            show_app.handle(ShowApp(app=APP, at=rfc3339(moment)), later)


def test_that_it_was_not_there_yet_is_told_as_exactly_as_it_takes(asked: Any) -> None:
    first = past(APP, asked()).records[0].at
    for seconds, end in ((60, 16), (1, 19)):
        before = first - seconds * 1_000_000_000
        then, since = (rfc3339(at)[:end].replace("T", " ") + "Z" for at in (before, first))
        with pytest.raises(RigError) as refused:
            show_app.handle(ShowApp(app=APP, at=rfc3339(before)), asked())
        assert refused.value.message == f"There was no app `{APP}` at {then}: the record tells of it since {since}."


def test_what_has_not_come_yet_is_on_no_record(life: Life, asked: Any) -> None:
    newest = life.deploy("user:ana")
    tomorrow = rfc3339(newest + 86_400_000_000_000)
    for handler, command in (
        (show_app, ShowApp(app=APP, at=tomorrow)),
        (diff_releases, DiffReleases(app=APP, at="v1", to=tomorrow)),
    ):
        with pytest.raises(RigError, match=f"{tomorrow} has not come yet: it is ") as refused:
            handler.handle(command, asked())
        assert refused.value.code == "usage"


def test_releases_of_an_app_that_was_made_anew_are_compared_with_those_of_before(life: Life, asked: Any) -> None:
    life.deploy("user:ana", COLOR="red")
    life.happens(AppDeleted(name=APP))
    life.happens(AppCreated(name=APP))
    life.deploy("user:ana", COLOR="blue")
    diff = diff_releases.handle(DiffReleases(app=APP, older="v1", newer="v2"), asked())
    assert Change(key="env.COLOR", before="red", after="blue") in diff.changes
    assert (diff.older.version, diff.older.created_by, diff.newer.version) == (1, "user:ana", 2)


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


def test_a_platform_in_reach_is_asked_for_what_is_new(life: Life, own: Journal, tmp_path: Path) -> None:
    life.deploy("user:ana")
    replica = replica_of(tmp_path, life.journal)
    life.deploy("user:bea")
    ctx = context(own, Ports(tmp_path, replica, Platform(life.journal)))
    assert diff_releases.handle(DiffReleases(app=APP), ctx).newer.version == 2
    replica.close()
