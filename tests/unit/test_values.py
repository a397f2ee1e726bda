"""Values as they are handed over: files of variables, and secrets byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.create_secret import read_value
from handlers.create_vars import wanted
from handlers.dotenv import parse
from rig.contract.names import suggest_variable, variable_problem
from rig.contract.variables import CreateVars
from rig.kernel.errors import RigError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB=two words \n", {"A": "1", "B": "two words"}),
        ("# a comment\n\n  export A = 1 # and another\n", {"A": "1"}),
        ("A='x # $HOME \\n'\n", {"A": "x # $HOME \\n"}),
        ('A="one\\ntwo \\"quoted\\" \\$x"\n', {"A": 'one\ntwo "quoted" $x'}),
        ('KEY="-----BEGIN-----\nabc\n-----END-----"\nB=1', {"KEY": "-----BEGIN-----\nabc\n-----END-----", "B": "1"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A=a#b=c\r\nB=2\r\n", {"A": "a#b=c", "B": "2"}),
        ("\ufeffA=1\nA=2\n", {"A": "2"}),
        ("", {}),
    ],
)
def test_what_a_file_says(text: str, values: dict[str, str]) -> None:
    assert parse(text.encode()) == values


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nhunter2\n", 2), ("1A=hunter2", 1), ("A='hunter2\n", 1), ('A="x" hunter2\n', 1)]
)
def test_what_it_cannot_say(text: str, line: int) -> None:
    with pytest.raises(RigError) as caught:
        parse(text.encode())
    assert f"Line {line} " in caught.value.message
    assert "hunter2" not in caught.value.message + caught.value.hint


@given(
    st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), st.text().filter(lambda t: "'" not in t))
)
@example({"A": "\r\r\n"})
def test_single_quotes_keep_everything(values: dict[str, str]) -> None:
    text = "".join(f"{name}='{value}'\n" for name, value in values.items())
    assert parse(text.encode()) == {name: value.replace("\r\n", "\n") for name, value in values.items()}


@pytest.mark.parametrize(
    ("data", "raw", "value", "trimmed"),
    [
        (b"one", False, "one", False),
        (b"one\n", False, "one", True),
        (b"one\r\n", False, "one", True),
        (b"one\n", True, "one\n", False),
        (b"one\n\n", False, "one\n\n", False),
        (b"-----BEGIN\nabc\n-----END\n", False, "-----BEGIN\nabc\n-----END\n", False),
        (b" one ", False, " one ", False),
    ],
)
def test_one_line_end_behind_one_line_is_left_out(data: bytes, raw: bool, value: str, trimmed: bool) -> None:
    assert read_value(data, raw=raw) == (value, trimmed)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "invalid_data"), (b"\n", "invalid_data"), (b"\xff", "invalid_data"), (b"x" * 65537, "too_large")],
)
def test_what_no_secret_can_be(data: bytes, code: str) -> None:
    with pytest.raises(RigError) as caught:
        read_value(data, raw=False)
    assert caught.value.code == code


def test_the_command_line_wins_over_the_file() -> None:
    assert wanted(CreateVars(app="a/b", values={"A": "1"}), {"A": "2", "B": "3"}) == {"A": "1", "B": "3"}
    assert wanted(CreateVars(app="a/b", values={"A": ""}, allow_empty=True), {}) == {"A": ""}
    for asked, named in (
        (CreateVars(app="a/b", values={"A": ""}), "rig delete var a/b A"),
        (CreateVars(network="a", values={"A": ""}), "rig delete var --network a A"),
    ):
        with pytest.raises(RigError) as refused:
            wanted(asked, {})
        assert named in refused.value.hint


@pytest.mark.parametrize(
    ("name", "problem", "near"),
    [
        ("A_1", "", "A_1"),
        ("1A", "it begins with a digit", "_1A"),
        ("my-name", "it holds '-'", "my_name"),
        ("", "it is empty", ""),
        ("A" * 257, "it has 257 characters, and 256 is the limit", "A" * 255),
    ],
)
def test_names_of_variables(name: str, problem: str, near: str) -> None:
    assert (variable_problem(name), suggest_variable(name)) == (problem, near)
