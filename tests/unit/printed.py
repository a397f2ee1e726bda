"""Output that is kept, for tests of what is printed."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from rig.cli.output import Output
from rig.contract.settings import OutputFormat


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Row(msgspec.Struct):
    name: str
    note: str = ""
    count: int = 0
    tags: list[str] = []


def output(output_format: OutputFormat = "table", *, terminal: bool = False, **options: Any) -> Output:
    stream = Screen if terminal else io.StringIO
    return Output(output_format, stdout=stream(), stderr=stream(), **options)


def out(printed: Output) -> str:
    assert isinstance(printed.stdout, io.StringIO)
    return printed.stdout.getvalue()


def err(printed: Output) -> str:
    assert isinstance(printed.stderr, io.StringIO)
    return printed.stderr.getvalue()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM", "CI", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
