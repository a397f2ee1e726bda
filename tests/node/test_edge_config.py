"""Routes become Caddy's configuration, and Caddy itself finds it valid."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.contract.names import LABEL_PATTERN
from rig.kernel.errors import RigError
from rig.node.edge import binary
from rig.node.edge.config import PORTS, EdgeOptions, Route, access_log, remove_access_log, render, slots

HELLO = Route(hostname="hello.demo.localhost", app="demo/hello", ports=(40001,))
FOLDER = Path("/edge")

labels = st.from_regex(LABEL_PATTERN, fullmatch=True)
hostnames = st.builds("{}.{}.localhost".format, labels, labels)
routes = st.lists(
    st.builds(
        Route,
        hostname=hostnames,
        app=st.builds("{}/{}".format, labels, labels),
        ports=st.lists(st.integers(1, 65535), max_size=4).map(tuple),
        idle=st.sampled_from(["empty", "stopped", "crashed"]),
    ),
    unique_by=lambda route: route.hostname,
    max_size=6,
).map(tuple)


def server(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["apps"]["http"]["servers"]["edge"]
    return found


def handler(config: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = server(config)["routes"][number]["handle"][0]
    return found


def test_a_new_port_changes_a_slot_and_not_the_configuration() -> None:
    moved = Route(hostname=HELLO.hostname, app=HELLO.app, ports=(40002,))
    assert render((HELLO,), EdgeOptions(), FOLDER) == render((moved,), EdgeOptions(), FOLDER)
    assert slots((HELLO,)) == {"hello.demo.localhost.0": 40001}
    assert slots((moved,)) == {"hello.demo.localhost.0": 40002}


@given(routes)
def test_every_upstream_has_its_slot(given_routes: tuple[Route, ...]) -> None:
    config = render(given_routes, EdgeOptions(), FOLDER)
    dialled = [
        upstream["dial"]
        for route in server(config)["routes"]
        for handle in route["handle"]
        for upstream in handle.get("upstreams", [])
    ]
    assert sorted(dialled) == sorted(f"127.0.0.1:{{file.{PORTS}/{name}}}" for name in slots(given_routes))
    assert sum(len(route.ports) for route in given_routes) == len(dialled)
    json.dumps(config)


@given(routes)
def test_each_host_has_one_route_and_one_log_and_the_rest_gets_a_page(given_routes: tuple[Route, ...]) -> None:
    config = render(given_routes, EdgeOptions(), FOLDER)
    *matched, last = server(config)["routes"]
    assert [route["match"] for route in matched] == [[{"host": [each.hostname]}] for each in given_routes]
    assert last["handle"][0]["status_code"] == "404"
    names = server(config)["logs"]["logger_names"]
    loggers = config["logging"]["logs"]
    files = [log["writer"]["filename"] for name, log in loggers.items() if name != "default"]
    assert sorted(files) == sorted(str(access_log(FOLDER, each.hostname)) for each in given_routes)
    assert len({logger for each in names.values() for logger in each}) == len(given_routes)


def test_nothing_listens_off_the_machine_without_a_domain() -> None:
    config = render((HELLO,), EdgeOptions(), FOLDER, listeners=2)
    assert server(config)["listen"] == ["fd/{env.RIG_EDGE_LISTEN_0}", "fd/{env.RIG_EDGE_LISTEN_1}"]
    assert config["admin"]["listen"] == "fd/{env.RIG_EDGE_ADMIN}"
    assert "tls" not in config["apps"]


def test_a_public_edge_gets_certificates_and_trusts_nothing() -> None:
    config = render((HELLO,), EdgeOptions(domain="apps.test", tls="acme"), FOLDER)
    assert server(config)["listen"] == [":443"]
    assert "automatic_https" not in server(config)
    assert config["apps"]["pki"]["certificate_authorities"]["local"]["install_trust"] is False


def test_one_instance_is_never_marked_down() -> None:
    two = Route(hostname=HELLO.hostname, ports=(1, 2))
    assert "health_checks" not in handler(render((HELLO,), EdgeOptions(), FOLDER))
    assert "health_checks" in handler(render((two,), EdgeOptions(), FOLDER))


@pytest.mark.parametrize("tls", ["off", "acme", "internal"])
def test_caddy_finds_it_valid(tmp_path: Path, tls: Any) -> None:
    (tmp_path / "access").mkdir()
    given_routes = (
        HELLO,
        Route(hostname="two.demo.localhost", app="demo/two", ports=(40002, 40003)),
        Route(hostname="none.demo.localhost", app="demo/none", idle="crashed"),
    )
    config = tmp_path / "caddy.json"
    config.write_text(json.dumps(render(given_routes, EdgeOptions(domain="apps.test", tls=tls), tmp_path)))
    checked = subprocess.run(
        [binary.find_caddy(), "validate", "--config", config],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "RIG_EDGE_ADMIN": "3", "RIG_EDGE_LISTEN_0": "4"},
    )
    assert checked.returncode == 0, checked.stderr


def test_only_the_logs_of_that_host_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "access"
    folder.mkdir()
    gone = ["a.demo.localhost.log", "a.demo.localhost-2026-01-01T00-00-00.000.log.gz"]
    kept = ["a.demo.localhost.example.log", "b.a.demo.localhost.log"]
    for name in gone + kept:
        (folder / name).touch()
    remove_access_log(tmp_path, "a.demo.localhost")
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)


def fake_caddy(folder: Path, says: str) -> Path:
    folder.mkdir()
    program = folder / "caddy"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def test_caddy_is_taken_from_path_if_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = fake_caddy(tmp_path / "new", "v2.99.0 h1:x")
    old = fake_caddy(tmp_path / "old", "2.6.2")
    monkeypatch.setenv("PATH", str(new.parent))
    assert binary.find_caddy() == new
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(binary.sysconfig, "get_path", lambda name: str(new.parent))
    assert binary.find_caddy() == new


@pytest.mark.parametrize(("says", "words"), [("2.6.2", "2.6.2"), ("hello", "no known version")])
def test_a_caddy_that_will_not_do_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, words: str
) -> None:
    old = fake_caddy(tmp_path / "old", says)
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(binary.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(RigError, match=words) as missing:
        binary.find_caddy()
    assert missing.value.code == "missing_program"
    assert ".[node]" in missing.value.hint
