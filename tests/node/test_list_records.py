"""Which records of the node's journal somebody may see."""

from __future__ import annotations

import pytest

from rig.node.accounts.principal import Principal
from rig.node.handlers.list_records import Header, visible

PEOPLE = {
    "owner": Principal(actor="user:owner", name="owner", owner=True),
    "auditor": Principal(actor="user:audit", name="audit", roles={"*": "auditor"}),
    "demo-auditor": Principal(actor="user:demo-audit", name="demo-audit", roles={"demo": "auditor"}),
    "viewer": Principal(actor="user:vera", name="vera", roles={"demo": "viewer"}),
    "stranger": Principal(actor="user:eve", name="eve", roles={"other": "owner"}),
}
RECORDS = {
    "app": Header("app:demo/shop", "user:ana", "demo/shop"),
    "network": Header("network:demo", "user:ana", "demo"),
    "command": Header("command:1", "user:ana", "demo/shop"),
    "network command": Header("command:2", "user:ana", "demo"),
    "account": Header("account:ana", "user:ana", "ana"),
    "account by the name of the network": Header("account:demo", "user:ana", "demo"),
    "node": Header("node", "system:node", "node"),
    "witness": Header("witness:rig/client/1", "user:ana", "rig/client/1"),
    "witness by the name of the network": Header("witness:demo/x", "user:ana", "demo/x"),
    "their own": Header("command:3", "user:vera", ""),
}
HISTORY = {"app", "network"}
SEES: dict[str, set[str]] = {
    "owner": set(RECORDS),
    "auditor": set(RECORDS),
    "demo-auditor": HISTORY | {"command", "network command"},
    "viewer": HISTORY | {"their own"},
    "stranger": set(),
}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("who", PEOPLE)
def test_who_sees_what(who: str, record: str) -> None:
    assert visible(RECORDS[record], PEOPLE[who]) == (record in SEES[who])
