"""The user's own preferences: which there are, and the commands that show and change them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Effect, Reply, arg, opt
from rig.contract.names import CONTEXT_PATTERN, LABEL_PATTERN, optional

Origin = Literal["default", "file", "environment", "flag"]
OutputFormat = Literal["table", "json", "jsonl", "yaml", "csv"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One preference. Its value is always a string."""

    description: str
    default: str = ""
    type: Any = str
    """What a value must convert to."""
    rule: str = ""
    """The same in words."""
    environment: dict[str, str] = {}
    """Variables that override the file, in order; a name → the value that it stands for, empty: its own."""
    flag: str = ""
    """The option that overrides both, for the docs."""


SETTINGS: dict[str, Setting] = {
    "context": Setting(
        description="The platform that commands go to.",
        type=Annotated[str, Meta(pattern=optional(CONTEXT_PATTERN))],
        rule="the name of a context, see `rig context list`",
        environment={"RIG_CONTEXT": ""},
        flag="--context",
    ),
    "network": Setting(
        description="The network of an app that is named without one.",
        type=Annotated[str, Meta(pattern=optional(LABEL_PATTERN))],
        rule="the name of a network",
        environment={"RIG_NETWORK": ""},
    ),
    "output": Setting(
        description="The format of what is printed.",
        default="table",
        type=OutputFormat,
        rule="table, json, jsonl, yaml or csv",
        environment={"RIG_OUTPUT": ""},
        flag="--output",
    ),
    "color": Setting(
        description="Whether to print in colour; auto does so on a terminal.",
        default="auto",
        type=Literal["auto", "always", "never"],
        rule="auto, always or never",
        environment={"NO_COLOR": "never", "RIG_COLOR": ""},
        flag="--no-color",
    ),
    "keychain": Setting(
        description="Whether tokens go to the system's keychain; auto does so unless RIG_HOME is set.",
        default="auto",
        type=Literal["auto", "on", "off"],
        rule="auto, on or off",
        environment={"RIG_KEYCHAIN": ""},
    ),
}

Key = Annotated[str, Meta(max_length=100), arg("Name of the setting.", metavar="KEY", completes="settings")]


class SettingValue(Reply, frozen=True, kw_only=True):
    """One setting as it is in force."""

    key: str
    value: str
    origin: Origin
    """What has the last word: a flag beats the environment, that the file, that the default."""
    where: str = ""
    """The file with its line, the variable or the flag; empty for a default."""
    description: str = ""


class SettingList(Reply, frozen=True, kw_only=True):
    settings: list[SettingValue] = []
    file: str = ""
    """The settings file, whether it is there or not."""
    with_origin: bool = False
    """Whether `--origin` asked where each value comes from."""


class ListSettings(Command, frozen=True, kw_only=True, tag="settings.list"):
    """List your settings as they are in force."""

    kind: ClassVar[str] = "settings"
    reply: ClassVar[type[Reply]] = SettingList

    origin: Annotated[bool, opt("Show where each value comes from.", "--origin")] = False


class GetSetting(Command, frozen=True, kw_only=True, tag="settings.get"):
    """Show one setting."""

    kind: ClassVar[str] = "setting"
    reply: ClassVar[type[Reply]] = SettingValue

    key: Key
    origin: Annotated[bool, opt("Show where the value comes from.", "--origin")] = False


class SetSetting(Command, frozen=True, kw_only=True, tag="settings.set"):
    """Change a setting in the settings file. Comments in it stay."""

    effect: ClassVar[Effect] = "local"
    kind: ClassVar[str] = "setting"
    reply: ClassVar[type[Reply]] = SettingValue

    key: Key
    value: Annotated[
        str, Meta(max_length=1000), arg("The new value; without one the default comes back.", metavar="[VALUE]")
    ] = ""
