"""Documents: what differs between a file, what was applied and what is live."""

from __future__ import annotations

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.export_config import decide as exported
from rig.clients.configuration import parse_configuration
from rig.contract.configuration import AppTable, Configuration
from rig.kernel.configtext import toml_of
from rig.kernel.configuration import compare, differs, drift, flat, parts, redacted, to_do
from rig.node.configuration.live import document_of
from tests.unit.documents import DIGEST, LIMITED, MADE, actions, document, hello
from tests.unit.given import APP, CREATED, app, network


@pytest.mark.parametrize(
    ("file", "applied", "live", "action", "drifted"),
    [
        ("1", "1", "1", None, False),
        ("1", None, "1", None, False),
        ("1", None, None, "add", False),
        ("1", "1", None, "add", True),
        ("2", "1", "1", "change", False),
        ("2", None, "1", "change", False),
        ("1", "1", "2", "change", True),
        (None, "1", "1", "remove", False),
        (None, "1", "2", "remove", True),
        (None, "1", None, None, False),
        (None, None, "1", "unmanaged", False),
    ],
)
def test_one_key_three_ways(
    file: str | None, applied: str | None, live: str | None, action: str | None, drifted: bool
) -> None:
    def env(value: str | None) -> Configuration:
        return document(env={} if value is None else {"A": value})

    changes = compare(env(file), env(applied), env(live))
    assert [(change.action, change.drift) for change in changes] == ([] if action is None else [(action, drifted)])
    if action:
        assert (changes[0].file, changes[0].applied, changes[0].live) == (file, applied, live)


@pytest.mark.parametrize(
    ("pin", "live", "action"),
    [
        ("", DIGEST, None),
        (DIGEST[:19], DIGEST, None),
        (DIGEST, None, "missing"),
        ("digest:" + "f" * 12, DIGEST, "rotated"),
    ],
)
def test_a_secret_is_known_by_the_beginning_of_its_digest(pin: str, live: str | None, action: str | None) -> None:
    there = hello(secrets={} if live is None else {"KEY": live})
    found = actions(hello(secrets={"KEY": pin}), None, there)
    assert found == ({"apps.hello.secrets.KEY": action} if action else {})


def test_an_app_is_one_change_with_all_that_is_its_own() -> None:
    old = hello(env={"A": "1"}, processes={"web": 2})
    assert actions(document(), old, old) == {"apps.hello": "remove"}
    assert actions(document(), None, old) == {"apps.hello": "unmanaged"}
    assert actions(old, None, document()) == {
        "apps.hello": "add",
        "apps.hello.env.A": "add",
        "apps.hello.processes.web": "add",
    }


def test_fewer_processes_than_run_now_is_told_whoever_says_how_many_there_are() -> None:
    [change] = compare(hello(processes={"web": 2}), None, hello(), {"apps.hello.processes.web": 3})
    assert (change.action, change.shrinks) == ("add", True)
    [change] = compare(hello(processes={"web": 3}), None, hello(), {"apps.hello.processes.web": 3})
    assert not change.shrinks


def test_values_of_variables_are_hidden_and_nothing_else() -> None:
    file = hello(env={"A": "hunter2"}, processes={"web": 2}, secrets={"KEY": ""})
    hidden = {change.key: change for change in redacted(compare(file, None, document()))}
    assert "hunter2" not in msgspec.json.encode(list(hidden.values())).decode()
    assert hidden["apps.hello.env.A"].redacted
    assert hidden["apps.hello.processes.web"].file == "2"


NAMES = st.sampled_from(["A", "B", "C"])

TABLES = st.builds(
    AppTable,
    env=st.dictionaries(NAMES, st.text(max_size=3), max_size=3),
    processes=st.dictionaries(st.sampled_from(["web", "worker"]), st.integers(0, 3)),
)

DOCUMENTS = st.builds(
    lambda env, apps: Configuration(network="demo", env=env, apps=apps),
    st.dictionaries(NAMES, st.text(max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["one", "two", "three"]), TABLES),
)


@given(DOCUMENTS, st.none() | DOCUMENTS, DOCUMENTS)
def test_what_was_planned_makes_live_what_the_file_says(
    file: Configuration, applied: Configuration | None, live: Configuration
) -> None:
    """And leaves alone what was never in a file; a second plan is empty."""
    changes = compare(file, applied, live)
    after = dict(flat(live))
    for change in to_do(changes):
        if change.action == "remove":
            after = {key: value for key, value in after.items() if not f"{key}.".startswith(f"{change.key}.")}
        else:
            assert change.file is not None
            after[change.key] = change.file
    left = {change.key for change in changes if change.action == "unmanaged"}
    alone = {key: value for key, value in after.items() if any(f"{key}.".startswith(f"{one}.") for one in left)}
    assert after == {**alone, **flat(file)}
    assert {key: flat(live)[key] for key in alone} == alone
    assert not to_do(compare(file, file, of_flat(after)))


def of_flat(keys: dict[str, str]) -> Configuration:
    env: dict[str, str] = {}
    apps: dict[str, AppTable] = {}
    for key, value in keys.items():
        label, table, name = parts(key)
        if not label:
            env[name] = value
            continue
        found = apps.setdefault(label, AppTable(env={}, processes={}))
        if table == "env":
            found.env[name] = value
        elif table == "processes":
            found.processes[name] = int(value)
    return Configuration(network="demo", env=env, apps=apps)


@given(DOCUMENTS, DOCUMENTS)
def test_drift_is_about_what_was_applied_and_nothing_else(applied: Configuration, live: Configuration) -> None:
    keys = {change.key for change in drift(applied, live)}
    assert keys == {key for key, value in flat(applied).items() if flat(live).get(key) != value}
    assert not drift(applied, applied)


@given(DOCUMENTS)
def test_an_export_reads_as_what_it_was_made_of(live: Configuration) -> None:
    text = toml_of(live)
    assert text.replace("\n", "").isprintable()
    assert parse_configuration(text.encode(), "max.toml") == live
    assert not differs(compare(parse_configuration(text.encode(), "max.toml"), None, live))


def test_an_export_holds_short_digests_in_order() -> None:
    live = hello(env={"B": "2", "A": '\x7f\n"\\\u200d'}, secrets={"KEY": DIGEST}, processes={"web": 2})
    text = toml_of(exported(live))
    assert list(tomllib.loads(text)["apps"]["hello"]["env"]) == ["A", "B"]
    assert f'KEY = "{DIGEST[:19]}"\n' in text
    assert not differs(compare(parse_configuration(text.encode(), "x"), None, live))


def test_memory_is_compared_however_its_size_is_written() -> None:
    live = hello(memory={"*": "512M", "web": "1G"})
    assert document_of(network(MADE), {APP: app(CREATED, LIMITED)}) == live
    assert actions(hello(memory={"*": "524288K", "web": "1024M"}), None, live) == {}
    found = compare(hello(memory="256M"), live, live)
    assert {one.key: (one.action, one.file, one.shrinks) for one in found} == {
        "apps.hello.memory": ("change", "256M", True),
        "apps.hello.memory.web": ("remove", None, False),
    }
    assert not compare(hello(memory="none"), None, hello(memory="1G"))[0].shrinks
    assert parse_configuration(toml_of(live).encode(), "max.toml") == live
