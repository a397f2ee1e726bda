"""One file, one verdict: rig and the program that ships with an export find the same in any file, word by word."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import canonical, exports, verify_export
from storage.evidence import Evidence
from storage.export import Selection
from storage.verify_export import MAX_DEPTH, MAX_INT, Export
from tests.storage.support import fill
from tests.storage.test_export import COUNT, SOME, export_to, run, trusted

HOSTILE: list[bytes] = [
    *(b"", b"null", b"[]", b"{}", b"-0", b"1.5", b"1e5", b"NaN", b"-Infinity", b"true", b'""', b"hello", b"\x00"),
    *(b"\xff\xfe", b"\xef\xbb\xbf{}", b'"\\ud800"', b'"\xed\xa0\x80"', b'"\\u0041"', b'"\x7f\xe2\x80\xa8"', b'"\\b"'),
    *(b"%d" % value for value in (MAX_INT, MAX_INT + 1, -MAX_INT - 1, 2**63, 2**64, -(2**63) - 1, 10**4000)),
    b"1" * 5000,
    *(b"[" * deep + b"]" * deep for deep in (2, MAX_DEPTH - 2, MAX_DEPTH, 900, 995, 2000, 100_000)),
    *(b'{"a":' * deep + b"1" + b"}" * deep for deep in (MAX_DEPTH, 100_000)),
    *(
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'["' + b"0" * 64 + b'"]',
        b'["zz"]',
        b"[7]",
    ),
    b'"' + b"[" * 1000 + b'"',
    b'":' + b"9" * 20 + b'"',
]
"""Pieces of JSON, of what looks like it, and of what some reader of it takes in, or stops at."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, bytes]]:
    """A folder, the trusted key, and exports to do harm to."""
    folder = tmp_path_factory.mktemp("agreement")
    fill(folder, COUNT)
    kinds = {"whole": Selection(), "a part": Selection(first=3, end=9), "picked": SOME}
    return folder, trusted(folder), {name: export_to(folder, chosen).read_bytes() for name, chosen in kinds.items()}


def agreed(folder: Path, key: str, data: bytes) -> Export:
    """What both find; neither stops with the words of its library."""
    path = folder / "harmed.jsonl"
    path.write_bytes(data)
    ours, theirs = exports.check(str(path), key, ""), Export(str(path), key).check()
    assert (ours.verdict, ours.findings) == (theirs.verdict, theirs.findings)
    assert (ours.header, ours.count, ours.size, ours.root) == (theirs.header, theirs.count, theirs.size, theirs.root)
    assert not [text for _, text, _, _ in ours.findings if "broke the check" in text or "Error" in text]
    assert msgspec.json.encode(exports.report(ours))
    return ours


def refitted(lines: list[bytes]) -> bytes:
    """The lines, with a trailer that counts them and has their digest, where the last one is a trailer."""
    try:
        trailer = json.loads(lines[-1])
        trailer |= {"sha256": sha256(b"\n".join([*lines[:-1], b""])).hexdigest()}
        lines = [*lines[:-1], json.dumps(trailer, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()]
    except (ValueError, TypeError, RecursionError):
        pass
    return b"\n".join([*lines, b""])


def fields_of(line: bytes) -> list[str]:
    return sorted(json.loads(line))


@pytest.mark.parametrize("kind", ["whole", "a part", "picked"])
def test_what_is_whole_verifies_by_both(made: Any, kind: str) -> None:
    folder, key, kinds = made
    assert agreed(folder, key, kinds[kind]).verdict == "verified"


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: f"{value[:12]!r} {len(value)}")
@pytest.mark.parametrize("kind", ["whole", "picked"])
def test_a_line_or_a_field_of_it_that_is_something_else(made: Any, kind: str, hostile: bytes) -> None:
    folder, key, kinds = made
    lines = kinds[kind].splitlines()
    for number in (0, 1, 2, len(lines) - 1):
        agreed(folder, key, refitted([*lines[:number], hostile, *lines[number + 1 :]]))
        for field in fields_of(lines[number]):
            value = json.loads(lines[number])[field]
            was = b'"%s":%s' % (field.encode(), canonical.encode(value))
            harmed = lines[number].replace(was, b'"%s":%s' % (field.encode(), hostile))
            agreed(folder, key, refitted([*lines[:number], harmed, *lines[number + 1 :]]))


def test_what_is_no_header_is_no_export_however_deeply_it_is_nested(made: Any) -> None:
    folder, key, _ = made
    for first in (b"[" * 100_000, b'{"a":' * 100_000, b"{}", b"[]", b"\xff"):
        checked = agreed(folder, key, first + b"\n")
        assert (checked.verdict, [code for code, *_ in checked.findings]) == ("unverifiable", ["NOT_AN_EXPORT"])
        done = run(folder / "harmed.jsonl", "--key", key)
        assert (done.returncode, done.stderr) == (65, "")
        assert Evidence(pytest.fail).origin_of(str(folder / "harmed.jsonl")) == ""


@pytest.mark.parametrize("hostile", [b"%d" % (MAX_INT + 1), b"[" * 501 + b"]" * 501], ids=["a number", "nested"])
def test_what_some_readers_of_json_take_and_others_do_not_is_in_no_header_and_no_trailer(
    made: Any, hostile: bytes
) -> None:
    folder, key, kinds = made
    lines = kinds["whole"].splitlines()
    header = lines[0].replace(b'"filter":{}', b'"filter":' + hostile)
    checked = agreed(folder, key, refitted([header, *lines[1:]]))
    assert [code for code, *_ in checked.findings] == ["NOT_AN_EXPORT"]
    trailer = lines[-1].replace(b'"consistency":[]', b'"consistency":' + hostile)
    checked = agreed(folder, key, refitted([*lines[:-1], trailer]))
    assert (checked.verdict, [code for code, *_ in checked.findings]) == ("tampered", ["EDITED"])


def test_what_is_nested_as_deeply_as_may_be_can_be_recorded_and_no_more() -> None:
    assert (canonical.MAX_DEPTH, canonical.MAX_INT) == (verify_export.MAX_DEPTH, MAX_INT)
    for deep, fits in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
        line = b'{"a":' * deep + b"1" + b"}" * deep
        value = json.loads(line)
        assert verify_export.within_limits(value) is fits
        if fits:
            assert canonical.encode(value) == line
        else:
            with pytest.raises(ValueError, match="nested too deeply"):
                canonical.encode(value)


Harm = tuple[str, int, int, bytes]
harms = st.tuples(
    st.sampled_from(["flip", "cut", "drop", "repeat", "put", "line", "field"]),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 16),
    st.one_of(st.sampled_from(HOSTILE), st.binary(min_size=1, max_size=6)),
)


def harmed(data: bytes, harm: Harm) -> bytes:
    """The export with one thing done to it, at a place that two numbers give."""
    kind, first, second, piece = harm
    at = first % (len(data) or 1)
    span = second % 90
    lines = data.splitlines() or [b""]
    number = first % len(lines)
    match kind:
        case "flip":
            return data[:at] + bytes([byte ^ (1 << second % 8) for byte in data[at : at + 1]]) + data[at + 1 :]
        case "cut":
            return data[:at]
        case "drop":
            return data[:at] + data[at + span :]
        case "repeat":
            return data[: at + span] + data[at:]
        case "put":
            return data[:at] + piece + data[at:]
        case "line":
            return refitted([*lines[:number], piece, *lines[number + 1 :]])
    try:
        value = json.loads(lines[number])
        value[sorted(value)[second % len(value)]] = msgspec.json.decode(piece)
        line = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError, ZeroDivisionError):
        line = piece
    return refitted([*lines[:number], line, *lines[number + 1 :]])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(["whole", "a part", "picked"]), done=st.lists(harms, min_size=1, max_size=3))
def test_whatever_was_done_to_it_both_find_the_same(made: Any, kind: str, done: list[Harm]) -> None:
    folder, key, kinds = made
    data = kinds[kind]
    for harm in done:
        data = harmed(data, harm)
    agreed(folder, key, data)
