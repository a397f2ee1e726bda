"""Reviewing the record: who did what, to what, from where, and how it ended."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from rig.contract.base import Command, Reply, arg, opt
from rig.contract.files import FilePath, Overwrite
from rig.contract.times import Time

Outcome = Literal["success", "failure", "denied", "error", "unknown"]
Source = Literal["local", "observed", "both", "export"]
"""Whose record says so: ``local`` is this machine's own, ``observed`` the platform's, of which a replica is kept;
``export`` one that was imported."""

_Text = Meta(max_length=200)


FromFile = Annotated[
    FilePath,
    opt("Ask the database that `rig journal import` made of an export, and nothing else.", "--from", metavar="FILE"),
]


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What narrows a question to the record. Several filters hold together; `x*` takes all that begins with x."""

    actor: Annotated[str, _Text, opt("Only what this actor did: ana, token:ci, node.", metavar="ACTOR")] = ""
    target: Annotated[
        str, _Text, opt("Only what this was done to; `demo/*` takes all that begin so.", metavar="NAME")
    ] = ""
    action: Annotated[
        str,
        _Text,
        opt("Only this, as network.create; `network.*` takes all that begin so.", "--type", metavar="ACTION"),
    ] = ""
    outcome: Annotated[Outcome | Literal[""], opt("Only what ended so.")] = ""
    since: Annotated[
        Time, opt("From this time on: 2026-11-01, 2026-11-01T12:00Z, 12:00, mon, 2h for two hours ago.", metavar="TIME")
    ] = ""
    until: Annotated[Time, opt("Before this time.", metavar="TIME")] = ""
    env: Annotated[str, _Text, opt("Only what was done for this environment of rig.toml.", metavar="NAME")] = ""
    src: Annotated[str, _Text, opt("Only what came from this host or address.", metavar="HOST")] = ""
    session: Annotated[str, _Text, opt("Only what was done in this session.", metavar="ID")] = ""
    corr: Annotated[str, _Text, opt("Only what follows from this command.", metavar="ID")] = ""
    text: Annotated[
        str, _Text, opt("Only what has all of these words in it; `roll*` takes words that begin so.", metavar="WORDS")
    ] = ""
    denied: Annotated[bool, opt("Only what was denied.", "--denied")] = False
    privileged: Annotated[
        bool, opt("Only what touches accounts, roles, tokens, the node, or deletes something.", "--privileged")
    ] = False
    source: Annotated[
        Literal["", "local", "observed"],
        opt("Only the record of this machine (local), or what is known of the platform's (observed).", "--record"),
    ] = ""


AllRecords = Annotated[bool, opt("Every record: facts on their own, and look-ups, too.", "--all")]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change: a command with all that came of it, or what nobody asked for. With ``--all``, one command from its
    intent to its end, or one other fact."""

    source: Source = "local"
    pos: int
    """Position in the record of its source; that of the local one where both have it."""
    observed_pos: int = -1
    """Position in the platform's record, where both have it."""
    id: str
    at: str
    ended_at: str = ""
    actor: str
    action: str
    """A command's tag (``network.create``), or a fact's type (``network.created``)."""
    target: str = ""
    outcome: Outcome
    """``unknown``: it began, and its end is not on the record."""
    code: str = ""
    """Error code of an outcome that is no success."""
    reason: str = ""
    context: str = ""
    env: str = ""
    src: str = ""
    session: str = ""
    corr: str = ""
    privileged: bool = False
    version: int = 0
    """The release that came of it, 0 for none."""
    effects: list[str] = []
    """Of a change: the facts that it caused, and the commands that were carried out for it, in their order."""


class Replicated(msgspec.Struct, frozen=True, kw_only=True):
    """The replica of a platform's record: how far it goes, and whether the platform kept to it."""

    origin: str
    verifier: str = ""
    """The public key that the platform signs with, C2SP signed-note form: the one of the first page that came."""
    size: int = 0
    """Records, each checked against the platform's signed checkpoint."""
    withheld: int = 0
    """Of these, the ones that you may not see: their hashes are here, and prove that they are in their place."""
    unreadable: int = 0
    """Of these, the ones that a newer rig is needed for."""
    synced_at: str = ""
    forked: str = ""
    """How the platform's record contradicts the one it showed before; empty while it does not."""


class AuditLog(Reply, frozen=True, kw_only=True):
    """Entries, newest first; with ``--after-pos`` in the order of their positions."""

    record: str
    """``local`` is what was done with rig on this machine; ``local+observed`` has what is known of the platform too;
    ``export`` is one that was imported."""
    each: Literal["change", "record", "row"] = "record"
    """What an entry stands for; ``row``: there are none, and ``rows`` answers --sql."""
    more: bool = False
    """Whether more entries match, beyond the limit."""
    matched: int = 0
    """Entries that match. Of two records with too many to look at all, at least as many as the one with most has."""
    exact: bool = True
    """False where more may match than were counted."""
    excluded: int = 0
    """Entries that do not match; where not all were counted, that were not found to match. Of two records, at least as
    many as the one with most has: which of them stand in both is not looked up."""
    replica: Replicated | None = None
    entries: list[AuditEntry] = []
    rows: list[dict[str, Any]] = []
    """The answer to ``--sql``."""


class ListAudit(AuditFilter, Command, frozen=True, kw_only=True, tag="audit.list"):
    """Show who did what, newest first: the record of this machine, and what is known of the platform's.

    Each change is one line: the command, how it ended, and the release that came of it. A filter finds a change by any
    of its records; look-ups are shown where --type names them, or with --all. The newest of the platform's record is
    fetched on the way where it can be reached.
    """

    kind: ClassVar[str] = "audit"
    reply: ClassVar[type[Reply]] = AuditLog

    limit: Annotated[int, Meta(ge=1, le=10_000), opt("At most so many entries.")] = 50
    after_pos: Annotated[
        int,
        Meta(ge=-1),
        opt("Only records behind this position of one record, the oldest of them first; with --all.", metavar="POS"),
    ] = -1
    all_records: AllRecords = False
    from_file: FromFile = ""
    sync: Annotated[bool, opt("Fetch all that is new of the platform's record, or fail.", "--sync")] = False
    sql: Annotated[
        str,
        Meta(max_length=10_000),
        opt("Ask the tables audit, releases and configuration directly; read-only.", metavar="SELECT"),
    ] = ""


class TreeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One record among its causes and effects."""

    depth: int
    """0 for what began it all."""
    source: Source
    pos: int
    id: str
    at: str
    actor: str
    type: str
    what: str
    """The command's tag, or the type again."""
    target: str = ""
    outcome: str = ""


class AuditRecord(Reply, frozen=True, kw_only=True):
    """One record, whole: what it says, its place, and what vouches for it."""

    source: Source
    pos: int
    id: str
    record: str
    """The canonical JSON that is hashed."""
    leaf: str
    """SHA-256 over a zero byte and the record, hexadecimal."""
    hashed: bool
    """Whether the record still has that hash."""
    signed: int
    """Size of the newest signed checkpoint that covers it, 0 for none."""
    anchored: str = ""
    """What outside of the database it is anchored in: ``pin``, ``platform``; empty for nothing."""
    tree: list[TreeEntry] = []


class ShowAudit(Command, frozen=True, kw_only=True, tag="audit.show"):
    """Show one record: what it says, what caused it, what came of it, what vouches for it."""

    kind: ClassVar[str] = "audit-record"
    reply: ClassVar[type[Reply]] = AuditRecord

    id: Annotated[
        str,
        Meta(pattern=r"^[0-9a-fn-]{1,36}$(?!\n)"),
        arg("An id or how it begins, or a number of `rig audit`: 12, n12 of the platform's record.", metavar="ID"),
    ]
    from_file: FromFile = ""


class StatsRow(msgspec.Struct, frozen=True, kw_only=True):
    """One group."""

    keys: dict[str, str]
    count: int
    outcomes: dict[str, int] = {}


class AuditSummary(Reply, frozen=True, kw_only=True):
    """How often what was done."""

    by: list[str]
    record: str = "local"
    """As in ``audit``."""
    rows: list[StatsRow] = []
    matched: int = 0
    both: int = 0
    """Entries that match and stand in the local record and in the platform's; each is counted once."""
    excluded: int = 0
    """Entries that do not match the filters."""
    replica: Replicated | None = None


GROUPS = "source|actor|day|hour|action|target|network|outcome|env|src"


class AuditStats(AuditFilter, Command, frozen=True, kw_only=True, tag="audit.stats"):
    """Count who did what, in groups. What both records have is counted once.

    Entries are those of `rig audit --all`: each command, each fact, look-ups. To count what was done, name what stands
    for it: `--type deploy.succeeded` for deployments.
    """

    kind: ClassVar[str] = "audit-stats"
    reply: ClassVar[type[Reply]] = AuditSummary

    by: Annotated[
        str,
        Meta(pattern=rf"^({GROUPS})(,({GROUPS})){{0,5}}$(?!\n)"),
        opt(
            "What makes a group: source, actor, day, hour, action, target, network, outcome, env, src; with commas.",
            metavar="NAMES",
        ),
    ] = "actor,action"
    from_file: FromFile = ""


class Streamed(Reply, frozen=True, kw_only=True):
    """How a stream of entries ended."""

    entries: int = 0


class TailAudit(AuditFilter, Command, frozen=True, kw_only=True, tag="audit.tail"):
    """Show what is done while it happens, until Ctrl-C: on this machine, and what you may see of the platform.

    A change is shown when it begins, and again when its end is known. Numbers that begin with n are of the platform's
    record, which is asked for news every two seconds.
    """

    kind: ClassVar[str] = "audit-tail"
    reply: ClassVar[type[Reply]] = Streamed

    limit: Annotated[int, Meta(ge=0, le=10_000), opt("Begin with so many of the newest entries.")] = 10
    all_records: AllRecords = False


ExportFormat = Literal["jsonl", "csv", "ocsf", "html"]


class AuditExport(Reply, frozen=True, kw_only=True):
    """What was exported."""

    format: ExportFormat
    file: str = ""
    """Where it is; empty for standard output."""
    record: str = "local"
    """As in ``audit``."""
    key: str = ""
    """Of jsonl the public key that it can be checked with. Whoever checks it should have it from elsewhere."""
    entries: int = 0
    excluded: int = 0
    """Entries that do not match."""
    replica: Replicated | None = None


class ExportAudit(AuditFilter, Command, frozen=True, kw_only=True, tag="audit.export"):
    """Write entries for somebody else: one page to read (html), for a spreadsheet (csv), or for a SIEM (ocsf).

    jsonl has the records behind them, each with the proof that it stands in the journal that was signed: `rig journal
    verify FILE` checks it. It is of one record, the local one unless --record says otherwise. It goes to standard
    output, or to --file.
    """

    kind: ClassVar[str] = "audit-export"
    reply: ClassVar[type[Reply]] = AuditExport

    format: Annotated[ExportFormat, opt("html, csv, ocsf or jsonl.", metavar="FORMAT")] = "jsonl"
    all_records: Annotated[
        bool, opt("In html, every record, as the others have them; not one line a change.", "--all")
    ] = False
    file: Annotated[FilePath, opt("Write there.", metavar="FILE")] = ""
    overwrite: Overwrite = False
    from_file: FromFile = ""
