"""What deleted networks had is forgotten: roles, invitations, tokens, sources. Never before the record says so."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable

from events.network import NetworkDeleted
from rig.kernel.ports import Recorded
from rig.node.accounts.accounts import Accounts
from rig.node.bundles.stores import Stores
from rig.node.world import World

log = logging.getLogger("rig.node.accounts")


def forgetting_networks(accounts: Accounts, stores: Stores) -> Callable[[Recorded], None]:
    """A listener of the world: it is called in the thread that recorded the fact, so no later network has the name."""

    def hear(record: Recorded) -> None:
        if isinstance(record.fact, NetworkDeleted):
            name = record.fact.name
            try:
                accounts.forget_network(name)
                stores.remove(name)
            except (sqlite3.Error, OSError) as error:
                log.error("what network %s had is forgotten at the next start: %s", name, error)

    return hear


def forget_gone_networks(accounts: Accounts, world: World) -> None:
    """For a node that was killed between a deletion and its end. Sources go with the other files."""
    for network in accounts.networks() - set(world.existing_networks()):
        accounts.forget_network(network)
