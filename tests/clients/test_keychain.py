"""Where tokens are kept, when keychains work and when they do not."""

from __future__ import annotations

import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import PasswordDeleteError

from rig.clients.home import Home, find_home
from rig.clients.keychain import Vault
from rig.kernel.errors import RigError


@dataclass(eq=False)
class MemoryRing(KeyringBackend):
    """A keychain as Windows has it: it refuses entries over 2560 bytes of UTF-16."""

    priority = 5

    entries: dict[tuple[str, str], str] = field(default_factory=dict)

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > 2560:
            raise OSError("the stub received bad data")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.entries:
            raise PasswordDeleteError("not found")
        del self.entries[service, username]


@dataclass(eq=False)
class StuckRing(MemoryRing):
    """A keychain that waits for somebody to click."""

    clicked: threading.Event = field(default_factory=threading.Event)

    def get_password(self, service: str, username: str) -> str | None:
        self.clicked.wait()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.clicked.wait()


class BrokenRing(MemoryRing):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError("no bus")

    get_password = set_password  # type: ignore[assignment]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"RIG_HOME": str(tmp_path)})


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def stuck() -> Iterator[StuckRing]:
    ring = StuckRing()
    yield ring
    ring.clicked.set()


def use(ring: KeyringBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", ring)


@pytest.mark.parametrize("size", [0, 10, 999, 1000, 1001, 8192])
def test_records_of_any_size_go_to_the_keychain(
    home: Home, monkeypatch: pytest.MonkeyPatch, notes: list[str], size: int
) -> None:
    ring = MemoryRing()
    use(ring, monkeypatch)
    vault = Vault(home, keychain=True, note=notes.append)
    record = "x" * size
    assert vault.save("prod", record) == "keychain"
    assert vault.load("prod", "keychain") == record
    assert vault.load("other", "keychain") == ""
    vault.delete("prod", "keychain")
    assert (ring.entries, notes) == ({}, [])
    vault.delete("prod", "keychain")


def test_a_record_of_which_a_part_was_lost_counts_as_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = MemoryRing()
    use(ring, monkeypatch)
    vault = Vault(home, keychain=True)
    vault.save("prod", "x" * 5000)
    del ring.entries[f"rig {home.data}", "prod#2"]
    assert vault.load("prod", "keychain") == ""
    vault.delete("prod", "keychain")
    assert ring.entries == {}


def test_a_keychain_that_does_not_answer_is_given_up(
    home: Home, monkeypatch: pytest.MonkeyPatch, notes: list[str], stuck: StuckRing
) -> None:
    use(stuck, monkeypatch)
    vault = Vault(home, keychain=True, note=notes.append, timeout=0.05)
    assert vault.save("prod", "secret") == "file"
    assert "did not answer within 0.05 seconds" in notes[0]
    assert vault.load("prod", "file") == "secret"
    with pytest.raises(RigError) as refused:
        vault.load("prod", "keychain")
    assert refused.value.code == "unavailable"
    assert "RIG_KEYCHAIN=off" in refused.value.hint


@pytest.mark.parametrize(
    ("ring", "reason"),
    [(fail.Keyring(), "there is none"), (null.Keyring(), "there is none"), (BrokenRing(), "RuntimeError: no bus")],
)
def test_without_a_keychain_there_is_a_file_and_rig_says_so_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, notes: list[str], ring: KeyringBackend, reason: str
) -> None:
    use(ring, monkeypatch)
    vault = Vault(home, keychain=True, note=notes.append)
    place = vault.save("prod", "secret")
    path = Path(home.tokens) / "prod.json"
    assert place == "file"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert reason in notes[0]
    assert str(path) in notes[0]
    vault.save("prod", "secret2", place)
    assert len(notes) == 1
    assert "secret" not in "".join(notes).replace(str(path), "")


def test_a_file_needs_no_keyring_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    vault = Vault(home, keychain=False)
    place = vault.save("prod", "secret")
    assert vault.load("prod", place) == "secret"
    vault.delete("prod", place)
    assert vault.load("prod", place) == ""


def test_the_file_goes_when_the_keychain_takes_over(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    Vault(home, keychain=False).save("prod", "old")
    use(MemoryRing(), monkeypatch)
    assert Vault(home, keychain=True).save("prod", "new") == "keychain"
    assert list(Path(home.tokens).iterdir()) == []


def test_a_file_that_others_can_read_is_refused(home: Home) -> None:
    vault = Vault(home, keychain=False)
    vault.save("prod", "secret")
    path = Path(home.tokens) / "prod.json"
    path.chmod(0o640)
    with pytest.raises(RigError) as refused:
        vault.load("prod", "file")
    assert refused.value.code == "bad_config"
    assert f"chmod 600 {path}" in refused.value.hint


def test_a_file_that_is_a_link_is_not_followed(home: Home, tmp_path: Path) -> None:
    vault = Vault(home, keychain=False)
    vault.save("prod", "secret")
    path = Path(home.tokens) / "prod.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RigError) as refused:
        vault.load("prod", "file")
    assert refused.value.code == "bad_config"


def test_a_full_disk_is_explained(home: Home) -> None:
    Path(home.data).mkdir(exist_ok=True)
    (Path(home.data) / "tokens" / "prod.json").mkdir(parents=True)
    with pytest.raises(RigError, match="cannot be written"):
        Vault(home, keychain=False).save("prod", "secret")
