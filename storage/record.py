"""One record: the bytes that are hashed, and the row that holds them."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from events.codec import UnknownFact, decode
from rig.kernel.errors import RigError
from rig.kernel.ids import uuid7
from rig.kernel.ports import Draft, Recorded, Stamp
from storage import canonical

MAX_RECORD = 1 << 20
"""Bytes; a record tells what happened, and is no place for content."""
GENESIS = b"\x00" * 32
"""What the first record names as the leaf before it."""

COLUMNS = "id, stream, ver, type, at, actor, outcome, target, session, corr, src, idem"
"""The columns that are made from the record, as :func:`columns` gives their values."""
INSERT = f"INSERT INTO event(pos, rec, leaf, {COLUMNS}) VALUES (?, ?, ?, {', '.join('?' * 12)})"  # noqa: S608 - constants


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The content of ``event.rec``. Every field is always there; what is unknown is an empty string.

    The fields stand in the order of the canonical form, which makes reading and writing them twice as fast.
    """

    actor: str
    at: str
    """Nanoseconds since the epoch, as decimal text: they are beyond the integers that JSON keeps (RFC 7493)."""
    body: msgspec.Raw
    caus: str
    corr: str
    id: str
    idem: str
    meta: dict[str, Any]
    outcome: str
    pos: int
    prev: str
    """Leaf hash of the record before this one, hexadecimal; zeros for the first."""
    salt: str
    """128 random bits, hexadecimal: without them a leaf hash would let a guess at a withheld record be checked."""
    session: str
    src: str
    stream: str
    sv: int
    target: str
    type: str
    ver: int


class OpenRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record whose body was decoded too, as a check of its form needs it."""

    body: Any


_decoder = msgspec.json.Decoder(Record)
_open_decoder = msgspec.json.Decoder(OpenRecord, float_hook=canonical.refuse_float)


def make(
    draft: Draft, stamp: Stamp, *, pos: int, ver: int, prev: bytes, at: int, idem: str, meta: dict[str, Any]
) -> Record:
    """The record of a draft. Raises `RigError` ``invalid_data``."""
    return Record(
        prev=prev.hex(),
        pos=pos,
        id=uuid7(at),
        stream=draft.stream,
        ver=ver,
        type=draft.fact.type,
        sv=draft.fact.sv,
        at=str(at),
        actor=stamp.actor,
        outcome=draft.outcome,
        target=draft.target,
        session=stamp.session,
        src=stamp.src,
        corr=stamp.corr,
        caus=draft.caus or stamp.id,
        idem=idem,
        body=msgspec.Raw(_canonical(draft.fact, draft.fact.type)),
        meta=meta,
        salt=os.urandom(16).hex(),
    )


def encode(record: Record) -> bytes:
    """The canonical bytes. Raises `RigError` ``invalid_data`` where they cannot be or are too many."""
    data = _canonical(record, record.type)
    if len(data) > MAX_RECORD:
        raise RigError(
            "invalid_data",
            f"The event `{record.type}` is {len(data)} bytes long, and a record takes {MAX_RECORD}.",
            "Shorten the arguments of the command.",
        )
    return data


def _canonical(value: msgspec.Struct, type_: str) -> bytes:
    try:
        return canonical.encode(value)
    except ValueError as error:
        raise RigError("invalid_data", f"The event `{type_}` cannot be recorded: {error}.") from error


def parse(data: str | bytes) -> Record:
    """The record in ``event.rec``. Raises `msgspec.MsgspecError`."""
    return _decoder.decode(data)


parse_open = _open_decoder.decode
"""As :func:`parse`, with the body as JSON values. Raises `ValueError` for a float in it, too."""


def columns(record: Record) -> tuple[Any, ...]:
    """The values of all columns that are made from the record. An empty text is NULL: it takes no room in an index."""
    return (
        record.id, record.stream, record.ver, record.type, int(record.at),
        record.actor or None, record.outcome or None, record.target or None, record.session or None,
        record.corr or None, record.src or None, record.idem or None,
    )  # fmt: skip


def recorded(data: str | bytes) -> Recorded:
    """A record, decoded, its fact in its current shape. Raises `RigError` where this version of rig cannot read it."""
    try:
        record = parse(data)
        fact = decode(record.type, record.sv, record.body)
    except UnknownFact as error:
        raise RigError(
            "invalid_data",
            f"The journal holds a record that this rig cannot read: {error}.",
            "Upgrade rig: the journal was written by a newer version.",
        ) from error
    except msgspec.MsgspecError as error:
        raise RigError(
            "invalid_data", f"The journal holds a damaged record: {error}.", "Run `rig journal verify`."
        ) from error
    return view(record, fact)


def view(record: Record, fact: Any) -> Recorded:
    """A record and its fact as handlers and projections see them."""
    return Recorded(
        pos=record.pos,
        id=record.id,
        stream=record.stream,
        ver=record.ver,
        at=int(record.at),
        actor=record.actor,
        outcome=record.outcome,
        target=record.target,
        src=record.src,
        session=record.session,
        corr=record.corr,
        caus=record.caus,
        idem=record.idem,
        fact=fact,
        meta=record.meta,
    )
