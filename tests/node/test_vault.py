"""The vault: what is kept can be read again, and by nobody who has not both files."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from rig.node.secrets.keys import NodeKeys
from rig.node.secrets.vault import Vault
from tests.support import files_with

VALUE = "correct horse battery staple"


class Folder:
    """A node's folder with a vault that can be opened anew."""

    def __init__(self, path: Path) -> None:
        self.database, self.key = path / "secrets.sqlite", path / "secrets.key"
        self.vault = self.open()

    def open(self) -> Vault:
        return Vault(self.database, NodeKeys(self.key))

    def again(self) -> Vault:
        self.vault.close()
        self.vault = self.open()
        return self.vault

    def sql(self, statement: str) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute(statement)
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.vault.close()


def test_a_value_survives_the_node_and_stands_in_no_file(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE, "OTHER": "ü\n"})
    folder.vault.keep("demo", 1, {"KEY": "of the network"})
    vault = folder.again()
    assert vault.reveal("demo/shop", "KEY", 1) == VALUE
    assert vault.reveal("demo/shop", "OTHER", 1) == "ü\n"
    assert vault.reveal("demo", "KEY", 1) == "of the network"
    assert files_with(folder.database.parent, VALUE) == []
    for file in folder.database.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_every_version_is_kept(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": "old"})
    folder.vault.keep("demo/shop", 2, {"KEY": "new"})
    assert [folder.vault.reveal("demo/shop", "KEY", version) for version in (1, 2)] == ["old", "new"]
    with pytest.raises(RigError, match="not in the vault"):
        folder.vault.reveal("demo/shop", "KEY", 3)


@pytest.mark.parametrize("change", ["app = 'other'", "name = 'OTHER'", "version = 2", "sealed = zeroblob(64)"])
def test_a_value_that_was_moved_or_changed_does_not_open(folder: Folder, change: str) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    folder.sql(f"UPDATE secret SET {change}")
    row: dict[str, str | int] = {"app": "shop", "name": "KEY", "version": 1}
    column, _, value = change.partition(" = ")
    row[column] = int(value) if value.isdigit() else value.strip("'")
    with pytest.raises(RigError, match="tampered with"):
        folder.vault.reveal(f"demo/{row['app']}", str(row["name"]), int(row["version"]))


def test_without_the_nodes_key_nothing_opens(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    folder.key.unlink()
    with pytest.raises(RigError, match="not on this node"):
        folder.again().reveal("demo/shop", "KEY", 1)
    NodeKeys(folder.key).load()
    with pytest.raises(RigError, match="not on this node"):
        folder.vault.reveal("demo/shop", "KEY", 1)


@pytest.mark.parametrize("content", ["", "{}", '{"version":1,"keys":[]}', '{"version":1,"keys":["AAAA"]}'])
def test_a_damaged_key_is_said_to_be_one(folder: Folder, content: str) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    folder.key.write_text(content)
    with pytest.raises(RigError) as caught:
        folder.vault.reveal("demo/shop", "KEY", 1)
    assert caught.value.code == "bad_config"


def test_what_is_forgotten_is_gone(folder: Folder) -> None:
    for scope in ("demo/shop", "demo/other", "demo", "else/shop"):
        folder.vault.keep(scope, 1, {"KEY": VALUE})
    assert folder.vault.scopes() == ["demo", "demo/other", "demo/shop", "else", "else/shop"]
    folder.vault.forget("demo/shop")
    assert folder.vault.scopes() == ["demo", "demo/other", "else", "else/shop"]
    folder.vault.forget("demo")
    assert folder.vault.scopes() == ["else", "else/shop"]
    assert folder.vault.reveal("else/shop", "KEY", 1) == VALUE


def test_a_rotation_replaces_every_key_and_loses_nothing(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE, "OTHER": "x"})
    folder.vault.keep("else", 1, {"KEY": "y"})
    key, database = folder.key.read_bytes(), folder.database.read_bytes()
    assert folder.vault.rotate() == 3
    assert len(NodeKeys(folder.key).load()) == 1
    assert folder.key.read_bytes() != key
    vault = folder.again()
    assert (vault.reveal("demo/shop", "KEY", 1), vault.reveal("else", "KEY", 1)) == (VALUE, "y")
    folder.key.write_bytes(key)
    with pytest.raises(RigError, match="not on this node"):
        vault.reveal("demo/shop", "KEY", 1)
    # Nor is the old file of use to whoever has the new key alone.
    assert folder.database.read_bytes() != database


def test_a_rotation_that_was_cut_off_is_done_again(folder: Folder) -> None:
    """The node was killed when the new key stood in the file beside the old one, before or after the database."""
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    keys = NodeKeys(folder.key)
    [old] = keys.load()
    keys.save([b"n" * 32, old])
    assert folder.again().reveal("demo/shop", "KEY", 1) == VALUE
    assert folder.vault.rotate() == 1
    assert len(keys.load()) == 1
    assert folder.vault.reveal("demo/shop", "KEY", 1) == VALUE


def test_a_lost_key_is_told_and_what_it_opened_can_be_forgotten(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    assert folder.vault.lost() == []
    folder.vault.require_key("demo")
    folder.vault.require_key("nothing-kept")
    folder.key.unlink()
    folder.vault.keep("else", 1, {"KEY": "y"})  # which makes another key
    assert folder.vault.lost() == ["demo"]
    with pytest.raises(RigError, match="not on this node") as lost:
        folder.vault.require_key("demo")
    assert "rotate-keys --forget-lost" in lost.value.hint
    assert folder.vault.has("demo/shop", "KEY", 1)
    assert folder.vault.forget_lost() == 1
    assert not folder.vault.has("demo/shop", "KEY", 1)
    assert (folder.vault.lost(), folder.vault.reveal("else", "KEY", 1)) == ([], "y")
    folder.vault.keep("demo/shop", 2, {"KEY": VALUE})
    assert folder.vault.reveal("demo/shop", "KEY", 2) == VALUE


def test_a_damaged_key_is_a_lost_one(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    folder.key.write_bytes(b"{}")
    assert folder.vault.lost() == ["demo"]


def test_a_data_key_that_was_damaged_is_a_lost_one(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE})
    folder.vault.keep("else", 1, {"KEY": "y"})
    for damaged in ("zeroblob(60)", "zeroblob(3)"):
        folder.sql(f"UPDATE data_key SET wrapped = {damaged} WHERE network = 'demo'")
        assert folder.again().lost() == ["demo"]
        with pytest.raises(RigError) as caught:
            folder.vault.reveal("demo/shop", "KEY", 1)
        assert caught.value.code == "bad_config"
    assert folder.vault.forget_lost() == 1
    assert folder.vault.rotate() == 1


def test_a_rotation_names_the_value_that_it_cannot_read_and_replaces_nothing(folder: Folder) -> None:
    folder.vault.keep("demo/shop", 1, {"KEY": VALUE, "OTHER": "x"})
    folder.sql("UPDATE secret SET sealed = zeroblob(64) WHERE name = 'OTHER'")
    key = folder.key.read_bytes()
    with pytest.raises(RigError, match="`OTHER` of `demo/shop`") as caught:
        folder.vault.rotate()
    assert (caught.value.code, folder.key.read_bytes()) == ("failed", key)
    assert folder.again().reveal("demo/shop", "KEY", 1) == VALUE
