"""Documents of a network, for tests."""

from __future__ import annotations

from typing import Any

from events.app import AppLimited
from events.config import SecretRef, SecretsChanged
from events.network import NetworkCreated
from rig.contract.configuration import AppTable, Configuration
from rig.kernel.configuration import compare
from tests.unit.given import APP

DIGEST = "digest:" + "0123456789abcdef" * 4
MADE = NetworkCreated(name="demo")
LIMITED = AppLimited(name=APP, memory={"*": 512 << 20, "web": 1 << 30})
SECRET = SecretsChanged(scope=APP, set={"KEY": SecretRef(version=1, digest=DIGEST.removeprefix("digest:"))})


def document(apps: dict[str, AppTable] | None = None, **tables: Any) -> Configuration:
    return Configuration(network="demo", apps=apps or {}, **tables)


def hello(**tables: Any) -> Configuration:
    return document({"hello": AppTable(**tables)})


def actions(file: Configuration, applied: Configuration | None, live: Configuration) -> dict[str, str]:
    return {change.key: change.action for change in compare(file, applied, live)}
