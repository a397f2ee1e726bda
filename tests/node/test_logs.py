"""Log streams: what is written is read, once and in order, whatever happens in between."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.node.logs.lines import MAX_LINE, LineSplitter
from rig.node.logs.reader import Line, LogReader
from rig.node.logs.retention import prune
from rig.node.logs.segments import CONTINUES, END, HEADER, MAGIC, NOTE, STDERR, STDOUT, Writer, encode, scan, segments

AT = 1_700_000_000_000_000_000


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def newest(folder: Path) -> Path:
    return Path(segments(str(folder))[-1][1])


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 255), st.binary())))
def test_frames_come_back_as_they_were(frames: list[tuple[int, int, int, bytes]]) -> None:
    data = b"".join(encode(*frame) for frame in frames)
    found = list(scan(data))
    assert [frame for frame, _ in found] == frames
    assert not found or found[-1][1] == len(data)


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_a_torn_or_damaged_frame_ends_the_scan(first: bytes, second: bytes, data: st.DataObject) -> None:
    good = encode(1, AT, STDOUT, first)
    bad = bytearray(encode(2, AT, STDOUT, second))
    if data.draw(st.booleans()):
        del bad[data.draw(st.integers(0, len(bad) - 1)) :]
    else:
        bad[data.draw(st.integers(0, len(bad) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert [frame[0] for frame, _ in scan(good + bytes(bad))] == [1]


@given(st.binary(max_size=300), st.integers(1, 20), st.integers(4, 30))
@example(b"a\r\r\nb\r\r", 1, 4)
def test_lines_do_not_depend_on_the_pieces(data: bytes, piece: int, limit: int) -> None:
    splitter = LineSplitter(STDOUT, limit)
    entries = [entry for i in range(0, len(data), piece) for entry in splitter.feed(data[i : i + piece])]
    entries += splitter.flush()
    lines, part = [], b""
    for flags, payload in entries:
        assert len(payload) <= limit
        part += payload
        if not flags & CONTINUES:
            lines.append(part)
            part = b""
    wanted = data.split(b"\n")
    if wanted[-1] == b"":
        wanted.pop()
    assert part == b""
    assert lines == [line.removesuffix(b"\r") for line in wanted], "one carriage return before the line end goes"


def test_a_long_line_is_cut_between_characters() -> None:
    splitter = LineSplitter(STDERR, limit=10)
    entries = splitter.feed("äöüäöüäöü\nend\n".encode())
    assert entries[0] == (STDERR | CONTINUES, "äöüäö".encode())
    assert b"".join(payload for _, payload in entries[:-1]).decode() == "äöüäöüäöü"
    for _, payload in LineSplitter(STDOUT, limit=9).feed("äöüäöüäöü\n".encode()):
        payload.decode()


def test_an_endless_line_takes_no_endless_memory() -> None:
    splitter = LineSplitter(STDOUT)
    entries = splitter.feed(b"x" * (3 * MAX_LINE + 1))
    assert [len(payload) for _, payload in entries] == [MAX_LINE] * 3
    assert splitter.flush() == [(STDOUT, b"x")]


def test_reading_on_gives_every_line_once(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path), segment_bytes=2000)
    reader = LogReader(tmp_path)
    seen: list[Line] = []
    for i in range(300):
        writer.append([(STDOUT, f"line {i}".encode()), (STDERR, f"err {i}".encode())], AT + i)
        if i % 7 == 0:
            seen += reader.read(seen[-1].seq if seen else 0).lines
    seen += reader.read(seen[-1].seq).lines
    assert [line.seq for line in seen] == list(range(1, 601))
    assert texts(seen)[:4] == ["line 0", "err 0", "line 1", "err 1"]
    assert {line.source for line in seen} == {"stdout", "stderr"}
    assert seen[-1].at == AT + 299
    assert len(segments(str(tmp_path))) > 5


@given(st.integers(0, 120), st.integers(1, 130))
def test_any_part_can_be_read(tmp_path_factory: pytest.TempPathFactory, after: int, limit: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-part"
    if not folder.exists():
        writer = Writer(str(folder), segment_bytes=500)
        for i in range(1, 101):
            writer.append([(STDOUT, str(i).encode())], AT)
        writer.close()
    batch = LogReader(folder).read(after, limit)
    assert texts(batch.lines) == [str(i) for i in range(1, 101)][after : after + limit]
    assert batch.gaps == []


def test_a_reader_that_took_part_of_what_is_there_goes_on_behind_it(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path))
    writer.append([(STDOUT, str(i).encode()) for i in range(10)], AT)
    reader = LogReader(tmp_path)
    assert texts(reader.read(0, limit=4).lines) == ["0", "1", "2", "3"]
    assert texts(reader.read(4, limit=4).lines) == ["4", "5", "6", "7"]
    assert texts(reader.read(8, limit=4).lines) == ["8", "9"]
    assert reader.read(10).lines == []
    writer.append([(STDOUT, b"10")], AT)
    assert texts(reader.read(10).lines) == ["10"]


def test_the_tail_reaches_over_segments(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path), segment_bytes=300)
    for i in range(100):
        writer.append([(STDOUT, str(i).encode())], AT)
    reader = LogReader(tmp_path)
    assert texts(reader.tail(30)) == [str(i) for i in range(70, 100)]
    assert texts(reader.tail(1000)) == [str(i) for i in range(100)]
    assert reader.tail(0) == []
    assert LogReader(tmp_path / "nothing").tail(5) == []
    assert LogReader(tmp_path / "nothing").bounds() == (1, 0)


def test_the_end_is_told_with_the_last_lines_only(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path))
    writer.append([(STDOUT, b"a"), (STDOUT, b"b")], AT)
    writer.append([(END, b"exit 3")], AT)
    reader = LogReader(tmp_path)
    assert reader.read(0, limit=1).ended == ""
    assert reader.read(1).ended == "exit 3"
    assert reader.bounds() == (1, 2)
    writer.append([(NOTE, b"one more")], AT)
    assert [(line.seq, line.source) for line in reader.read(2).lines] == [(3, "rig")]
    assert LogReader(tmp_path).read(0).ended == ""


def test_retention_shows_as_a_gap_and_bounds_the_size(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path), segment_bytes=1000, total_bytes=5000)
    for _ in range(500):
        writer.append([(STDOUT, b"x" * 50)], AT)
    first, last = LogReader(tmp_path).bounds()
    assert last == 500
    assert first > 400
    batch = LogReader(tmp_path).read(0)
    assert batch.gaps == [(1, first - 1)]
    assert [line.seq for line in batch.lines] == list(range(first, 501))
    assert sum(Path(path).stat().st_size for _, path in segments(str(tmp_path))) < 6500


@pytest.mark.parametrize("cut", range(1, HEADER.size + 5))
def test_a_torn_tail_is_cut_off_and_numbering_goes_on(tmp_path: Path, cut: int) -> None:
    writer = Writer(str(tmp_path))
    writer.append([(STDOUT, b"one"), (STDOUT, b"two"), (STDOUT, b"three")], AT)
    writer.close()
    path = newest(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    assert texts(LogReader(tmp_path).read().lines) == ["one", "two"]
    writer = Writer(str(tmp_path))
    writer.append([(STDOUT, b"again")], AT)
    batch = LogReader(tmp_path).read()
    assert [(line.seq, line.text) for line in batch.lines] == [(1, "one"), (2, "two"), (3, "again")]
    assert batch.gaps == []


def test_a_segment_that_was_only_begun_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "00000000000000000007.seg").write_bytes(MAGIC[:3])
    writer = Writer(str(tmp_path))
    writer.append([(STDOUT, b"seven")], AT)
    assert [(line.seq, line.text) for line in LogReader(tmp_path).read(6).lines] == [(7, "seven")]


def test_damage_in_the_middle_is_a_gap_and_not_the_end(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path), segment_bytes=300)
    for i in range(1, 41):
        writer.append([(STDOUT, f"{i:03d}".encode())], AT)
    found = segments(str(tmp_path))
    path = Path(found[1][1])
    data = bytearray(path.read_bytes())
    data[len(MAGIC) + HEADER.size + 1] ^= 0xFF
    path.write_bytes(data)
    batch = LogReader(tmp_path).read()
    assert batch.gaps == [(found[1][0], found[2][0] - 1)]
    assert batch.lines[-1].text == "040"


FULL_DISK = """
import resource, signal, sys
from rig.node.logs.segments import STDOUT, Writer
writer = Writer(sys.argv[1])
writer.append([(STDOUT, b"before")], 1)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
writer.append([(STDOUT, b"x" * 500)], 1)
writer.append([(STDOUT, b"y" * 500)], 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.append([(STDOUT, b"after")], 1)
"""


def test_a_full_disk_loses_lines_and_says_so(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], check=True, timeout=60)
    batch = LogReader(tmp_path).read()
    assert texts(batch.lines) == ["before", "after"]
    assert batch.gaps == [(2, 3)]


def test_bytes_that_are_no_text_are_shown_as_replacement(tmp_path: Path) -> None:
    Writer(str(tmp_path)).append([(STDOUT, b"caf\xe9 \x00")], AT)
    assert texts(LogReader(tmp_path).read().lines) == ["caf\ufffd \x00"]


def test_old_streams_are_removed_and_live_ones_kept(tmp_path: Path) -> None:
    for name in "abcdef":
        Writer(str(tmp_path / name)).append([(STDOUT, b"x" * 1000)], AT)
    assert prune(tmp_path, live={"a"}, runs=3) == ["c", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d", "e", "f"]
    assert prune(tmp_path, live={"f"}, size=1500) == ["e", "d", "a"]
