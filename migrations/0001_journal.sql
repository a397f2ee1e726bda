-- The journal: `event.rec` is the truth, all else in this file is made from it and can be checked against it.

CREATE TABLE head(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    tip BLOB NOT NULL,
    frontier BLOB NOT NULL,
    last_at INTEGER NOT NULL,
    min_pos INTEGER NOT NULL
) STRICT;

-- A field that is empty in `rec` is NULL in its column, so that it takes no room in an index.
CREATE TABLE event(
    pos INTEGER PRIMARY KEY,
    rec TEXT NOT NULL,
    leaf BLOB NOT NULL,
    id TEXT NOT NULL,
    stream TEXT NOT NULL,
    ver INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT,
    outcome TEXT,
    target TEXT,
    session TEXT,
    corr TEXT,
    src TEXT,
    idem TEXT
) STRICT;

CREATE UNIQUE INDEX event_id ON event(id);
CREATE UNIQUE INDEX event_stream ON event(stream, ver);
CREATE UNIQUE INDEX event_idem ON event(idem) WHERE idem IS NOT NULL;
CREATE INDEX event_at ON event(at);
CREATE INDEX event_actor ON event(actor, at) WHERE actor IS NOT NULL;
CREATE INDEX event_target ON event(target, at) WHERE target IS NOT NULL;
CREATE INDEX event_outcome ON event(outcome, at) WHERE outcome <> 'success';
CREATE INDEX event_session ON event(session) WHERE session IS NOT NULL;
CREATE INDEX event_corr ON event(corr) WHERE corr IS NOT NULL;
CREATE INDEX event_src ON event(src) WHERE src IS NOT NULL;

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a record is never changed');
END;

-- Records below `min_pos` were exported and sealed in a segment; only those may be taken out.
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
WHEN OLD.pos >= coalesce((SELECT min_pos FROM head), 0)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a record is never deleted');
END;

CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;

CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a checkpoint is never changed');
END;

CREATE TABLE segment(
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    note TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 BLOB NOT NULL
) STRICT;

-- Keys of single persons' data; not hashed, because a key that is destroyed must leave the record verifiable.
CREATE TABLE subject_key(key_id TEXT PRIMARY KEY, wrapped BLOB, shredded_at INTEGER) STRICT;

-- `pos` counts the records that a projection has folded.
CREATE TABLE projection(name TEXT PRIMARY KEY, code_version INTEGER NOT NULL, pos INTEGER NOT NULL) STRICT;

-- States: pending, leased; delivered, refused, unknown, dead, expired are ends.
CREATE TABLE outbox(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    idem TEXT NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL DEFAULT 0,
    result TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox(key, seq) WHERE state IN ('pending', 'leased');
