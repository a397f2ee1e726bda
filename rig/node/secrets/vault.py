"""secrets.sqlite: the values of secrets, each under the data key of its network (AES-256-GCM, RFC 5116).

The data keys are wrapped under the node's key, so that a copy of this file alone tells nothing, and a network that is
deleted can be forgotten with its key. What a value belongs to is authenticated with it: a row that was moved to another
app, name or version does not open. The journal knows the version and a keyed digest, and never meets a value.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rig.contract.names import split_app
from rig.kernel.errors import RigError
from rig.node.database import open_private
from rig.node.secrets.keys import KEY_SIZE, NodeKeys, key_id
from storage.database import transaction

NONCE_SIZE = 12
LOST = (
    "Restore `secrets.key` from a backup, and start the node anew: `rig node stop --keep-apps`, `rig node start`. If "
    "there is none: `rig node rotate-keys --forget-lost`, then set the secrets again."
)
"""What to do where the key to secrets is gone."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS data_key(
    network TEXT PRIMARY KEY, node_key TEXT NOT NULL, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secret(
    network TEXT NOT NULL, app TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY(network, app, name, version)) STRICT, WITHOUT ROWID;
"""


class Vault:
    """Keeps the values of secrets. One connection, used by one thread at a time: every call takes milliseconds."""

    def __init__(self, path: Path, keys: NodeKeys) -> None:
        self._lock = threading.Lock()
        self._keys = keys
        self._connection = open_private(path)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def keep(self, scope: str, version: int, values: Mapping[str, str]) -> None:
        """Encrypt values of the secrets of ``network`` or ``network/app``, all or none."""
        if not values:
            return
        network, app = _parts(scope)
        with self._transaction() as connection:
            cipher = AESGCM(self._data_key(connection, network, make=True))
            for name, value in values.items():
                row = (network, app, name, version)
                connection.execute(
                    "INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?, ?)", (*row, _seal(cipher, row, value))
                )

    def reveal(self, scope: str, name: str, version: int) -> str:
        """The value of one version of a secret. Raises `RigError` ``failed`` where it cannot be decrypted."""
        network, app = _parts(scope)
        row = (network, app, name, version)
        with self._lock:
            found = self._connection.execute(
                "SELECT sealed FROM secret WHERE network = ? AND app = ? AND name = ? AND version = ?", row
            ).fetchone()
            if found is None:
                raise _lost(scope, name, "it is not in the vault")
            cipher = AESGCM(self._data_key(self._connection, network))
        return _open(cipher, row, found[0])

    def has(self, scope: str, name: str, version: int) -> bool:
        """Whether this version of a secret is kept, readable or not."""
        row = (*_parts(scope), name, version)
        sql = "SELECT 1 FROM secret WHERE network = ? AND app = ? AND name = ? AND version = ?"
        with self._lock:
            return self._connection.execute(sql, row).fetchone() is not None

    def require_key(self, network: str) -> None:
        """Raises `RigError` ``bad_config`` where a network has secrets and the key to them is not here."""
        with self._lock:
            sql = "SELECT 1 FROM data_key WHERE network = ?"
            if self._connection.execute(sql, (network,)).fetchone() is not None:
                self._data_key(self._connection, network)

    def lost(self) -> list[str]:
        """The networks whose secrets cannot be read, because their key is not here."""
        with self._lock:
            rows = self._connection.execute("SELECT network FROM data_key ORDER BY network").fetchall()
            return [network for (network,) in rows if not self._opens(network)]

    def forget_lost(self) -> int:
        """Forget every secret that cannot be read any more, so that it can be set again; gives how many values."""
        count = 0
        for network in self.lost():
            with self._transaction() as connection:
                count += connection.execute("DELETE FROM secret WHERE network = ?", (network,)).rowcount
                connection.execute("DELETE FROM data_key WHERE network = ?", (network,))
        return count

    def forget(self, scope: str) -> None:
        """Forget all secrets of an app, or of a network with its apps and its key."""
        network, app = _parts(scope)
        with self._transaction() as connection:
            if app:
                connection.execute("DELETE FROM secret WHERE network = ? AND app = ?", (network, app))
            else:
                connection.execute("DELETE FROM secret WHERE network = ?", (network,))
                connection.execute("DELETE FROM data_key WHERE network = ?", (network,))

    def scopes(self) -> list[str]:
        """The apps and networks that have something here."""
        with self._lock:
            kept = self._connection.execute(
                "SELECT DISTINCT network, app FROM secret UNION SELECT network, '' FROM data_key"
            ).fetchall()
        return sorted({f"{network}/{app}" if app else network for network, app in kept})

    def rotate(self) -> int:
        """Replace the node's key and every data key, and encrypt everything anew; gives the number of values.

        Raises `RigError` ``failed`` where a value cannot be read; nothing is replaced then.
        """
        old = self._keys.load()
        new = secrets.token_bytes(KEY_SIZE)
        self._keys.save([new, *old])
        try:
            count = self._seal_anew()
        except RigError:
            self._keys.save(old)
            raise
        self._keys.save([new])
        return count

    def _seal_anew(self) -> int:
        """Give every network another data key and encrypt its values under that; the number of values."""
        count = 0
        with self._transaction() as connection:
            for (network,) in connection.execute("SELECT network FROM data_key").fetchall():
                before = AESGCM(self._data_key(connection, network))
                connection.execute("DELETE FROM data_key WHERE network = ?", (network,))
                after = AESGCM(self._data_key(connection, network, make=True))
                rows = connection.execute("SELECT * FROM secret WHERE network = ?", (network,)).fetchall()
                for *row, sealed in rows:
                    place = (row[0], row[1], row[2], row[3])
                    value = _seal(after, place, _open(before, place, sealed))
                    connection.execute("INSERT OR REPLACE INTO secret VALUES (?, ?, ?, ?, ?)", (*place, value))
                    count += 1
        return count

    def _data_key(self, connection: sqlite3.Connection, network: str, *, make: bool = False) -> bytes:
        """The key of a network's secrets; a new one where there is none and ``make`` allows it."""
        found = connection.execute("SELECT node_key, wrapped FROM data_key WHERE network = ?", (network,)).fetchone()
        if found is not None:
            node_key, wrapped = found
            for key in self._keys.load() if self._keys.exist() else ():
                if key_id(key) == node_key:
                    # What was damaged is as good as lost.
                    with suppress(InvalidTag, ValueError):
                        return AESGCM(key).decrypt(wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], network.encode())
        if found is not None or not make:
            raise RigError(
                "bad_config",
                f"The key under which the secrets of network `{network}` were encrypted is not on this node.",
                LOST,
            )
        made, nonce, first = secrets.token_bytes(KEY_SIZE), secrets.token_bytes(NONCE_SIZE), self._keys.load()[0]
        wrapped = nonce + AESGCM(first).encrypt(nonce, made, network.encode())
        connection.execute("INSERT INTO data_key VALUES (?, ?, ?)", (network, key_id(first), wrapped))
        return made

    def _opens(self, network: str) -> bool:
        try:
            self._data_key(self._connection, network)
        except RigError:
            return False
        return True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._connection):
            yield self._connection


Place = tuple[str, str, str, int]


def _parts(scope: str) -> tuple[str, str]:
    return split_app(scope) if "/" in scope else (scope, "")


def _label(place: Place) -> bytes:
    """What a value is bound to. None of the parts can hold a slash."""
    network, app, name, version = place
    return f"rig secret v1/{network}/{app}/{name}/{version}".encode()


def _seal(cipher: AESGCM, place: Place, value: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + cipher.encrypt(nonce, value.encode(), _label(place))


def _open(cipher: AESGCM, place: Place, sealed: bytes) -> str:
    """The value of a row. Raises `RigError` ``failed`` where it is not as it was written there."""
    try:
        return cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], _label(place)).decode()
    except (InvalidTag, ValueError) as error:
        network, app, name, _ = place
        scope = f"{network}/{app}" if app else network
        raise _lost(scope, name, "it was tampered with, or encrypted under another key") from error


def _lost(scope: str, name: str, why: str) -> RigError:
    return RigError("failed", f"The secret `{name}` of `{scope}` cannot be read: {why}.", "Set it again.")
