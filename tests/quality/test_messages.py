"""What users read is written in sentences: a capital first, a full stop last."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from rig.verbs import VERBS

ROOT = Path(__file__).parents[2]
VALUE = "\N{SECTION SIGN}"
"""Stands for a part of a text that is known at run time only."""
SENTENCES = {"RigError": (1, 2), "warn": (0,)}
"""Which arguments of which calls are sentences: of an error the message and the hint."""


def sentences() -> Iterator[tuple[str, str]]:
    """Where a sentence stands, and the sentence, as far as the source tells it."""
    for folder in ("rig", "handlers", "storage"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                for place in SENTENCES.get(name, ()):
                    text = spoken(node.args[place]) if place < len(node.args) else ""
                    if text.strip(VALUE):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def spoken(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(spoken(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return spoken(left) + spoken(right)
    return VALUE


def test_every_message_and_hint_is_a_sentence() -> None:
    found = list(sentences())
    # A sentence may begin with what it is about: code, a path, a table of rig.toml, an option, a release, rig itself.
    begins = [f"{place}: {text}" for place, text in found if not text[0].isupper()]
    begins = [
        line for line in begins if not line.partition(": ")[2].startswith(("`", VALUE, "[", "--", f"v{VALUE}", "rig "))
    ]
    ends = [f"{place}: {text}" for place, text in found if not text.endswith((".", "?", "!", VALUE))]
    assert (begins, ends) == ([], [])
    assert len(found) > 200


def commands() -> Iterator[tuple[str, str, str]]:
    """Where a command of ours is named in a text, in backticks or at the end of its line; its verb and its noun."""
    named = re.compile(r"(?:`|: )rig ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?[^`\n]*(?:`|$)", re.MULTILINE)
    for folder in ("rig", "handlers", "storage"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant | ast.JoinedStr):
                    for found in named.finditer(spoken(node)):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", found[1], found[2] or ""


def test_every_command_that_is_named_is_there() -> None:
    found = list(commands())
    unknown = [f"{place}: rig {verb}" for place, verb, _ in found if verb not in {*VERBS, "help"}]
    assert unknown == []
    for place, verb, noun in found:
        if verb in VERBS and "" not in (nouns := import_module(VERBS[verb][0]).VERBS):
            # A verb alone may stand for all that it does.
            assert noun in {*nouns, ""}, f"{place}: rig {verb} {noun}"
    assert len(found) > 100
