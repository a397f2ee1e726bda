"""The Procfile, as Heroku reads it: ``type: command`` per line."""

from __future__ import annotations

import re

from rig.contract.names import PROCESS_PATTERN
from rig.kernel.errors import RigError

RELEASE = "release"
"""Run once before a new version starts; not a process type."""

_LINE = re.compile(r"^([^:\s]+)[ \t]*:[ \t]*(.*)$")
"""Of a line without blanks at its ends. To look for those, too, would take the square of a line's blanks."""
_TYPE = re.compile(PROCESS_PATTERN)


def parse_procfile(text: str) -> dict[str, str]:
    """Process type → command line, in the file's order. ``release`` is among them.

    Blank lines and lines that begin with ``#`` are skipped; ``\\n``, ``\\r\\n`` and ``\\r`` end a line. Raises
    `RigError` ``bad_config`` with the line's number.
    """
    processes: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.match(stripped)
        if match is None:
            raise _refused(number, f"`{_short(stripped)}` is not of the form `type: command`")
        name, command = match.groups()
        if not _TYPE.match(name):
            raise _refused(number, f"`{_short(name)}` is no process type: 1 to 30 letters, digits, `-` and `_`")
        if not command:
            raise _refused(number, f"`{name}` has no command")
        if "\0" in command:
            raise _refused(number, f"the command of `{name}` holds a NUL byte")
        if name in processes:
            raise _refused(number, f"`{name}` stands on line {lines[name]} already")
        processes[name] = command
        lines[name] = number
    return processes


def _refused(line: int, why: str) -> RigError:
    return RigError(
        "bad_config",
        f"Procfile, line {line}: {why}.",
        "A line reads `web: gunicorn app:app`.",
        file="Procfile",
        line=line,
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
