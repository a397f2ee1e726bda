"""Masking: what a secret's value would show is its name."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.node.logs.lines import LineSplitter
from rig.node.logs.segments import CONTINUES, STDOUT
from rig.node.secrets.mask import SHORTEST, OutputMask

KEYS = {"LONG": "hunter2-and-more", "SHORT": "hunter2", "PEM": "-----BEGIN\nabcdef\n-----END\n", "PIN": "123"}


def masked(secrets: dict[str, str], text: str) -> str:
    """A text that came whole."""
    data = text.encode()
    return OutputMask(secrets)(data, len(data))[0].decode()


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
    assert masked(KEYS, text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("of user:passhost", "of [secret FIRST][secret SECOND]"),
        ("user:passhost user:pass", "[secret FIRST][secret SECOND] [secret FIRST]"),
        ("user:passhost:8080 and 8080", "[secret FIRST][secret SECOND][secret THIRD] and [secret FOURTH]"),
        ("passhost", "[secret SECOND]"),
        ("user:passuser:pass", "[secret FIRST][secret FIRST]"),
    ],
)
def test_of_values_that_overlap_nothing_is_left(text: str, shown: str) -> None:
    secrets = {"FIRST": "user:pass", "SECOND": "passhost", "THIRD": "host:8080", "FOURTH": "8080"}
    assert masked(secrets, text) == shown
    assert split([text.encode() + b"\n"], secrets) == [(STDOUT, shown.encode())]


@given(st.dictionaries(st.sampled_from("ABC"), st.text("ab", min_size=4, max_size=6), min_size=1), st.text("ab"))
def test_every_character_of_every_value_is_hidden(secrets: dict[str, str], text: str) -> None:
    covered = {
        place + offset
        for value in secrets.values()
        for place in range(len(text))
        if text.startswith(value, place)
        for offset in range(len(value))
    }
    left = "".join(character for place, character in enumerate(text) if place not in covered)
    assert re.sub(r"\[secret .\]", "", masked(secrets, text)) == left


def test_without_secrets_nothing_is_masked() -> None:
    assert masked({}, "anything") == "anything"


values = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=SHORTEST, max_size=8)


@given(st.dictionaries(st.sampled_from(["A", "B"]), values, min_size=1), st.text(), st.text())
def test_no_value_is_left_in_a_text(secrets: dict[str, str], before: str, after: str) -> None:
    for value in secrets.values():
        shown = masked(secrets, f"{before}\n{value}\n{after}")
        assert value not in shown.replace("[secret ", "[").splitlines()


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"url=hun", b"ter2!\nnext"], [b"url=[secret SHORT]!", b"next"]),
        ([b"-----BEG", b"IN\nabc", b"def\n-----END\n"], [b"[secret PEM]"] * 3),
        ([b"at 123\n"], [b"at 123"]),
        ([b"hunter2-and-", b"more\r\n"], [b"[secret LONG]"]),
        (["größe hunter2\n".encode()], ["größe [secret SHORT]".encode()]),
    ],
)
def test_output_is_masked_across_the_pieces_in_which_it_comes(pieces: list[bytes], lines: list[bytes]) -> None:
    assert split(pieces, KEYS) == [(STDOUT, line) for line in lines]


def split(pieces: list[bytes], secrets: dict[str, str], limit: int = 64 << 10) -> list[tuple[int, bytes]]:
    splitter = LineSplitter(STDOUT, limit, OutputMask(secrets))
    return [entry for piece in pieces for entry in splitter.feed(piece)] + splitter.flush()


def whole(entries: list[tuple[int, bytes]]) -> list[bytes]:
    """The lines, those that were cut put together again."""
    lines = [b""]
    for flags, payload in entries:
        lines[-1] += payload
        if not flags & CONTINUES:
            lines.append(b"")
    return lines[:-1] if not lines[-1] else lines


@given(
    st.lists(st.sampled_from([b"x", b"hunter2", b"hunter", b"2-and-more", b"abcdef", b"ab", "ü".encode(), b"\n"])),
    st.integers(1, 9),
    st.integers(4, 30),
)
def test_wherever_output_is_cut_it_is_masked_as_a_whole(words: list[bytes], piece: int, limit: int) -> None:
    data = b"".join(words)
    entries = split([data[i : i + piece] for i in range(0, len(data), piece)], KEYS, limit)
    mask = OutputMask(KEYS)
    lines = data.split(b"\n") if data else []
    wanted = [mask(line, len(line))[0] for line in lines]
    if wanted and not wanted[-1]:
        wanted.pop()
    assert whole(entries) == wanted
    assert all(len(payload) <= limit for _, payload in entries)


def test_a_secret_longer_than_a_line_may_be_is_hidden_as_a_whole() -> None:
    value = "s" + "0123456789" * 10
    [*parts, last] = split([b"a" * 15, value.encode(), b" and more " * 3, b"\n"], {"BIG": value}, limit=20)
    assert b"".join([*(payload for _, payload in parts), last[1]]) == b"a" * 15 + b"[secret BIG]" + b" and more " * 3
    assert all(flags & CONTINUES for flags, _ in parts)


def test_much_output_full_of_secrets_takes_time_in_proportion() -> None:
    """Lines of nothing but values, with one more value that stands at their end alone."""
    values = {"A": "aabb", **{f"K{number}": f"other-{number}" for number in range(100)}, "Z": "the-end"}
    mask = OutputMask(values)

    def seconds(count: int) -> float:
        line = b"aabb" * count + b"the-end"
        began = process_time()
        shown, taken = mask(line, len(line))
        took = process_time() - began
        assert (shown, taken) == (b"[secret A]" * count + b"[secret Z]", len(line))
        return took

    short, long = (min(seconds(count) for _ in range(5)) for count in (8 << 10, 64 << 10))
    assert long < 24 * short, "eight times the output takes eight times the time, or thereabouts"
