"""Contexts: which platform a command goes to."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from rig.clients.contexts import EPHEMERAL, FileContexts, context_name
from rig.clients.home import find_home
from rig.clients.locks import locked
from rig.clients.settings import FileSettings
from rig.contract.accounts import Context
from rig.kernel.errors import RigError

PROD = Context(name="prod", url="https://max.example.com", account="ana", network="shop", store="keychain")
TEST = Context(name="test", url="https://test.example.com")


def contexts(folder: Path, environ: dict[str, str] | None = None, explicit: str = "") -> FileContexts:
    home = find_home({"RIG_HOME": str(folder)})
    environ = environ or {}
    return FileContexts(home, FileSettings(home.settings, environ), environ, explicit)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for context in (PROD, TEST):
        contexts(tmp_path).save(context)
    return tmp_path


def test_contexts_are_kept(folder: Path) -> None:
    assert contexts(folder).all() == [PROD, TEST]
    assert contexts(folder).by_url("https://MAX.example.com/") == PROD
    assert stat.S_IMODE((folder / "contexts.json").stat().st_mode) == 0o600


def test_who_has_the_last_word(folder: Path) -> None:
    with pytest.raises(RigError, match="several: prod, test") as refused:
        contexts(folder).current()
    assert refused.value.exit == 64
    contexts(folder).use("test")
    assert contexts(folder).current() == TEST
    assert contexts(folder, {"RIG_CONTEXT": "prod"}).current() == PROD
    assert contexts(folder, {"RIG_CONTEXT": "test"}, explicit="prod").current() == PROD


def test_the_only_one_needs_no_choice(tmp_path: Path) -> None:
    contexts(tmp_path).save(PROD)
    assert contexts(tmp_path).use("prod") == PROD
    assert contexts(tmp_path).current() == PROD
    assert not (tmp_path / "settings.toml").exists()


def test_without_any_one_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(RigError) as refused:
        contexts(tmp_path).current()
    assert (refused.value.code, refused.value.exit) == ("login_required", 4)
    assert "rig login" in refused.value.hint


def test_a_name_that_is_unknown(folder: Path) -> None:
    with pytest.raises(RigError) as refused:
        contexts(folder, explicit="prd").current()
    assert (refused.value.code, refused.value.hint) == ("not_found", "Did you mean `prod`?")
    assert contexts(folder).chosen() is None


def test_the_environment_alone_makes_a_context_and_writes_nothing(folder: Path) -> None:
    environ = {"RIG_URL": "https://ci.example.com", "RIG_TOKEN": "t"}
    before = (folder / "contexts.json").read_bytes()
    current = contexts(folder, environ).current()
    assert (current.name, current.url, current.store) == (EPHEMERAL, "https://ci.example.com", "none")
    contexts(folder, environ).save(current)
    assert (folder / "contexts.json").read_bytes() == before
    assert contexts(folder, environ, explicit="prod").current() == PROD, "the flag beats both"


def test_an_address_without_a_token_is_that_of_a_known_platform_or_refused(folder: Path) -> None:
    assert contexts(folder, {"RIG_URL": PROD.url}).current() == PROD
    with pytest.raises(RigError) as refused:
        contexts(folder, {"RIG_URL": "https://other.example.com"}).current()
    assert refused.value.code == "login_required"


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    made = [Context(name=f"c{number}", url=f"https://c{number}.example.com") for number in range(12)]
    threads = [threading.Thread(target=contexts(tmp_path).save, args=(context,)) for context in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {context.name for context in contexts(tmp_path).all()} == {context.name for context in made}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"contexts": [{"name": "../x", "url": "https://a"}]}', f'{{"x": {"[" * 100_000}{"]" * 100_000}}}'],
    ids=["empty", "open", "list", "path", "deep"],
)
def test_a_file_that_was_damaged_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "contexts.json").write_text(content)
    with pytest.raises(RigError) as refused:
        contexts(tmp_path).all()
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://max.example.com/path", "max.example.com"),
        ("http://127.0.0.1:7470", "127.0.0.1"),
        ("http://[::1]:7470", "1"),
        ("max.example.com", "max.example.com"),
    ],
)
def test_a_context_is_named_after_its_host(tmp_path: Path, url: str, name: str) -> None:
    assert context_name(url) == name
    contexts(tmp_path).save(Context(name=name, url=url))
    assert contexts(tmp_path).free_name(url) == f"{name}-2"


def test_a_lock_that_is_held_too_long_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path):
        with pytest.raises(RigError) as refused, locked(path, timeout=0.05):
            pytest.fail("two holders")
        assert (refused.value.code, refused.value.exit) == ("locked", 75)
    with locked(path, timeout=0.05):
        pass
