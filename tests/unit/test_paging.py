"""Rows of lists: filters, pages, and that no more of them are made than a page takes."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.contract.apps import App, ListApps
from rig.contract.secrets import Secret
from rig.contract.variables import Var
from rig.kernel.errors import RigError
from rig.kernel.filtering import condition, filterable
from rig.node.paging import rows_of

SHOP = App(name="demo/shop", url="", hostname="", status="live", version=3, created_by="user:ana")


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([], True),
        (["name=demo/shop"], True),
        (["name=shop"], True),
        (["name=sh*"], True),
        (["name=*o?"], True),
        (["name=hop"], False),
        (["name=SHOP"], False),
        (["name=[s]hop"], False),
        (["name!=sh*"], False),
        (["status=live", "version=3"], True),
        (["status=live", "version=v3"], True),
        (["status=live", "version=2"], False),
        (["message="], True),
        (["created_by=*:ana"], True),
    ],
)
def test_a_row_passes_all_filters_or_is_left_out(filters: list[str], passes: bool) -> None:
    assert condition(App, filters)(SHOP) is passes


def test_a_field_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(RigError) as refused:
        condition(App, ["processes=web"])
    assert (refused.value.code, refused.value.exit) == ("usage", 64)
    assert "name, url, hostname, status, version" in refused.value.hint
    assert "processes" not in refused.value.hint


def test_truths_and_values_of_variables() -> None:
    row = Var(name="A", value="eu-west", origin="network")
    assert condition(Var, ["value=eu-*", "deployed=true", "origin=network"])(row)
    assert not condition(Var, ["secret=true"])(row)
    assert "stack" not in filterable(Var)
    assert {"hidden", "deployed", "version"} <= set(filterable(Secret))


class _Row(msgspec.Struct, frozen=True):
    key: str
    odd: bool


@pytest.mark.parametrize(
    ("after", "limit", "page", "following"),
    [
        ("", 2, ["a", "b"], "b"),
        ("b", 2, ["c"], ""),
        ("", 3, ["a", "b", "c"], ""),
        ("bb", 1, ["c"], ""),
        ("z", 1, [], ""),
    ],
)
def test_pages(after: str, limit: int, page: list[str], following: str) -> None:
    asked = ListApps(after=after, limit=limit)
    found, then = rows_of(["a", "b", "c"], lambda name: [_Row(name, False)], _Row, asked)
    assert ([row.key for row in found], then) == (page, following)


keys = st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True, max_size=30).map(sorted)


@given(keys, st.integers(1, 7), st.booleans())
def test_pages_together_are_the_filtered_list(names: list[str], limit: int, filtered: bool) -> None:
    rows = {name: [_Row(name, len(name) % 2 == 1)] for name in names}
    wanted = [name for name in names if not filtered or len(name) % 2]
    found: list[str] = []
    after, pages = "", 0
    while True:
        asked = ListApps(filter=["odd=true"] if filtered else [], limit=limit, after=after)
        page, after = rows_of(names, rows.__getitem__, _Row, asked)
        found += [row.key for row in page]
        pages += 1
        assert len(page) <= limit
        if not after:
            break
    assert found == wanted
    assert pages == max(1, -(-len(wanted) // limit))


def test_no_more_rows_are_made_than_a_page_takes() -> None:
    made: list[str] = []

    def row(name: str) -> list[_Row]:
        made.append(name)
        return [_Row(name, True)]

    names = [f"a{number:03}" for number in range(500)]
    assert rows_of(names, row, _Row, ListApps(limit=5, after="a009"))[1] == "a014"
    assert len(made) == 5
    made.clear()
    assert rows_of(names, row, _Row, ListApps(limit=5, after="a009", filter=["odd=true"]))[1] == "a014"
    assert len(made) == 6


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_stars_and_question_marks_are_those_of_a_shell(wildcards: str, text: str) -> None:
    row = msgspec.structs.replace(SHOP, message=text)
    assert condition(App, [f"message={wildcards}"])(row) is fnmatchcase(text, wildcards)


def test_many_stars_cost_no_more_than_few() -> None:
    """A pattern that goes back over every star would not end in this test's lifetime."""
    row = msgspec.structs.replace(SHOP, message="a" * 60_000)
    assert not condition(App, ["message=" + "*a" * 95 + "*b"])(row)
    assert condition(App, ["message=" + "*a" * 95])(row)
