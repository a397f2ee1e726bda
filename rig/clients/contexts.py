"""contexts.json: the platforms that rig knows. Which of them is the current one is a setting."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from rig.clients.home import Home, make_folder
from rig.clients.locks import locked
from rig.clients.settings import FileSettings
from rig.contract.accounts import Context
from rig.kernel.errors import UNREADABLE, RigError
from rig.kernel.files import write_atomic

EPHEMERAL = "(environment)"
"""Name of the context that RIG_URL gives; no other can have it."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 1
    contexts: list[Context] = []


class FileContexts:
    """The contexts of this user. ``explicit`` is what ``--context`` says, empty without it."""

    def __init__(self, home: Home, settings: FileSettings, environ: Mapping[str, str], explicit: str = "") -> None:
        self._home = home
        self._settings = settings
        self._environ = environ
        self._explicit = explicit
        self._known: dict[str, Context] | None = None

    def current(self) -> Context:
        """The context of this invocation: ``--context``, RIG_URL, RIG_CONTEXT, the setting, or the only one there is.

        Raises `RigError` ``login_required`` where there is none, ``not_found`` for a name that is unknown.
        """
        if self._explicit:
            return self.find(self._explicit)
        url = self._environ.get("RIG_URL", "")
        if url:
            return self._from_environment(url)
        name = self._settings.get("context")
        if name:
            return self.find(name)
        known = self.all()
        if len(known) == 1:
            return known[0]
        if known:
            names = ", ".join(context.name for context in known)
            raise RigError(
                "usage",
                f"Which platform? You are logged in to several: {names}.",
                "Choose one: `rig context use NAME`.",
            )
        raise RigError(
            "login_required",
            "You are not logged in to a platform.",
            "Run `rig login URL`, or start a node of your own: `rig node start && rig login`.",
        )

    def chosen(self) -> Context | None:
        """The context that ``--context`` names, if it was given."""
        return self.find(self._explicit) if self._explicit else None

    def find(self, name: str) -> Context:
        """The context of this name. Raises `RigError` ``not_found``."""
        contexts = self._read()
        if name in contexts:
            return contexts[name]
        import difflib

        near = difflib.get_close_matches(name, contexts, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "`rig context list` shows them; `rig login URL` makes one."
        raise RigError("not_found", f"There is no context `{name}`.", hint)

    def again(self, context: Context) -> Context:
        """The same context as it is on disk now, where another process may have changed it."""
        self._known = None
        return self._read().get(context.name, context)

    def all(self) -> list[Context]:
        """Every context, by name."""
        return [context for _, context in sorted(self._read().items())]

    def by_url(self, url: str) -> Context | None:
        """The context of a platform, if there is one."""
        return next((context for context in self.all() if _same(context.url, url)), None)

    def free_name(self, url: str) -> str:
        """A name for the context of a platform that has none: its host, with a number where that is taken."""
        stem = context_name(url)
        name, number = stem, 2
        while name in self._read():
            name, number = f"{stem[:58]}-{number}", number + 1
        return name

    def save(self, context: Context) -> None:
        """Keep a context, instead of the one of this name if there is one. An ephemeral one is not kept."""
        if context.name == EPHEMERAL:
            return
        make_folder(os.path.dirname(self._home.contexts))
        with locked(self._home.contexts + ".lock"):
            self._known = None
            contexts = {**self._read(), context.name: msgspec.convert(msgspec.to_builtins(context), Context)}
            content = msgspec.json.format(msgspec.json.encode(_File(contexts=list(contexts.values()))), indent=2)
            write_atomic(self._home.contexts, content + b"\n")
            self._known = contexts

    def use(self, name: str) -> Context:
        """Make a context the current one, for later invocations. The only one there is needs no setting."""
        context = self.find(name)
        stored = self._settings.stored("context")
        if stored != name and (stored or len(self._read()) > 1):
            self._settings.set("context", name)
        return context

    def _from_environment(self, url: str) -> Context:
        known = self.by_url(url)
        if self._environ.get("RIG_TOKEN"):
            return Context(name=EPHEMERAL, url=url, network=known.network if known else "")
        if known:
            return known
        raise RigError(
            "login_required",
            f"RIG_URL is {url}, and there is no login for it.",
            "Set RIG_TOKEN too, or run `rig login` with this address.",
        )

    def _read(self) -> dict[str, Context]:
        if self._known is not None:
            return self._known
        try:
            with open(self._home.contexts, "rb") as file:
                found = msgspec.json.decode(file.read(1 << 20), type=_File)
        except FileNotFoundError:
            found = _File()
        except (OSError, *UNREADABLE) as error:
            raise RigError(
                "bad_config",
                f"{self._home.contexts} cannot be read: {error}.",
                "Delete it and log in again: `rig login URL`.",
            ) from error
        self._known = {context.name: context for context in found.contexts}
        return self._known


def context_name(url: str) -> str:
    """A name for the context of a platform: its host, as ``max.example.com``."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    name = (parts.hostname or "").strip(".").replace(":", "-").strip("-")[:63]
    return name or "platform"


def _same(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()
