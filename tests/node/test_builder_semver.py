"""npm's ranges, by node-semver's own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.node.builder.semver import Version, parse_version, range_of_specifier, satisfies

versions = st.tuples(*[st.integers(0, 30)] * 3)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        (">=18", ["18.0.0", "22.1.0"], ["17.9.9"]),
        ("18", ["18.0.0", "18.20.1"], ["19.0.0", "17.0.0"]),
        ("18.x", ["18.3.0"], ["19.0.0"]),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1", ["1.9.9"], ["2.0.0"]),
        ("1.2.3 - 2.3", ["1.2.3", "2.3.9"], ["2.4.0", "1.2.2"]),
        (">=18 <21 || ^22.1", ["18.0.0", "22.4.0"], ["21.0.0", "22.0.0"]),
        (">18", ["19.0.0"], ["18.9.0"]),
        ("<= 18", ["18.9.0"], ["19.0.0"]),
        ("*", ["0.0.0", "30.1.2"], []),
        ("", ["1.0.0"], []),
        ("v20.1.0", ["20.1.0"], ["20.1.1"]),
    ],
)
def test_ranges(wanted: str, inside: list[str], outside: list[str]) -> None:
    for text, expected in [(text, True) for text in inside] + [(text, False) for text in outside]:
        version = parse_version(text)
        assert version is not None
        assert satisfies(version, wanted) is expected, (text, wanted)


@pytest.mark.parametrize("wanted", ["latest", "git+https://host/x", "file:../x", ">=lts", "1.2.3.4"])
def test_what_is_no_range_is_unknown(wanted: str) -> None:
    assert satisfies((1, 2, 3), wanted) is None


@given(versions, versions)
def test_comparators_agree_with_the_order_of_versions(version: Version, other: Version) -> None:
    text = ".".join(map(str, other))
    assert satisfies(version, f">={text}") is (version >= other)
    assert satisfies(version, f"<{text}") is (version < other)
    assert satisfies(version, text) is (version == other)


@given(versions, st.text(alphabet="0123456789.xX*^~<>=|- v", max_size=20))
def test_no_range_makes_it_fail(version: Version, wanted: str) -> None:
    assert satisfies(version, wanted) in (True, False, None)


@pytest.mark.parametrize(
    ("specifier", "inside", "outside"),
    [
        (">=3.11", (3, 11, 0), (3, 10, 9)),
        (">= 3.11, <4", (3, 14, 1), (4, 0, 0)),
        ("~=3.11", (3, 12, 0), (4, 0, 0)),
        ("~=3.11.2", (3, 11, 9), (3, 12, 0)),
        ("==3.12.*", (3, 12, 7), (3, 13, 0)),
        (">=3.9,!=3.9.1", (3, 10, 0), (3, 8, 0)),
    ],
)
def test_specifiers_of_python(specifier: str, inside: Version, outside: Version) -> None:
    assert satisfies(inside, range_of_specifier(specifier)) is True
    assert satisfies(outside, range_of_specifier(specifier)) is False


def test_no_specifier_allows_everything() -> None:
    assert satisfies((3, 8, 0), range_of_specifier("")) is True
