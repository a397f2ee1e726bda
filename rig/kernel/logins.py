"""Ports of the handlers that log in and out, and that show contexts and settings."""

from __future__ import annotations

from typing import Protocol

from rig.contract.accounts import Account, Context, DeviceAuthorization, TokenPair
from rig.contract.settings import SettingValue


class Contexts(Protocol):
    """The platforms that rig knows."""

    def current(self) -> Context:
        """The one of this invocation. Raises `RigError` ``login_required``, ``usage`` (several) or ``not_found``."""
        ...

    def chosen(self) -> Context | None:
        """The one that ``--context`` names, if it was given."""
        ...

    def find(self, name: str) -> Context:
        """The one of this name. Raises `RigError` ``not_found``."""
        ...

    def all(self) -> list[Context]: ...

    def by_url(self, url: str) -> Context | None: ...

    def save(self, context: Context) -> None:
        """Keep it, instead of the one of this name if there is one."""
        ...

    def use(self, name: str) -> Context:
        """Make it the current one for later invocations."""
        ...

    def free_name(self, url: str) -> str:
        """A name for the context of a platform that has none."""
        ...


class Settings(Protocol):
    """The user's preferences."""

    @property
    def path(self) -> str:
        """The settings file."""
        ...

    def get(self, key: str) -> str:
        """The value in force. Raises `RigError` ``bad_config`` or ``usage``."""
        ...

    def show(self, key: str) -> SettingValue:
        """The value in force, and what gave it."""
        ...

    def rows(self) -> list[SettingValue]: ...

    def set(self, key: str, value: str) -> SettingValue:
        """Write it to the file; an empty value removes it. Gives what is in force then."""
        ...


class Logins(Protocol):
    """Logging in to a platform by its address, and what is kept of it."""

    def address(self, url: str) -> str:
        """The address in its one form. Raises `RigError` ``usage``, also for plain HTTP off this machine."""
        ...

    def embedded(self) -> str:
        """Address of the node of this machine, empty if there is none. Raises `RigError` ``unreachable`` where there is
        one that does not run."""
        ...

    def as_owner(self, url: str) -> TokenPair:
        """Log in to the node of this machine by its bootstrap secret."""
        ...

    def ask(self, url: str) -> DeviceAuthorization:
        """Begin a login that somebody approves on the platform's page."""
        ...

    def await_approval(self, url: str, asked: DeviceAuthorization) -> TokenPair:
        """Wait until it is. Raises `RigError` ``forbidden`` (denied) or ``login_required`` (too late)."""
        ...

    def read_token(self) -> TokenPair:
        """A token from standard input. Raises `RigError` ``invalid_data``."""
        ...

    def account(self, url: str, token: str) -> Account:
        """Whom the platform takes the bearer of a token for."""
        ...

    def keep(self, context: Context, pair: TokenPair) -> Context:
        """Keep a new login, and end the one that it replaces. Gives the context with the place of its tokens."""
        ...

    def end(self, context: Context) -> str:
        """Forget a login here and end it on the platform; gives a warning if the platform could not be told."""
        ...
