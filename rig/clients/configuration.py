"""`max.toml`: read and checked. Errors name file, line and what was probably meant."""

from __future__ import annotations

import sys

from rig.clients.tomlfile import convert, decode, line_of, refuse
from rig.contract.configuration import AppTable, Configuration
from rig.contract.variables import RESERVED
from rig.kernel.errors import RigError

LIMIT = 900 * 1024
"""Bytes of a file: it stands in the record as a whole, and a record takes a mebibyte."""
PAGE = "docs/guides/configuration.md"


def load_configuration(path: str) -> Configuration:
    """Read a file; ``-`` is standard input. Raises `RigError` ``bad_config``, ``not_found`` or ``too_large``."""
    try:
        if path == "-":
            return parse_configuration(sys.stdin.buffer.read(LIMIT + 1), "standard input")
        with open(path, "rb") as file:
            return parse_configuration(file.read(LIMIT + 1), path)
    except FileNotFoundError:
        raise RigError(
            "not_found", f"There is no file {path}.", "Make one of what is live: `rig config export NETWORK`."
        ) from None
    except OSError as error:
        raise RigError("bad_config", f"{path} cannot be read: {error.strerror}.", "Is it the right file?") from error


def parse_configuration(data: bytes, path: str) -> Configuration:
    """Decode a file; ``path`` is for messages. Raises `RigError` ``bad_config`` or ``too_large``."""
    if len(data) > LIMIT:
        raise RigError("too_large", f"{path} is larger than {LIMIT} bytes.", "Make a network of its own for some apps.")
    text, document = decode(data, path)
    if "network" not in document:
        refuse(path, 0, "it does not name its network", 'Begin it with `network = "NAME"`.')
    configuration = convert(document, Configuration, text, path, PAGE)
    _check(configuration, (), text, path)
    for name, app in configuration.apps.items():
        _check(app, ("apps", name), text, path)
    return configuration


def _check(table: Configuration | AppTable, keys: tuple[str, ...], text: str, path: str) -> None:
    """What types cannot say: names that are kept, and names that are a variable's and a secret's."""
    for name in table.env:
        here = (*keys, "env", name)
        if name in RESERVED:
            refuse(path, line_of(text, here), f"`{name}` cannot be set: {RESERVED[name]}", "Choose another name.")
        if name in table.secrets:
            refuse(
                path,
                line_of(text, here),
                f"`{name}` is a variable and a secret at once",
                "Keep the one that it is: a secret's value never stands in the file.",
            )
