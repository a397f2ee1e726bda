"""What people type who come from other tools."""

from __future__ import annotations

import pytest

from rig.cli.elsewhere import ELSEWHERE, suggestion
from rig.cli.run import find_noun, find_verbs
from rig.kernel.errors import RigError
from rig.verbs import VERBS


@pytest.mark.parametrize(("typed", "meant"), sorted(ELSEWHERE.items()))
def test_what_is_suggested_is_there(typed: str, meant: str) -> None:
    assert typed not in VERBS, "rig has it now, so nobody is ever told"
    _, name, *rest = meant.split()
    if not name.startswith("-"):
        verbs = find_verbs(name)
        assert not rest or rest[0].startswith("-") or find_noun(name, verbs, rest)[0] in verbs


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("apps", "rig list apps"), ("app", "rig list apps"), ("deploi", "rig deploy"), ("ps", "rig status app")],
)
def test_the_nearest_is_suggested(typed: str, meant: str) -> None:
    with pytest.raises(RigError) as unknown:
        find_verbs(typed)
    assert unknown.value.hint == f"Did you mean `{meant}`?"
    assert suggestion(typed) == meant


def test_what_is_like_nothing_gets_the_list() -> None:
    with pytest.raises(RigError) as unknown:
        find_verbs("xyzzy")
    assert unknown.value.hint == "`rig --help` lists them."


def test_a_noun_that_is_nearly_right() -> None:
    with pytest.raises(RigError) as unknown:
        find_noun("list", find_verbs("list"), ["netwroks"])
    assert unknown.value.hint.endswith(" Did you mean `rig list networks`?")


@pytest.mark.parametrize(
    ("name", "rest", "noun", "left"),
    [
        ("status", ["demo/hello"], "app", ["demo/hello"]),
        ("details", ["-o", "json", "demo/hello"], "app", ["-o", "json", "demo/hello"]),
        ("history", ["app", "demo/hello"], "", ["demo/hello"]),
        ("rollback", ["app", "demo/hello", "v1"], "", ["demo/hello", "v1"]),
        ("rollback", ["app", "v1"], "", ["app", "v1"]),
        ("history", ["app", "--limit", "a/b"], "", ["app", "--limit", "a/b"]),
        ("deploy", ["app", "./folder"], "", ["app", "./folder"]),
    ],
)
def test_an_app_is_known_by_its_name(name: str, rest: list[str], noun: str, left: list[str]) -> None:
    """`app` may be left out, and may stand where it is not needed; an app or a folder may be called so, too."""
    assert find_noun(name, find_verbs(name), rest) == (noun, left)
