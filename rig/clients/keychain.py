"""Where tokens are kept: the system's keychain, or a 0600 file where there is none.

A keychain may be missing, locked, broken, or waiting for somebody to click: each call runs in a thread that is given
three seconds. Which place was taken stands in the context, so that nothing is asked twice.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rig.clients.home import Home, make_folder
from rig.contract.accounts import TokenPlace
from rig.kernel.errors import RigError
from rig.kernel.files import write_atomic

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

TIMEOUT = 3.0
"""Seconds that a keychain gets to answer."""
CHUNK = 1000
"""Characters in one entry: Windows takes 2560 bytes of UTF-16 (CRED_MAX_CREDENTIAL_BLOB_SIZE)."""
MAX_RECORD = 64 * 1024
_SPLIT = "rig-parts:"


class NoKeychain(Exception):
    """The keychain cannot be used; the text says why, as the end of a sentence."""


class Vault:
    """Keeps one record of text for each context. ``note`` tells the user where, when it is not the keychain."""

    def __init__(
        self, home: Home, *, keychain: bool, note: Callable[[str], None] = lambda text: None, timeout: float = TIMEOUT
    ) -> None:
        self._home = home
        self._keychain = keychain
        self._note = note
        self._timeout = timeout
        self._service = f"rig {home.data}" if home.single else "rig"

    def save(self, name: str, record: str, place: TokenPlace = "none") -> TokenPlace:
        """Keep a record and give its place. With ``place`` ``file`` the keychain is not tried again."""
        if self._keychain and place != "file":
            try:
                self._bounded(lambda ring: _write(ring, self._service, name, record))
            except NoKeychain as reason:
                self._note(
                    f"The system's keychain cannot be used: {reason}. The login is kept in {self._path(name)} instead,"
                    " which only you can read."
                )
            else:
                self._remove_file(name)
                return "keychain"
        elif place == "none":
            self._note(f"The login is kept in {self._path(name)}, which only you can read.")
        make_folder(self._home.tokens)
        try:
            write_atomic(self._path(name), record.encode())
        except OSError as error:
            raise RigError(
                "bad_config",
                f"The login cannot be written to {self._path(name)}: {error.strerror or error}.",
                "Make room or mend the permissions, and run `rig login` again.",
            ) from error
        return "file"

    def load(self, name: str, place: TokenPlace) -> str:
        """The record of a context, empty if there is none.

        Raises `RigError`: ``unavailable`` where the keychain does not answer, ``bad_config`` for a file that others
        can read.
        """
        if place == "file":
            return self._read_file(name)
        if place == "none":
            return ""
        try:
            return self._bounded(lambda ring: _read(ring, self._service, name))
        except NoKeychain as reason:
            raise RigError(
                "unavailable",
                f"The login of `{name}` is in the system's keychain, which cannot be used: {reason}.",
                "Unlock it and try again, or log in without it: `RIG_KEYCHAIN=off rig login URL`.",
            ) from reason

    def delete(self, name: str, place: TokenPlace) -> None:
        """Forget the record of a context. Raises `RigError` ``unavailable`` where the keychain still holds it."""
        self._remove_file(name)
        if place != "keychain":
            return
        try:
            self._bounded(lambda ring: _erase(ring, self._service, name))
        except NoKeychain as reason:
            raise RigError(
                "unavailable", f"The login of `{name}` is still in the keychain: {reason}.", "Unlock it and try again."
            ) from reason

    # The keychain

    def _bounded(self, work: Callable[[KeyringBackend], T]) -> T:
        """Run ``work`` with the keychain, for at most the timeout. Raises `NoKeychain`."""
        import threading

        done: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work(_backend()))
            except BaseException as error:
                failed.append(error)

        # A daemon, because a call into a keychain cannot be cut off: it must not keep the process alive.
        thread = threading.Thread(target=run, daemon=True, name="keychain")
        thread.start()
        thread.join(self._timeout)
        if failed:
            error = failed[0]
            raise (
                error if isinstance(error, NoKeychain) else NoKeychain(f"{type(error).__name__}: {error}".rstrip(": "))
            )
        if not done:
            raise NoKeychain(f"it did not answer within {self._timeout:g} seconds")
        return done[0]

    # The file

    def _path(self, name: str) -> str:
        return os.path.join(self._home.tokens, f"{name}.json")

    def _read_file(self, name: str) -> str:
        path = self._path(name)
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise RigError(
                "bad_config", f"{path} cannot be read: {error.strerror}.", "Log in again: `rig login URL`."
            ) from error
        with open(handle, encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise RigError(
                    "bad_config",
                    f"{path} holds your login, and others on this machine can read it.",
                    f"Close it (`chmod 600 {path}`), and log in again if somebody may have read it.",
                )
            return file.read(MAX_RECORD)

    def _remove_file(self, name: str) -> None:
        try:
            os.unlink(self._path(name))
        except FileNotFoundError:
            return


def _backend() -> KeyringBackend:
    import keyring
    from keyring.core import recommended

    backend = keyring.get_keyring()
    # The backends below priority 1 are "none at all" and those that keep secrets in clear text.
    if not recommended(backend):
        raise NoKeychain("there is none on this machine")
    return backend


def _write(ring: KeyringBackend, service: str, name: str, record: str) -> None:
    """Parts first, then the entry that names them: a record is never half there."""
    if len(record) <= CHUNK:
        ring.set_password(service, name, record)
        return
    parts = [record[start : start + CHUNK] for start in range(0, len(record), CHUNK)]
    for number, part in enumerate(parts):
        ring.set_password(service, f"{name}#{number}", part)
    ring.set_password(service, name, f"{_SPLIT}{len(parts)}:{hashlib.sha256(record.encode()).hexdigest()}")


def _read(ring: KeyringBackend, service: str, name: str) -> str:
    record = ring.get_password(service, name) or ""
    if not record.startswith(_SPLIT):
        return record
    count, _, digest = record.removeprefix(_SPLIT).partition(":")
    record = "".join(ring.get_password(service, f"{name}#{number}") or "" for number in range(int(count)))
    return record if hashlib.sha256(record.encode()).hexdigest() == digest else ""


def _erase(ring: KeyringBackend, service: str, name: str) -> None:
    record = ring.get_password(service, name)
    if record is None:
        return
    if record.startswith(_SPLIT):
        for number in range(int(record.removeprefix(_SPLIT).partition(":")[0])):
            if ring.get_password(service, f"{name}#{number}") is not None:
                ring.delete_password(service, f"{name}#{number}")
    ring.delete_password(service, name)
