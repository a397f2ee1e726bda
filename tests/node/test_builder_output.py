"""The kept output of a build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.contract.releases import LogLine
from rig.node.builder.output import LINE_LIMIT, TAIL_LINES, TAIL_WIDTH, BuildLog, read_logs


def read_log(path: Path, after: int = 0, limit: int = 1000) -> list[LogLine]:
    return read_logs((path,), after, limit)[0]


def test_lines_are_numbered_kept_and_echoed(tmp_path: Path) -> None:
    echoed: list[str] = []
    with BuildLog(tmp_path / "log", echoed.append) as log:
        log.heading("Installing")
        log.output("collected")
        log.note("done")
    lines = read_log(tmp_path / "log")
    assert [(line.seq, line.source, line.text) for line in lines] == [
        (1, "rig", "-----> Installing"),
        (2, "out", "collected"),
        (3, "rig", "       done"),
    ]
    assert echoed == [line.text for line in lines] == log.tail()
    assert all(line.at.endswith("Z") for line in lines)


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "log") as log:
        for number in range(10):
            log.output(str(number))
        assert [line.text for line in read_log(tmp_path / "log", after=3, limit=2)] == ["3", "4"]
    assert read_log(tmp_path / "log", after=10) == []
    assert read_log(tmp_path / "missing") == []


def test_a_line_is_on_file_before_the_next_is_taken(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "log") as log:
        log.output("first")
        assert [line.text for line in read_log(tmp_path / "log")] == ["first"]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "log") as log:
        log.output("whole")
        log.output("torn")
    data = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(data[:-5])
    assert [line.text for line in read_log(tmp_path / "log")] == ["whole"]


def test_what_a_full_disk_took_of_a_line_does_not_swallow_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BuildLog(tmp_path / "log") as log:
        log.output("first")
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda fd, data, write=os.write: write(fd, data[:9]))
            with pytest.raises(OSError, match="No space left"):
                log.output("second")
        log.output("third")
    assert [line.text for line in read_log(tmp_path / "log")] == ["first", "third"]


def test_the_size_is_bounded_and_the_end_is_kept(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "log", limit=10_000) as log:
        for number in range(5_000):
            log.output(f"line {number}")
    texts = [line.text for line in read_log(tmp_path / "log", limit=10_000)]
    assert texts[0] == "line 0"
    assert texts[-1] == "line 4999"
    mark = next(text for text in texts if "left out" in text)
    left_out = int(mark.split()[1])
    assert len(texts) - 1 + left_out == 5_000
    assert texts.index(mark) == len(texts) - TAIL_LINES - 1
    assert (tmp_path / "log").stat().st_size < 10_000 + 200 * TAIL_LINES


def test_a_long_line_is_cut_with_a_mark(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "log") as log:
        log.output("x" * (LINE_LIMIT + 7))
        assert [len(line) for line in log.tail()] == [TAIL_WIDTH]
    assert read_log(tmp_path / "log")[0].text.endswith("x [… 7 characters cut]")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), max_size=20))
def test_any_text_comes_back_as_it_was(texts: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        with BuildLog(path) as log:
            for text in texts:
                log.output(text)
        assert [line.text for line in read_log(path)] == texts


def test_logs_that_follow_each_other_are_numbered_through(tmp_path: Path) -> None:
    paths = [tmp_path / "build", tmp_path / "missing", tmp_path / "release"]
    for path, texts in ((paths[0], ("1", "2", "3")), (paths[2], ("4", "5"))):
        with BuildLog(path) as log:
            for text in texts:
                log.output(text)

    def page(after: int, limit: int) -> tuple[list[tuple[int, str]], bool]:
        lines, complete = read_logs(paths, after, limit)
        return [(line.seq, line.text) for line in lines], complete

    assert page(0, 10) == ([(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")], True)
    assert page(2, 2) == ([(3, "3"), (4, "4")], False)
    assert page(3, 2) == ([(4, "4"), (5, "5")], True)
    assert page(5, 2) == ([], True)
