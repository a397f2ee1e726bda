"""The record as changes: each command with all that came of it, in both records, as one entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from handlers.audit_answer import Row, answer, entry, lead_of
from handlers.audit_query import Question
from rig.contract.review import AuditEntry, Source
from rig.kernel.ports import Record, Texts

STREAM = "command:"
WIDER = 4
"""By how much more rows are looked at where those that were found are parts of too few changes."""
UNKNOWN_HERE = "os:"
"""Who has not logged in here goes by the name of this machine's user. The platform knows whose token it was."""
AMONG = "IN (SELECT value FROM json_each(?))"
BY_CORRELATION = "audit INDEXED BY audit_corr WHERE corr <> ''"
"""SQLite does not know that it is the shortest way: a correlation has few rows."""


class Change(msgspec.Struct, frozen=True):
    """The row that began a change, and the others that are parts of it, in the order in which they were recorded."""

    source: Source
    head: Row
    effects: list[Row] = []
    twin: Row | None = None
    """What began it in the platform's record, where ``head`` is of the local one."""

    @property
    def commands(self) -> set[str]:
        """Ids of the commands that were carried out: the keys of what they asked of the platform."""
        return {row["stream"].removeprefix(STREAM) for row in (self.head, *self.effects) if is_command(row)}


class Found(msgspec.Struct, frozen=True):
    """Changes, newest first, and how many there are."""

    changes: list[Change]
    matched: int
    exact: bool
    total: int


def is_command(row: Row) -> bool:
    """Whether a row tells of a command; else it is a fact."""
    return str(row["stream"]).startswith(STREAM)


def find(record: Record, source: Source, asked: Question, limit: int, texts: Texts) -> Found:
    """At most ``limit`` changes of which some record matches."""
    wanted = 2 * limit
    while True:
        found = answer(record, asked, wanted, texts)
        changes = [each for each in of_rows(record, source, found.rows) if fits(each, asked)]
        if len(changes) >= limit or len(found.rows) < wanted:
            break
        wanted *= WIDER
    whole = len(found.rows) < wanted
    return Found(
        changes=changes[:limit],
        matched=len(changes) if whole else found.matched,
        exact=found.exact and (whole or asked.outcome != "success"),
        total=found.total,
    )


def fits(change: Change, asked: Question) -> bool:
    """Whether a change has the outcome that was asked for: parts that went well do not make a success."""
    return asked.outcome != "success" or told(change).outcome == "success"


def of_rows(record: Record, source: Source, rows: Iterable[Row]) -> list[Change]:
    """The changes of which these rows are parts, in the order of the rows."""
    leads = list(dict.fromkeys(map(lead_of, rows)))
    if not leads:
        return []
    among = (msgspec.json.encode(leads).decode(),)
    heads = {row["pos"]: row for row in record.rows(f"SELECT * FROM audit WHERE pos {AMONG}", among)}  # noqa: S608 - ours
    effects: dict[int, list[Row]] = {}
    sql = f"SELECT * FROM audit INDEXED BY audit_effects WHERE lead {AMONG} AND lead <> pos ORDER BY pos"  # noqa: S608 - ours
    for row in record.rows(sql, among):
        effects.setdefault(row["lead"], []).append(row)
    return _by_release([Change(source, heads[lead], effects.get(lead, [])) for lead in leads])


def _together(*two: Change) -> Change:
    first, last = sorted(two, key=lambda each: int(each.head["pos"]))
    return Change(first.source, first.head, [*first.effects, last.head, *last.effects])


def _by_release(changes: Sequence[Change]) -> list[Change]:
    """The same, with what tells of one release as one: where the command is withheld, its facts lead themselves."""
    found: dict[tuple[object, ...], Change] = {}
    for one in changes:
        head = one.head
        own = is_command(head) or not head["version"] or not head["corr"]
        key = (head["pos"],) if own else (head["corr"], head["target"], head["version"])
        found[key] = _together(found[key], one) if key in found else one
    return list(found.values())


def joined(local: Sequence[Change], observed: Sequence[Change], replica: Record) -> list[Change]:
    """Changes of both records as one list: what the platform recorded for a local command is a part of that change.

    The key of a request is the id of the command that sent it. What came without one belongs to the change of its
    correlation, where there is but one.
    """
    correlations = msgspec.json.encode(sorted({one.head["corr"] for one in local} - {""})).decode()
    sql = f"SELECT * FROM {BY_CORRELATION} AND corr {AMONG} AND lead = pos ORDER BY pos"  # noqa: S608 - ours
    known = of_rows(replica, "observed", replica.rows(sql, (correlations,)))
    alone = {one.head["corr"] for one in local if sum(one.head["corr"] == each.head["corr"] for each in local) == 1}
    taken: set[int] = set()
    listed = []
    for one in local:
        commands, corr = one.commands, one.head["corr"]
        theirs = [
            each
            for each in known
            if each.head["pos"] not in taken
            and (asked_by(each) in commands or (corr in alone and each.head["corr"] == corr and not each.head["key"]))
        ]
        taken.update(each.head["pos"] for each in theirs)
        rows = [row for each in theirs for row in (each.head, *each.effects)]
        listed.append(Change("both", one.head, [*one.effects, *rows], theirs[0].head) if theirs else one)
    return [*listed, *(one for one in observed if one.head["pos"] not in taken)]


def asked_by(change: Change) -> str:
    """Id of the client's command that asked for a change of the platform's record: the end of its key."""
    return str(change.head["key"]).rpartition("/")[2]


def told_in(local: Record, change: Change, asked: Question) -> bool:
    """Whether a change of the platform's record was asked for by a command of the local one, and is told there: one of
    its records matches. Words are not looked for again; what has them may be told twice."""
    command = f"SELECT 1 FROM {BY_CORRELATION} AND corr = ? AND stream = ?"  # noqa: S608 - ours
    matching = f"SELECT 1 FROM {BY_CORRELATION} AND corr = ? AND {asked.where} LIMIT 1"  # noqa: S608 - ours
    corr = change.head["corr"]
    return (
        any(local.rows(command, (corr, STREAM + asked_by(change))))
        and not asked.text
        and any(local.rows(matching, (corr, *asked.parameters)))
    )


def told(change: Change) -> AuditEntry:
    """A change as an entry."""
    head, twin = change.head, change.twin
    facts = [row for row in change.effects if not is_command(row)]
    end = _end(head, facts, twin)
    ended_at = end["ended_at"] if end["outcome"] == "unknown" else end["ended_at"] or end["at"]
    whole = {**head, **{name: end[name] for name in ("outcome", "code", "reason")}, "ended_at": ended_at}
    if twin is not None and is_command(twin) and head["actor"].startswith(UNKNOWN_HERE):
        whole["actor"] = twin["actor"]
    if not head["target"]:  # `rig undo` learns what it is about from the record
        whole["target"] = next((row["target"] for row in facts if row["action"] == "command.undone"), "")
    own = (row["version"] for row in (head, *facts) if row["target"] == whole["target"])
    return msgspec.structs.replace(
        entry(whole, change.source),
        observed_pos=twin["pos"] if twin else -1,
        version=max(own, default=0),
        effects=list(dict.fromkeys(row["action"] for row in change.effects if row is not twin)),
    )


def _end(head: Row, facts: Sequence[Row], twin: Row | None) -> Row:
    """The row that tells how a change ended.

    That is what its command came to. But a platform answers when a release is begun, and a client may have been cut off
    before there was an answer: then it is what is known to have come of it.
    """
    if head["outcome"] not in {"success", "unknown"}:
        return head
    failed = next((row for row in facts if row["outcome"] in {"failure", "error", "denied"}), None)
    if failed is not None:
        return failed
    ends = [row for row in facts if row["action"] == "deploy.succeeded"]
    if not ends and any(row["action"] == "deploy.started" for row in (head, *facts)):
        return {**head, "outcome": "unknown", "ended_at": None}
    if head["outcome"] == "unknown" and (ends or twin is not None):
        return ends[-1] if ends else twin or head
    return ends[-1] if ends and ends[-1]["at"] > (head["ended_at"] or 0) else head
