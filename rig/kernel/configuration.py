"""What differs between a file, what was applied last, and what is live. Pure: client and node ask the same function.

A document is compared as flat keys, each with a text: ``env.REGION``, ``apps.shop.processes.web``; ``apps.shop`` alone
stands for the app. Whatever else can be set on an app becomes one more line of :func:`flat`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec

from events.app import memory_key
from rig.contract.configuration import Action, AppTable, ConfigChange, Configuration
from rig.kernel.sizes import bytes_of, size_of

Flat = dict[str, str]


def flat(document: Configuration | None, without: Container[str] = ()) -> Flat:
    """Key → value of all that a document says, but for some apps."""
    if document is None:
        return {}
    found = _table("", document)
    for name, app in document.apps.items():
        if name in without:
            continue
        found[f"apps.{name}"] = ""
        found |= _table(f"apps.{name}.", app)
        found |= {f"apps.{name}.processes.{process}": str(count) for process, count in app.processes.items()}
        found |= {f"apps.{name}.{memory_key(process)}": size for process, size in sizes_of(app).items()}
    return found


def _table(prefix: str, table: Configuration | AppTable) -> Flat:
    variables = {f"{prefix}env.{name}": value for name, value in table.env.items()}
    return variables | {f"{prefix}secrets.{name}": pin for name, pin in table.secrets.items()}


def sizes_of(app: AppTable) -> dict[str, str]:
    """The limits of memory of an app by process type, `*` for all others, each written in the one shortest way."""
    given = {"*": app.memory} if isinstance(app.memory, str) else app.memory
    return {process: size_of(bytes_of(size)) for process, size in given.items()}


def parts(key: str) -> tuple[str, str, str]:
    """App, table and name of a key: ``("shop", "env", "COLOR")``; no app for the network's own, no table for an app."""
    first, _, rest = key.partition(".")
    if first != "apps":
        return "", first, rest
    app, _, rest = rest.partition(".")
    table, _, name = rest.partition(".")
    return app, table, name


def compare(
    file: Configuration,
    applied: Configuration | None,
    live: Configuration,
    wanted: Mapping[str, int] | None = None,
) -> list[ConfigChange]:
    """Every key that is not the same in ``file`` and ``live``, sorted.

    A key that is live, is not in the file and was not applied before is ``unmanaged``: nobody but the file's owner may
    say that it is to go. ``wanted`` tells how many processes there would be without the change, by key.
    """
    # Of a thousand apps most are as they should be; to see that takes no keys.
    alike = {name for name, app in file.apps.items() if live.apps.get(name) == app}
    filed, before, now = flat(file, alike), flat(applied, alike), flat(live, alike)
    changes = []
    for key in sorted({*filed, *now}):
        app, table, _ = parts(key)
        if table and f"apps.{app}" not in filed and app:
            continue  # the app as a whole is one change
        action = _action(key, filed, before, now)
        if action is not None:
            changes.append(
                ConfigChange(
                    key=key,
                    action=action,
                    file=filed.get(key),
                    applied=before.get(key),
                    live=now.get(key),
                    drift=action != "unmanaged" and key in before and not _same(key, before[key], now.get(key)),
                    shrinks=_shrinks(table, filed.get(key), now.get(key), (wanted or {}).get(key, 0)),
                )
            )
    return changes


def _action(key: str, filed: Flat, before: Flat, now: Flat) -> Action | None:
    """What would make ``now`` what is filed; None where it is so."""
    if key not in filed:
        return "remove" if key in before else "unmanaged"
    if _same(key, filed[key], now.get(key)):
        return None
    if parts(key)[1] == "secrets":
        return "rotated" if key in now else "missing"
    return "change" if key in now else "add"


def _shrinks(table: str, filed: str | None, now: str | None, wanted: int) -> bool:
    """Whether a value is less than there is: of processes those that are wanted now, of memory a limit that is set."""
    if filed is None:
        return False
    if table == "processes":
        return int(filed) < wanted
    return table == "memory" and now is not None and 0 < bytes_of(filed) < bytes_of(now)


def _same(key: str, said: str, now: str | None) -> bool:
    """Whether the live value is what a document says. Of a secret it says the beginning of its digest, or nothing."""
    if now is None:
        return False
    return now.startswith(said) if parts(key)[1] == "secrets" else now == said


def drift(applied: Configuration, live: Configuration) -> list[ConfigChange]:
    """Where what is live is not what was applied last: the keys that were applied, and nothing else."""
    return [change for change in compare(applied, applied, live) if change.drift]


def to_do(changes: list[ConfigChange]) -> list[ConfigChange]:
    """Those that an apply makes."""
    return [change for change in changes if change.action in {"add", "change", "remove"}]


def differs(changes: list[ConfigChange]) -> list[ConfigChange]:
    """Those in which the file and what is live are not the same: all but what is left alone."""
    return [change for change in changes if change.action != "unmanaged"]


def deletes_app(change: ConfigChange) -> bool:
    return change.action == "remove" and not parts(change.key)[1]


def deployed_apps(wanted: Mapping[str, int]) -> set[str]:
    """The apps that have processes, as ``wanted`` tells."""
    return {parts(key)[0] for key in wanted}


def redacted(changes: list[ConfigChange]) -> list[ConfigChange]:
    """The same without the values of variables."""
    return [
        msgspec.structs.replace(change, file=None, applied=None, live=None, redacted=True)
        if parts(change.key)[1] == "env"
        else change
        for change in changes
    ]
