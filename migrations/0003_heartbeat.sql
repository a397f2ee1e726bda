-- What was signed of a journal at a time when nothing was appended to it: see `storage.heartbeat`. `at` are seconds.

CREATE TABLE heartbeat(size INTEGER PRIMARY KEY, at INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
