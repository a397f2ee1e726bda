"""The settings file, and what overrides it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from rig.clients.home import make_folder
from rig.clients.locks import locked
from rig.contract.settings import SETTINGS, SettingValue
from rig.kernel.errors import RigError
from rig.kernel.files import write_atomic
from rig.kernel.toml import loads

MAX_FILE = 1 << 20


class FileSettings:
    """Settings: flags beat the environment, that beats the file, that the default.

    ``flags`` are those of this invocation by key, empty where not given. The file is read when it is first needed.
    """

    def __init__(self, path: str, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._environ = environ
        self._flags = flags or {}
        self._table: dict[str, Any] | None = None
        self._text = ""

    def get(self, key: str) -> str:
        """The value in force. Raises `RigError` ``bad_config`` for one that breaks its rule."""
        return self.show(key).value

    def show(self, key: str) -> SettingValue:
        """The value in force, and what gave it. Raises `RigError` ``usage`` for an unknown key."""
        setting = SETTINGS.get(key)
        if setting is None:
            raise RigError("usage", f"There is no setting `{key}`.", _suggestion(key))

        def row(value: object, origin: Any, where: str = "") -> SettingValue:
            checked = _checked(key, value, where)
            return SettingValue(key=key, value=checked, origin=origin, where=where, description=setting.description)

        if self._flags.get(key):
            return row(self._flags[key], "flag", setting.flag)
        for variable, meaning in setting.environment.items():
            if self._environ.get(variable):
                return row(meaning or self._environ[variable], "environment", variable)
        table = self._read()
        if key in table:
            return row(table[key], "file", f"{self.path}:{_line(self._text, key)}")
        return row(setting.default, "default")

    def stored(self, key: str) -> str:
        """What the file says, whatever overrides it; empty for nothing."""
        table = self._read()
        return _checked(key, table[key], f"{self.path}:{_line(self._text, key)}") if key in table else ""

    def rows(self) -> list[SettingValue]:
        """Every setting."""
        return [self.show(key) for key in SETTINGS]

    def set(self, key: str, value: str) -> SettingValue:
        """Write a value to the file; an empty one removes the key. Comments and order stay. Gives what is in force."""
        self.show(key)
        if value:
            _checked(key, value, "")
        import tomlkit

        make_folder(os.path.dirname(self.path))
        with locked(self.path + ".lock"):
            self._table = None
            self._read()
            document = tomlkit.parse(self._text)
            if value:
                document[key] = value
            elif key in document:
                del document[key]
            # Through a link: people keep this file in a repository of dot-files.
            write_atomic(os.path.realpath(self.path), tomlkit.dumps(document).encode())
            self._table = None
        return self.show(key)

    def _read(self) -> dict[str, Any]:
        if self._table is not None:
            return self._table
        try:
            with open(self.path, "rb") as file:
                content = file.read(MAX_FILE + 1)
        except FileNotFoundError:
            self._text, self._table = "", {}
            return self._table
        except OSError as error:
            raise _bad(f"{self.path} cannot be read: {error.strerror}.", "Check its permissions.") from error
        if len(content) > MAX_FILE:
            raise _bad(
                f"{self.path} is larger than {MAX_FILE} bytes.", "It holds a few settings; see `rig settings list`."
            )
        try:
            text = content.decode()
            table = loads(text)
        except (ValueError, RecursionError) as error:
            raise _bad(f"{self.path} is not TOML: {error}.", "Correct it, or delete it to begin anew.") from error
        for key in table:
            if key not in SETTINGS:
                raise _bad(f"{self.path}:{_line(text, key)}: there is no setting `{key}`.", _suggestion(key))
        self._text, self._table = text, table
        return table


def _checked(key: str, value: object, where: str) -> str:
    """The value as a string, if it keeps the rule of its key."""
    setting = SETTINGS[key]
    if key == "keychain" and isinstance(value, bool):
        value = "on" if value else "off"
    try:
        checked = msgspec.convert(value, setting.type)
    except msgspec.ValidationError:
        place = f"{where}: " if where else ""
        raise RigError(
            "bad_config" if where else "invalid_data",
            f"{place}`{key}` cannot be `{value}`.",
            f"It is {setting.rule}." + _nearest(str(value), setting.rule),
        ) from None
    return str(checked)


def _line(text: str, key: str) -> int:
    """The line on which a top-level key stands, 1 if it cannot be told."""
    from rig.clients.tomlfile import line_of

    return line_of(text, (key,)) or 1


def _nearest(value: str, rule: str) -> str:
    import difflib

    near = difflib.get_close_matches(value.lower(), re.findall(r"[a-z]+", rule), n=1)
    return f" Did you mean `{near[0]}`?" if near and near[0] != "or" else ""


def _suggestion(key: str) -> str:
    import difflib

    near = difflib.get_close_matches(key.lower(), SETTINGS, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"The settings are: {', '.join(SETTINGS)}."


def _bad(message: str, hint: str) -> RigError:
    return RigError("bad_config", message, hint)
