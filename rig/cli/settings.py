"""`rig settings list|get|set`."""

from __future__ import annotations

from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.settings import GetSetting, ListSettings, SetSetting, SettingList, SettingValue


def show_list(listed: SettingList, out: Output) -> None:
    if listed.with_origin:
        rows = [(row.key, row.value, source(row), row.description) for row in listed.settings]
        out.table(("SETTING", "VALUE", "FROM", "WHAT"), rows)
    else:
        out.table(("SETTING", "VALUE", "WHAT"), [(row.key, row.value, row.description) for row in listed.settings])


def source(row: SettingValue) -> str:
    """``environment RIG_OUTPUT``."""
    return f"{row.origin} {row.where}".strip()


def show_one(row: SettingValue, out: Output) -> None:
    out.verbatim(row.value)


def show_set(row: SettingValue, out: Output) -> None:
    if row.origin in {"environment", "flag"}:  # which is in force all the same, as a warning says
        out.line(f"{row.key} is changed in the file.")
    else:
        out.line(f"{row.key} is {row.value or 'empty'} now.")


VERBS = {
    "list": Verb(command=ListSettings, render=show_list, rows=lambda listed: listed.settings),
    "get": Verb(command=GetSetting, render=show_one),
    "set": Verb(command=SetSetting, render=show_set),
}
