"""Remembering what was made of the very same arguments."""

from __future__ import annotations

import pytest

from rig.node.variables.remember import remembered


def test_the_same_objects_get_the_same_answer_and_equal_ones_another() -> None:
    made: list[int] = []

    @remembered(2)
    def count(first: list[int], second: list[int]) -> int:
        made.append(len(first) + len(second))
        return len(made)

    one, other, equal = [1], [2], [1]
    assert [count(one, other), count(one, other), count(equal, other), count(one, other)] == [1, 1, 2, 1]
    # A third one pushes out the first, and what was forgotten is made anew.
    assert [count(other, other), count(equal, other), count(one, other)] == [3, 2, 4]
    assert made == [2, 2, 2, 2]


def test_a_failure_is_not_remembered() -> None:
    fails = [True]

    @remembered(1)
    def once(fails: list[bool]) -> str:
        if fails.pop():
            raise ValueError("once")
        return "made"

    with pytest.raises(ValueError, match="once"):
        once(fails)
    fails.append(False)
    assert once(fails) == "made"
