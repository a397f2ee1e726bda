"""What is asked on a terminal: a yes, a no, Ctrl-C. After all but a yes nothing was done, and the record says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.rig import User, web_app
from tests.faults.harness import Record
from tests.faults.terminal import OnTerminal

ASKED = "Promote v1 of demo/tried to demo/live? [y/N] "


@pytest.fixture(scope="module")
def tried(user: User, tmp_path_factory: pytest.TempPathFactory) -> User:
    """A user with an app that serves."""
    user.deploy(web_app(tmp_path_factory.mktemp("source")), "demo/tried")
    return user


@pytest.fixture
def two(tried: User) -> Iterator[User]:
    """The same with an empty app."""
    tried.ok("create", "app", "demo/live")
    yield tried
    tried.ok("delete", "app", "demo/live", "--yes")


@pytest.mark.parametrize("answer", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
def test_a_secret_that_is_not_typed_leaves_nothing_open(tried: User, answer: str) -> None:
    record = Record(tried.home)
    with OnTerminal("create", "secret", "demo/tried", "KEY", env=tried.environ) as running:
        running.wait_for("Value of KEY: ")
        running.type(answer)
        ended, _ = running.wait()
        assert ended == 130, running.text
        running.wait_for("Nothing was done.")
        assert running.settings == running.before
    assert record.news()[-1].outcome == "failure", "it is known that nothing came of it"
    assert record.outbox()[-1][1] == "refused"
    assert tried.ok("list", "secrets", "demo/tried", "-o", "json").data["secrets"] == []


def test_nobody_is_asked_for_what_is_sure_to_be_refused(tried: User) -> None:
    with OnTerminal("delete", "network", "demo", env=tried.environ) as running:
        ended, _ = running.wait()
        assert ended == 73, running.text
        running.wait_for("still has")
        running.wait_for("rig delete network demo --cascade")
        assert "[y/N]" not in running.text


def promoting(user: User) -> OnTerminal:
    return OnTerminal("promote", "demo/tried", "demo/live", env=user.environ)


def releases(user: User) -> list[int]:
    return [release["version"] for release in user.ok("history", "demo/live", "-o", "json").data["releases"]]


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x03", "\x04"], ids=["no", "return", "Ctrl-C", "end of input"])
def test_all_but_a_yes_does_nothing(two: User, answer: str) -> None:
    record = Record(two.home)
    with promoting(two) as running:
        running.wait_for(ASKED)
        assert "Variables that will differ" not in running.text
        running.wait_for("none yet")
        running.type(answer)
        ended, _ = running.wait()
        assert ended == 130, running.text
        running.wait_for("Nothing was done.")
        assert running.settings == running.before
    assert record.news()[-1].outcome == "failure", "it is known that nothing came of it"
    assert releases(two) == []
    assert two.ok("whoami").stderr == ""


def test_a_yes_does_it(two: User) -> None:
    with promoting(two) as running:
        running.wait_for(ASKED)
        running.type("y\n")
        ended, _ = running.wait()
        assert ended == 0, running.text
        running.wait_for("serves demo/live: the build of demo/tried v1")
    assert len(releases(two)) == 1
    assert two.get("demo/live") == two.get("demo/tried")
