"""Which app is meant: `network/app`, or less of it where rig.toml, the context or a setting say the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rig.cli.fields import Field, fields_of
from rig.contract.base import Command
from rig.contract.names import LABEL_RULE, label_problem, split_app, suggest_label
from rig.kernel.errors import RigError

if TYPE_CHECKING:
    from rig.bootstrap import Client


def resolve_names(command: type[Command], given: dict[str, Any], client: Client) -> dict[str, Any]:
    """The fields with every app name made whole. Raises `RigError` ``usage`` where something is missing."""
    fields = {field.name: field for field in fields_of(command)}
    for name, field in fields.items():
        if field.option.completes == "networks" and given.get(name):
            check_label("network", given[name])
        if field.option.completes == "apps" and not field.is_the_app and given.get(name):
            given = {**given, name: whole_name(given[name], field, client)}
    app = fields.get("app")
    if app is None or not app.is_the_app:
        return given
    if app.option.positional:
        given = _without_app(given, fields)
    if given.get("network"):
        return given
    named = given.get("app") or ""
    if app.option.positional and "version" in fields and re.fullmatch(r"v[0-9]+", named) and not given.get("version"):
        # `rig rollback v1` in a project's folder: the one word is the version.
        given, named = {**given, "version": named}, ""
    folder, environment = given.get("path") or ".", given.get("env") or ""
    whole = whole_name(named, app, client, folder, environment, or_network="network" in fields)
    return {**given, "app": whole}


def _without_app(given: dict[str, Any], fields: dict[str, Field]) -> dict[str, Any]:
    """`rig create var A=1`, `rig delete secret --network demo KEY`: the first word is not the app.

    It is none where a network is named instead, where it is an assignment, or where what follows the app is missing.
    """
    following = next((name for name in ("values", "names", "name") if name in fields), "")
    word = given.get("app", "")
    if not word or not following:
        return given
    rest = given.get(following)
    if not (given.get("network") or "=" in word or (following != "values" and not rest)):
        return given
    taken = [word, *(rest or [])] if fields[following].many else word
    return {name: value for name, value in given.items() if name != "app"} | {following: taken}


def whole_name(
    named: str,
    field: Field,
    client: Client,
    folder: str = ".",
    environment: str = "",
    *,
    or_network: bool = False,
) -> str:
    """``hello`` → ``demo/hello``. What the name leaves out comes from rig.toml, then the context, then the settings.

    ``field`` is where it was given, or should have been; ``or_network`` says that a network could be meant as well.
    Raises `RigError` ``usage`` where something is missing.
    """
    network, app = split_app(named)
    if not network or not app:
        project = client.project(folder, environment)
        app = app or project.app or ""
        network = network or project.network or client.settings.get("network") or ""
    if not app:
        which = "Which app?" if field.metavar == "APP" else f"Which app is the {field.metavar}?"
        whole = "NETWORK/APP" if field.option.positional else f"`{field.label} NETWORK/APP`"
        raise RigError("usage", which, f"Name it as {whole}, or put `app` and `network` into rig.toml.")
    if not network:
        hint = f"Name it as NETWORK/{app}, or put `network` into rig.toml."
        if or_network:
            hint += f" A network's own: `--network {app}`."
        raise RigError("usage", f"In which network is `{app}`?", hint)
    check_label("network", network)
    check_label("app", app)
    return f"{network}/{app}"


def check_label(what: str, name: str) -> None:
    """Refuse what cannot be the name of a network or an app, and say why. Raises `RigError` ``usage``."""
    problem = label_problem(name)
    if problem:
        near = suggest_label(name)
        hint = f"Would `{near}` do?" if near else f"A name has {LABEL_RULE}."
        raise RigError(
            "usage", f"`{name}` cannot be the name of {'an' if what == 'app' else 'a'} {what}: {problem}.", hint
        )
