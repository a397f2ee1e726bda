"""Replay: an export is verified and folded in a process that can do nothing else.

The process is started with a request as JSON on its standard input, and prints its answer as JSON. It takes the guard
of `storage.guard` upon itself before it opens anything.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec

from rig.contract.evidence import Folded
from rig.kernel.errors import RigError
from rig.kernel.evidence import require_verified
from storage.projections.base import Projection

START = "import sys; sys.path[:] = {path!r}; import rig; from storage.replay import main; main()"
"""The modules are found where ours were found, wherever that is; `rig` first, as in `rig/__init__.py`."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be folded. ``projections`` are (module, class)."""

    export: str
    key: str
    pin: str
    projections: list[tuple[str, str]]
    until_pos: int | None = None
    until: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What it came to, or the error: its code, sentence, hint and details."""

    origin: str = ""
    first: int = 0
    records: int = 0
    size: int = 0
    root: str = ""
    folded: list[Folded] = []
    error: tuple[str, str, str, dict[str, Any]] | None = None


def request(
    export: str, key: str, pin: str, projections: Sequence[Projection], until_pos: int | None, until: int | None
) -> Answer:
    """Have an export folded. Raises `RigError`."""
    import subprocess

    asked = Request(
        export=export,
        key=key,
        pin=pin,
        projections=[(type(each).__module__, type(each).__qualname__) for each in projections],
        until_pos=until_pos,
        until=until,
    )
    start = START.format(path=[path for path in sys.path if path])
    done = subprocess.run(
        [sys.executable, "-c", start], input=msgspec.json.encode(asked), capture_output=True, check=False
    )
    try:
        answer = msgspec.json.decode(done.stdout, type=Answer)
    except msgspec.MsgspecError as error:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RigError(
            "internal", f"The replay ended without an answer (exit {done.returncode}): {' '.join(last)}."
        ) from error
    if answer.error is not None:
        code, message, hint, details = answer.error
        raise RigError(code, message, hint, **details)
    return answer


def main() -> None:
    """The process that folds."""
    from storage.guard import Forbidden, stand_guard

    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    stand_guard()
    try:
        answer = replay(asked)
    except RigError as error:
        answer = Answer(error=(error.code, error.message, error.hint, json.loads(msgspec.json.encode(error.details))))
    except (Forbidden, sqlite3.Error) as error:
        message = f"Something other than folding was tried: {error}."
        answer = Answer(error=("internal", message, "Report it: this is a bug in rig.", {}))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def replay(asked: Request) -> Answer:
    """Verify, then fold. Raises `RigError`."""
    from storage import exports
    from storage.fold import fold

    export = exports.check(asked.export, asked.key, asked.pin)
    require_verified(exports.report(export))
    if not export.complete:
        raise RigError(
            "unverifiable",
            f"{asked.export} holds picked records, and what they come to without the others means nothing.",
            "Take an export without filters: `rig journal export`.",
        )
    chosen = [getattr(import_module(module), name)() for module, name in asked.projections]
    folded, records = fold(export, chosen, until_pos=asked.until_pos, until=asked.until)
    return Answer(
        origin=export.header["origin"],
        first=export.header["first"],
        records=records,
        size=export.size,
        root=export.root.hex(),
        folded=folded,
    )
