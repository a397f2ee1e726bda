"""Slots become Caddy's configuration, and Caddy itself finds it valid."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from rig.kernel.errors import RigError
from rig.node.edge import binary
from rig.node.edge.config import EdgeOptions, render
from rig.node.edge.slots import Slot

HELLO = Slot(id=1, hostname="hello.demo.localhost", named=True, instances=1)
SPARE = Slot(id=2)
FOLDER = Path("/edge")


def server(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["apps"]["http"]["servers"]["edge"]
    return found


def proxies(slot: Slot) -> list[dict[str, Any]]:
    """The reverse proxies of a slot, by number of instances."""
    route, _ = server(render((slot,), EdgeOptions(), FOLDER))["routes"]
    if slot.named:
        [route] = route["handle"][0]["routes"]
    *by_count, page = route["handle"][1]["routes"]
    assert page["handle"][0]["body"] == f"{{file.slots/{slot.id}/page}}"
    return [one["handle"][0] for one in by_count]


def test_who_has_a_slot_is_not_in_the_configuration() -> None:
    taken = Slot(id=2, hostname="new.demo.localhost", instances=0)
    assert render((HELLO, SPARE), EdgeOptions(), FOLDER) == render((HELLO, taken), EdgeOptions(), FOLDER)
    gone = Slot(id=1, hostname="hello.demo.localhost", named=True, instances=1, gone=True)
    assert render((HELLO, SPARE), EdgeOptions(), FOLDER) == render((gone, SPARE), EdgeOptions(), FOLDER)


def test_each_number_of_instances_has_its_upstreams() -> None:
    for slot in (HELLO, SPARE):
        dialled = [[upstream["dial"] for upstream in proxy["upstreams"]] for proxy in proxies(slot)]
        assert [len(each) for each in dialled] == list(slot.counts)
        assert dialled[1] == [f"127.0.0.1:{{file.slots/{slot.id}/{number}}}" for number in range(2)]


def test_each_slot_has_a_log_of_its_own_and_the_rest_gets_a_page() -> None:
    api = Slot(id=3, hostname="api.example.com", named=True, instances=1, proof="secret")
    config = render((HELLO, SPARE, api), EdgeOptions(), FOLDER)
    *_, last = server(config)["routes"]
    assert last["handle"][0]["status_code"] == "404"
    logs = config["logging"]["logs"]
    assert {name: log["writer"]["filename"] for name, log in logs.items()} == {
        "default": "/edge/edge.log",
        "access_1": "/edge/slots/1/access.log",
        "access_2": "/edge/slots/2/access.log",
    }
    assert "http.log.access" in logs["default"]["exclude"]


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
    one, *more = proxies(HELLO)
    assert "health_checks" not in one
    assert all("health_checks" in proxy for proxy in more)


@pytest.mark.parametrize("tls", ["off", "acme", "internal"])
def test_caddy_finds_it_valid(tmp_path: Path, tls: Any) -> None:
    given = (
        HELLO,
        Slot(id=3, hostname="two.demo.localhost", named=True, instances=20),
        Slot(id=4, hostname="api.example.com", named=True, proof="secret"),
        *([SPARE] if tls == "off" else []),
    )
    config = tmp_path / "caddy.json"
    config.write_text(json.dumps(render(given, EdgeOptions(domain="apps.test", tls=tls), tmp_path)))
    checked = subprocess.run(
        [binary.find_caddy(), "validate", "--config", config],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "RIG_EDGE_ADMIN": "3", "RIG_EDGE_LISTEN_0": "4"},
    )
    assert checked.returncode == 0, checked.stderr


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
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(new.parent))
    assert binary.find_caddy() == new


@pytest.mark.parametrize(("says", "words"), [("2.6.2", "2.6.2"), ("hello", "no known version")])
def test_a_caddy_that_will_not_do_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, words: str
) -> None:
    old = fake_caddy(tmp_path / "old", says)
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(RigError, match=words) as missing:
        binary.find_caddy()
    assert missing.value.code == "missing_program"
    assert ".[node]" in missing.value.hint
