"""The ports: what the bus and the handlers need from outside, as Protocols. Adapters stand in `storage` and
`rig.clients`; the composition roots put them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from events.base import Fact
from rig.contract.base import Command, Reply
from rig.contract.node import Node, StartNode, StopNode

if TYPE_CHECKING:
    from rig.contract.evidence import Exported
    from rig.contract.replica import RecordPage
    from rig.contract.review import Replicated
    from rig.contract.verification import Finding, JournalReport, Verification

R = TypeVar("R", bound=Reply)


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What the bus knows of one dispatch before anything happens; every event of it carries these."""

    id: str
    """UUIDv7 of the command (RFC 9562)."""
    actor: str
    """``user:ana``, ``token:ci``, or ``os:NAME`` for somebody who has not logged in."""
    at: int
    """Wall clock, nanoseconds since the epoch, UTC."""
    src: str = ""
    """Where it came from: host and address."""
    corr: str = ""
    """Correlation: the id of the command that began it all, on whichever machine."""
    key: str = ""
    """Idempotency key; empty where the caller gave none."""
    client: str = ""
    """Program and version, ``rig/0.1.0``."""
    context: str = ""
    """Name of the context, empty on the node."""
    session: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that wants to be appended to a stream."""

    stream: str
    """``network:demo``, ``app:demo/hello``, ``command:<id>`` …"""
    fact: Fact
    target: str = ""
    """The resource that it is about, as a reviewer would name it: ``demo/hello``."""
    outcome: str = "success"
    """``success``, ``failure``, ``denied``, ``error`` or ``unknown``."""
    caus: str = ""
    """Id of the event that caused this one; empty: the command."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the journal, decoded. ``fact`` is current: an old shape was converted by its upcaster."""

    pos: int
    id: str
    stream: str
    ver: int
    at: int
    actor: str
    outcome: str
    target: str
    src: str
    session: str
    corr: str
    caus: str
    idem: str
    fact: Fact
    meta: dict[str, Any] = {}


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A change on its way to the platform. Written in the transaction of its intent, settled in that of its outcome."""

    idem: str
    key: str
    """What must stay in order: rows of one key travel one after the other."""
    fingerprint: str
    """SHA-256 of the request, so that a key cannot be used for another one."""
    body: bytes
    """The command, as JSON."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How the delivery of an outbox row ended: ``delivered``, ``refused`` (the platform said no) or ``unknown``."""

    idem: str
    state: str


class Journal(Protocol):
    """An append-only, verified record. See `storage.journal`."""

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
        """Append ``drafts`` in one transaction, durable on return.

        ``expect`` gives the version that a stream must have (0: it must not exist); another one raises `RigError`
        ``conflict`` and appends nothing. ``idem`` is kept on the first record; a second append with the same one raises
        ``key_reused``. Raises ``journal_unavailable`` where nothing can be written.
        """
        ...

    def stream(self, name: str, after: int = 0) -> list[Recorded]:
        """The records of one stream whose version is greater than ``after``, oldest first."""
        ...

    def read(self, after: int = -1, limit: int = 1000) -> list[Recorded]:
        """Up to ``limit`` records with a position greater than ``after``, oldest first."""
        ...

    def by_idem(self, key: str) -> Recorded | None:
        """The record that carries this idempotency key."""
        ...

    def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """Rows of a projection; read-only."""
        ...

    def digest_secret(self, value: str) -> str:
        """HMAC-SHA-256 under the journal's own key, hexadecimal: the only form in which a secret is recorded."""
        ...

    def keep_witness(self, note: str, verifier: str) -> None:
        """Keep a checkpoint of this journal that a platform has countersigned. Raises `RigError`."""
        ...

    def verify(self) -> Verification:
        """Check everything, from the first record to the pin outside the file. Reports what is wrong; never raises."""
        ...

    def info(self) -> JournalReport:
        """What the journal is and how far it goes; nothing is verified."""
        ...


class Record(Protocol):
    """What can be asked of a journal, of a replica, and of an export that was imported."""

    def stream(self, name: str, after: int = 0) -> list[Recorded]: ...

    def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[dict[str, Any]]: ...


class Replica(Protocol):
    """What is known of a platform's journal. See `storage.replica`."""

    @property
    def path(self) -> str: ...

    def state(self) -> Replicated | None:
        """How far it goes; None where nothing was replicated yet. What is withheld is counted, which takes a while."""
        ...

    def forked(self) -> str | None:
        """How the platform contradicts what it showed before, empty while it does not; None as for `state`."""
        ...

    def stream(self, name: str, after: int = 0) -> list[Recorded]:
        """The records of one stream that may be seen, oldest first."""
        ...

    def rows(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """Rows of its tables, which are those of a journal; read-only."""
        ...

    def size(self) -> int:
        """Records that are here, the hidden and the archived ones counted in."""
        ...

    def extend(self, page: RecordPage, *, asked: int, at: int) -> bool:
        """Check a page and keep it; whether there is more to fetch.

        ``asked`` is the size when the page was asked for. A page that was overtaken by another process is dropped.
        Raises `RigError` ``journal_forked`` where it contradicts what is here, and keeps nothing of it.
        """
        ...

    def verify(self) -> list[Finding]:
        """Check every record, the tree over all, and the platform's signature, and then what queries read: the tables
        are folded anew and compared. Gives what is wrong first; of the tables, each that is wrong."""
        ...

    def export(
        self, write: Callable[[str], Any], *, positions: Sequence[int], chosen_by: dict[str, str], at: int
    ) -> Exported:
        """Write an export of picked records, each with the proof that it stands in what the platform signed.

        As `rig.kernel.evidence.Evidence.export`; none of them may be withheld.
        """
        ...

    def begin_anew(self, at: int) -> str:
        """Put it aside, as evidence, because the platform has another journal now. Gives its new path."""
        ...


class Texts(Protocol):
    """Finds words in journals."""

    def find(self, record: Record, words: str, below: int, limit: int) -> tuple[list[int], int]:
        """Positions of audit rows that hold all the words, found below a position, the newest first; and where the
        next ones are to be looked for: 0 where there are none."""
        ...


class Transport(Protocol):
    """HTTP to one platform, logged in. Thread-safe: each thread has a connection of its own."""

    def request(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request; gives status, headers (lower-case names) and body. Raises `RigError` ``unreachable``."""
        ...


class Platform(Protocol):
    """A Max platform, by its API. Raises `RigError` with the code that the platform answered, or ``unreachable``."""

    def call(self, command: Command, reply: type[R], *, key: str = "", corr: str = "") -> R:
        """Send a command by its route in `rig.contract.api` and decode what answers it.

        ``key`` is the Idempotency-Key of a change.
        """
        ...


class NodeProcess(Protocol):
    """The embedded Max node as a process of this machine. See `rig.clients.node_process`."""

    def start(self, command: StartNode) -> Node:
        """Start it in the background unless it runs, and wait until it answers. Several callers get the same node.

        Raises `RigError`: ``conflict`` where it runs otherwise than ``command`` asks, ``missing_program``,
        ``pending`` where it does not answer in time, or whatever the node itself failed with.
        """
        ...

    def run(self, command: StartNode) -> Node:
        """Run it in the foreground, to its end; signals are passed on to it."""
        ...

    def stop(self, command: StopNode) -> Node:
        """Stop it, with or without its apps, and wait for its end. Nothing to do is a success."""
        ...

    def status(self) -> Node:
        """How it is now."""
        ...


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...


class Progress(Protocol):
    """Where long work says how far it is. The command line draws it; a pipe gets plain lines."""

    def step(self, text: str) -> None:
        """A new step begins, as ``uploading``."""
        ...

    def advance(self, done: int, total: int, unit: str = "bytes") -> None:
        """How far the step is."""
        ...

    def line(self, text: str) -> None:
        """Something worth a line of its own, such as build output."""
        ...

    def warn(self, text: str) -> None:
        """A warning; it goes into the envelope too."""
        ...
