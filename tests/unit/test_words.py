"""Names of which there may be many."""

from __future__ import annotations

import pytest

from rig.kernel.words import some_of


@pytest.mark.parametrize(
    ("texts", "separator", "told"),
    [
        ([], ", ", ""),
        (["a", "b"], ", ", "a, b"),
        (["a", "b", "c"], ", ", "a, b and 1 more"),
        (["a b", "c d", "e", "f"], "; ", "a b; c d; and 2 more"),
    ],
)
def test_of_many_the_first_are_told(texts: list[str], separator: str, told: str) -> None:
    assert some_of(texts, 2, separator) == told
