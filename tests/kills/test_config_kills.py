"""The node is killed while a file is applied to a network: all of it is done, or nothing, and the same key goes on."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.kills.machine import Machine
from tests.security.people import Browser, owner_token

PATH = "/v1/networks/demo/config"
KILLS = [
    pytest.param("journal.inserted", 0, False, id="before the request is on the record"),
    pytest.param("journal.committed", 0, False, id="behind the request"),
    pytest.param("bus.handled", 0, False, id="decided"),
    pytest.param("journal.inserted", 1, False, id="before the facts are on the record"),
    pytest.param("journal.committed", 1, True, id="behind the facts"),
    pytest.param("bus.concluded", 0, True, id="before the answer"),
]


@pytest.mark.parametrize(("point", "after", "done"), KILLS)
def test_killed_while_a_file_is_applied(machine: Machine, point: str, after: int, done: bool) -> None:
    number = len(machine.releases())
    label = machine.serving()
    browser, key = Browser(machine, owner_token(machine)), f"{point}-{after}"
    new = f"new-{number}"
    document = {"network": "demo", "apps": {"app": {"env": {"N": key}}, new: {"env": {"N": key}}}}
    kept = browser.ask("GET", PATH).json["live"]["apps"]
    # What was made before stays in the document, so that nothing is to be removed.
    document["apps"] = {**kept, **document["apps"]}  # type: ignore[dict-item]
    body = json.dumps({"document": document}).encode()

    machine.node_points.arm(point, after=after)
    with pytest.raises((http.client.HTTPException, OSError)):
        browser.ask("POST", f"{PATH}/apply", body, {"Idempotency-Key": key})
    machine.killed_node()
    machine.run_node()

    live = browser.ask("GET", PATH).json
    assert (live["live"]["apps"].get(new) is not None, live["live"]["apps"]["app"].get("env", {}).get("N") == key) == (
        done,
        done,
    )
    again = browser.ask("POST", f"{PATH}/apply", body, {"Idempotency-Key": key})
    assert again.status == 200, again.text
    assert again.json["releases"] == [{"app": "demo/app", "version": number + 1}]
    machine.check(label)
    assert len(machine.releases()) == number + 1
    assert browser.ask("GET", PATH).json["applied"] == document
    nothing = browser.ask("POST", f"{PATH}/apply", body, {"Idempotency-Key": f"{key} again"})
    assert (nothing.json["changes"], nothing.json["releases"]) == (0, [])
