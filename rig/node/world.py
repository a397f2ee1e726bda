"""What the node knows: the state of every network and app, folded from its journal and kept in memory.

Only the events are truth; a node that starts folds them again. All changes pass through one writer thread, so what a
handler decided on is still so when its facts are appended.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from events import app as app_stream
from events import network as network_stream
from events import witness as witness_stream
from events.account import ROLE_FACTS, AccountState
from events.account import evolve as evolve_account
from events.app import AppCreated, AppDeleted, AppLimited, AppScaled, AppScaleReset, AppState, DeployStarted
from events.base import Happened
from events.config import SecretsChanged, VarsChanged
from events.network import NetworkConfigured, NetworkCreated, NetworkDeleted, NetworkState
from events.witness import WitnessState
from rig.contract.names import split_app
from rig.contract.project import AppConfig
from rig.kernel.errors import RigError
from rig.kernel.ports import Draft, Journal, OutboxRow, Recorded, Settled, Stamp

PAGE = 5_000
CONFIGURES = (
    AppCreated,
    AppDeleted,
    AppLimited,
    AppScaled,
    AppScaleReset,
    NetworkConfigured,
    NetworkCreated,
    NetworkDeleted,
    SecretsChanged,
    VarsChanged,
)
"""Facts that change what `rig config` compares."""


class World:
    """Networks and apps by name. ``listeners`` are called with every record, in the thread that appended it."""

    def __init__(self) -> None:
        self.networks: dict[str, NetworkState] = {}
        self.apps: dict[str, AppState] = {}
        self._witnesses: dict[str, WitnessState] = {}
        """Journals of clients, by their origin."""
        self._existing: list[str] = []
        """Names of the apps that exist, sorted."""
        self._pending: set[str] = set()
        """Names of the apps of which a release is being made."""
        self.versions: dict[str, int] = {}
        """Version of each stream, for optimistic appends."""
        self.configured: dict[str, int] = {}
        """By network, where in the record its configuration or that of one of its apps was changed last."""
        self.roles: dict[str, AccountState] = {}
        """What was decided about the roles of each account."""
        self.tokens: dict[str, int] = {}
        """How often a service token of this name was made or deleted."""
        self.begun: dict[str, Recorded] = {}
        """The newest ``deploy.started`` of each app: what follows of that release stands under its actor."""
        self.listeners: list[Callable[[Recorded], None]] = []

    def replay(self, journal: Journal, archived: Iterable[Recorded] = ()) -> None:
        """Fold the whole journal, for a node that starts; ``archived`` are the records that it no longer holds."""
        for record in archived:
            self._fold(record, owned=True)
        after = -1
        while page := journal.read(after, PAGE):
            for record in page:
                self._fold(record, owned=True)
            after = page[-1].pos
        # It tries every instance anew, also those that the node before had given up.
        self.apps = {name: msgspec.structs.replace(state, crashed={}) for name, state in self.apps.items()}

    def apply(self, records: Sequence[Recorded]) -> None:
        """Fold what was appended together, then tell the listeners: none of them sees a part of it."""
        for record in records:
            self._fold(record)
        for record in records:
            for listener in self.listeners:
                listener(record)

    def _fold(self, record: Recorded, *, owned: bool = False) -> None:
        """``owned``: nobody looks at the states meanwhile, see `events.app.evolve`."""
        kind, _, name = record.stream.partition(":")
        happened = Happened(record.at, record.actor)
        if kind == "app":
            before = self.apps.get(name, AppState())
            self.apps[name] = after = app_stream.evolve(before, record.fact, happened, owned=owned)
            if after.exists and not before.exists:
                insort(self._existing, name)
            elif before.exists and not after.exists:
                del self._existing[bisect_left(self._existing, name)]
            (self._pending.add if after.pending else self._pending.discard)(name)
            if isinstance(record.fact, DeployStarted):
                self.begun[name] = record
        elif kind == "network":
            state = self.networks.get(name, NetworkState())
            self.networks[name] = network_stream.evolve(state, record.fact, happened, owned=owned)
        elif kind == "account" and isinstance(record.fact, ROLE_FACTS):
            self.roles[name] = evolve_account(self.roles.get(name, AccountState()), record.fact, happened)
            return
        elif kind == "token":
            self.tokens[name] = self.tokens.get(name, 0) + 1
            return
        elif kind == "witness":
            witnessed = self._witnesses.get(name, WitnessState())
            self._witnesses[name] = witness_stream.evolve(witnessed, record.fact, happened)
        else:
            return
        self.versions[record.stream] = record.ver
        if isinstance(record.fact, CONFIGURES):
            self.configured[split_app(name)[0] or name] = record.pos

    def version(self, stream: str) -> int:
        """The version that a stream has now, 0 where it has no record."""
        return self.versions.get(stream, 0)

    def witnessed(self, origin: str) -> WitnessState:
        """What the platform holds the journal of a client to."""
        return self._witnesses.get(origin, WitnessState())

    def network(self, name: str) -> NetworkState:
        """The network of this name. Raises `RigError` ``not_found``."""
        state = self.networks.get(name)
        if state is None or not state.exists:
            raise no_network(name)
        return state

    def app(self, name: str) -> AppState:
        """The app ``network/app``. Raises `RigError` ``not_found``."""
        state = self.apps.get(name)
        if state is None or not state.exists:
            raise no_app(name)
        return state

    def exists(self, app: str) -> bool:
        """Whether there is an app of this name."""
        state = self.apps.get(app)
        return state is not None and state.exists

    def network_exists(self, name: str) -> bool:
        """Whether there is a network of this name."""
        state = self.networks.get(name)
        return state is not None and state.exists

    def apps_of(self, network: str) -> list[str]:
        """Names of the apps that exist in a network, sorted."""
        existing = self.existing_apps()
        # What begins with `demo/` stands before `demo0`: the zero is the character that follows the slash.
        return existing[bisect_left(existing, f"{network}/") : bisect_left(existing, f"{network}0")]

    def states_of(self, network: str) -> dict[str, AppState]:
        """The apps that exist in a network, by name, sorted."""
        return {name: self.apps[name] for name in self.apps_of(network)}

    def existing_apps(self) -> list[str]:
        """Names of all apps that exist, sorted."""
        # A copy, made in one step: the event loop reads while the writer thread adds.
        return self._existing.copy()

    def being_made(self) -> list[AppState]:
        """The apps of which a release is being made."""
        return [self.apps[name] for name in self._pending.copy()]

    def existing_networks(self) -> list[str]:
        return sorted(name for name, state in list(self.networks.items()) if state.exists)


def config_of(started: DeployStarted) -> AppConfig:
    """`rig.toml` as the release keeps it. Raises `RigError` ``bad_config`` where a newer version of rig wrote it."""
    try:
        return msgspec.convert(started.config, AppConfig)
    except msgspec.ValidationError as error:
        raise RigError(
            "bad_config",
            f"The configuration of v{started.version} of `{started.app}` cannot be understood by this node: {error}.",
            f"Deploy it again: `rig deploy --app {started.app}`.",
        ) from error


def no_network(name: str) -> RigError:
    """The error for a network that is not there, or that the asker may not know of."""
    return RigError("not_found", f"There is no network `{name}`.", "`rig list networks` shows those you may see.")


def no_app(name: str) -> RigError:
    """The error for an app that is not there, or that the asker may not know of."""
    return RigError("not_found", f"There is no app `{name}`.", "`rig list apps` shows those you may see.")


class FoldingJournal:
    """The node's journal as its handlers see it: what is appended is in the world before anybody can ask."""

    def __init__(self, journal: Journal, world: World) -> None:
        self._journal = journal
        self._world = world

    def append(
        self,
        drafts: Sequence[Draft],
        stamp: Stamp,
        *,
        expect: Mapping[str, int] | None = None,
        idem: str = "",
        outbox: OutboxRow | None = None,
        settle: Settled | None = None,
    ) -> list[Recorded]:
        """As `Journal.append`; then folds."""
        records = self._journal.append(drafts, stamp, expect=expect, idem=idem, outbox=outbox, settle=settle)
        self._world.apply(records)
        return records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)
