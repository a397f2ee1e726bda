"""A configuration as the text of its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from rig.contract.configuration import AppTable, Configuration
from rig.kernel.configuration import sizes_of


def toml_of(configuration: Configuration) -> str:
    """The file, in TOML 1.0: what `rig config apply` reads. Every name in it but `*` is a bare key by its own rules."""
    return "\n".join([f"network = {quoted(configuration.network)}", "", *_lines(configuration)]).rstrip("\n") + "\n"


def _lines(configuration: Configuration) -> Iterable[str]:
    yield from _variables("", configuration)
    for name, app in configuration.apps.items():
        # An app of which nothing is set is there all the same.
        if app == AppTable():
            yield from _table(f"apps.{name}", {}, empty=True)
        yield from _variables(f"apps.{name}.", app)
        yield from _table(f"apps.{name}.processes", {process: str(count) for process, count in app.processes.items()})
        sizes = {
            quoted(process) if process == "*" else process: quoted(size) for process, size in sizes_of(app).items()
        }
        yield from _table(f"apps.{name}.memory", sizes)


def _variables(prefix: str, table: Configuration | AppTable) -> Iterable[str]:
    yield from _table(f"{prefix}env", {name: quoted(value) for name, value in table.env.items()})
    yield from _table(f"{prefix}secrets", {name: quoted(pin) for name, pin in table.secrets.items()})


def _table(header: str, values: Mapping[str, str], *, empty: bool = False) -> Iterable[str]:
    if values or empty:
        yield f"[{header}]"
        yield from (f"{name} = {value}" for name, value in values.items())
        yield ""


def quoted(text: str) -> str:
    """A basic string: escaped as JSON does it, and besides that whatever a terminal would not show as it is."""
    return "".join(c if c.isprintable() else _escaped(c) for c in json.dumps(text, ensure_ascii=False))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
