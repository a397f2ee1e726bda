"""The Procfile parser: what Heroku's examples say, and what any text does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.kernel.errors import RigError
from rig.node.builder.procfile import parse_procfile

names = st.from_regex(r"[A-Za-z0-9_-]{1,30}", fullmatch=True)
commands = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map(lambda text: f"run {text}")


def test_types_commands_comments_and_line_ends() -> None:
    text = "\ufeff# comment\r\nweb: gunicorn -b :$PORT app:app\r\n\r\n  worker :\tpython work.py  \nrelease: a: b"
    assert parse_procfile(text) == {
        "web": "gunicorn -b :$PORT app:app",
        "worker": "python work.py",
        "release": "a: b",
    }


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("web gunicorn", 1, "`web gunicorn` is not of the form"),
        ("# first\nweb: a\nweb: b", 3, "`web` stands on line 2 already"),
        ("web:", 1, "`web` has no command"),
        ("we/b: a", 1, "`we/b` is no process type"),
        ("a" * 31 + ": x", 1, "is no process type"),
        ("web: a\0b", 1, "NUL"),
    ],
)
def test_a_bad_line_is_named(text: str, line: int, part: str) -> None:
    with pytest.raises(RigError) as caught:
        parse_procfile(text)
    assert caught.value.code == "bad_config"
    assert caught.value.message.startswith(f"Procfile, line {line}: ")
    assert part in caught.value.message
    assert caught.value.details == {"file": "Procfile", "line": line}


@given(st.dictionaries(names, commands), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_written_is_read(processes: dict[str, str], line_end: str) -> None:
    lines = ["# a comment", *(f"{name}: {command}" for name, command in processes.items()), ""]
    assert parse_procfile(line_end.join(lines)) == processes


@given(st.text())
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    refused: RigError | None = None
    parsed: dict[str, str] = {}
    try:
        parsed = parse_procfile(text)
    except RigError as error:
        refused = error
    assert all(parsed.values())
    assert refused is None or 1 <= refused.details["line"] <= len(text) + 1
