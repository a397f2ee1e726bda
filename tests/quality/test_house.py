"""What keeps the code readable, as far as it can be counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.docs.markdown import ROOT

LONGEST = 400
"""Lines; a file that grows beyond wants to be two rooms."""
ONE_FILE = {"storage/verify_export.py"}
"""Has to be one file: an auditor takes it along and runs it without rig."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*rooms: str) -> Iterator[Path]:
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    long = {
        path.relative_to(ROOT).as_posix()
        for path in sources("rig", "handlers", "events", "storage", "tests")
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == ONE_FILE


def test_every_module_says_what_it_is_for() -> None:
    bare = []
    for path in sources("rig", "handlers", "events", "storage", "tests"):
        text = path.read_text(encoding="utf-8")
        if text.strip() and ast.get_docstring(ast.parse(text)) is None:
            bare.append(path.relative_to(ROOT).as_posix())
    assert bare == []


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def called_by(function: Function) -> set[str]:
    """The last part of each name that is called: ``raises`` of ``pytest.raises(…)``."""
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in called}


def checks_itself(function: Function) -> bool:
    return any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(function))


def test_every_test_asserts_something() -> None:
    """Itself, or by calling a function of the tests, or pytest's own, that does."""
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in sources("tests")}
    everything = [function for tree in trees.values() for function in functions(tree)]
    helpers = {each.name for each in everything if checks_itself(each)} | {"raises", "fail"}
    others = [(each.name, called_by(each)) for each in everything if each.name not in helpers]
    while more := {name for name, called in others if name not in helpers and called & helpers}:
        helpers |= more
    idle = [
        f"{path}:{function.lineno} {function.name}"
        for path, tree in trees.items()
        for function in functions(tree)
        if function.name.startswith("test_") and function.name not in helpers
    ]
    assert idle == []


def told_by_a_literal(test: ast.expr) -> bool:
    """Whether an arm of a condition says yes by itself, as the last one of ``a == b if c else ["d"]`` does."""
    match test:
        case ast.IfExp(body=body, orelse=orelse):
            return told_by_a_literal(body) or told_by_a_literal(orelse)
        case ast.BoolOp(values=values):
            return any(map(told_by_a_literal, values))
        case ast.Constant(value=value):
            return bool(value)
    return isinstance(test, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.JoinedStr)


def test_no_assertion_is_told_by_a_literal() -> None:
    """It would hold whatever is asked."""
    idle = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assert) and told_by_a_literal(node.test)
    ]
    assert idle == []
