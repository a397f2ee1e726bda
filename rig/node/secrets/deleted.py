"""Secrets of what was deleted are forgotten, before anything else is decided."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from events.app import AppDeleted
from events.network import NetworkDeleted
from rig.kernel.ports import Recorded
from rig.node.secrets.vault import Vault
from rig.node.world import World

log = logging.getLogger("rig.node.secrets")


def forgetting(vault: Vault) -> Callable[[Recorded], None]:
    """A listener of the world: it is called in the thread that recorded the fact, so no later app has the name yet."""

    def hear(record: Recorded) -> None:
        if isinstance(record.fact, AppDeleted | NetworkDeleted):
            try:
                vault.forget(record.fact.name)
            except sqlite3.Error as error:
                log.error("the secrets of %s are forgotten at the next start: %s", record.fact.name, error)

    return hear


def forget_leftovers(vault: Vault, world: World) -> None:
    """For a node that was killed between a deletion and its end."""
    there = {*world.existing_apps(), *world.existing_networks()}
    for scope in vault.scopes():
        if scope not in there:
            vault.forget(scope)
