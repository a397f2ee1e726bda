"""Masking: what a secret's value would show is its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.node.secrets.mask import SHORTEST, Mask

KEYS = {"LONG": "hunter2-and-more", "SHORT": "hunter2", "PEM": "-----BEGIN\nabcdef\n-----END\n", "PIN": "123"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing here", "nothing here"),
        ("url=hunter2!", "url=[secret SHORT]!"),
        ("hunter2-and-more, hunter2", "[secret LONG], [secret SHORT]"),
        ("of the key: abcdef", "of the key: [secret PEM]"),
        ("-----BEGIN", "[secret PEM]"),
        ("at 12:12:123", "at 12:12:123"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert Mask(KEYS)(text) == shown


def test_without_secrets_nothing_is_masked() -> None:
    assert Mask()("anything") == "anything"


values = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=SHORTEST, max_size=8)


@given(st.dictionaries(st.sampled_from(["A", "B"]), values, min_size=1), st.text(), st.text())
def test_no_value_is_left_in_a_text(secrets: dict[str, str], before: str, after: str) -> None:
    for value in secrets.values():
        masked = Mask(secrets)(f"{before}\n{value}\n{after}")
        assert value not in masked.replace("[secret ", "[").splitlines()
