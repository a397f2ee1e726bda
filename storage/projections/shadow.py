"""Projections folded anew, beside the journal, to compare with what is there.

The database of a shadow is its own and temporary; the journal is attached to it under the name ``journal``. So the
projections' statements, which name their tables plainly, write to the shadow, and one query can read both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from storage.database import damaged
from storage.projections.base import Projection
from storage.projections.folding import fold_range, make_tables

ATTEMPTS = 5


class Shadow:
    """Made by folding what the journal's own tables hold, in one pass; :meth:`close` removes it.

    These tables may lag behind the records, each as far as it likes. With ``end`` nothing from that position on is
    folded. Raises `RigError` for a record that cannot be read.
    """

    def __init__(self, path: str, projections: Sequence[Projection], timeout: float, end: int | None = None) -> None:
        # An empty name: a temporary file, which SQLite removes when it is closed.
        self.connection = sqlite3.connect("", timeout=timeout, isolation_level=None)
        try:
            self.connection.execute("PRAGMA synchronous=OFF")
            self.connection.execute("PRAGMA journal_mode=OFF")
            self.connection.execute("ATTACH DATABASE ? AS journal", (path,))
            for projection in projections:
                make_tables(self.connection, projection)
            heads = [self._head(projection) for projection in projections]
            self.first = min((first for _, first, _ in heads), default=0)
            self._folded = {each.name: self.first for each in projections}
            together = min((pos for _, _, pos in heads), default=0) if end is None else end
            self._fold(projections, self.first, together)
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        self.connection.close()

    def _fold(self, projections: Sequence[Projection], start: int, end: int) -> None:
        if start < end:
            # No further than there are records, whatever a file that somebody edited says that it holds.
            (last,) = self.connection.execute("SELECT coalesce(max(pos), -1) FROM journal.event").fetchone()
            fold_range(self.connection, self.connection, "journal.event", projections, start, min(end, last + 1))
            self._folded.update((each.name, end) for each in projections)

    def difference(self, projection: Projection) -> str:
        """The first thing in which the journal's own tables differ from this; empty where nothing does.

        The tables may lag behind the records, as an older version of rig leaves them; whoever asks them makes them
        catch up. So they are compared as of the records that they say they hold.
        """
        for _ in range(ATTEMPTS):
            folded = self._folded[projection.name]
            self.connection.execute("BEGIN")
            try:
                size, first, pos = self._head(projection)
                if not first <= pos <= size:
                    return f"they say that they hold {pos} of {size} records"
                if first != self.first or pos < folded:
                    break
                if pos == folded:
                    return next(filter(None, map(self._table_difference, projection.tables)), "")
            finally:
                self.connection.execute("COMMIT")
            self._fold([projection], folded, pos)
        # Written to, archived or rebuilt all the while: the next check will find it quiet.
        return ""

    def _head(self, projection: Projection) -> tuple[int, int, int]:
        """Records in the journal, the first one that is there, and how many the projection has folded."""
        query = "SELECT size, min_pos, (SELECT pos FROM journal.projection WHERE name = ?) FROM journal.head"
        found = self.connection.execute(query, (projection.name,)).fetchone()
        size, first, folded = (found[0], found[1], found[2] or 0) if found else (0, 0, 0)
        if not all(isinstance(value, int) for value in (size, first, folded)):
            raise damaged("where the records begin and end is no number")
        return size, first, folded

    def _table_difference(self, table: str) -> str:
        """Rows are found by their key on the other side, so it takes one pass and no sorting."""
        columns = self.connection.execute(f'PRAGMA main.table_info("{table}")').fetchall()
        keys = [f'"{name}"' for _, name, _, _, _, key in columns if key] or ["rowid"]
        values = [f'"{name}"' for _, name, *_ in columns]
        same = " AND ".join(f"j.{key} IS s.{key}" for key in keys)
        equal = f"({', '.join(f'j.{v}' for v in values)}) IS ({', '.join(f's.{v}' for v in values)})"
        both = f'main."{table}" s JOIN journal."{table}" j ON {same}'
        count = "SELECT count(*) FROM "
        ours, theirs, alike = (
            self.connection.execute(query).fetchone()[0]
            for query in (f'{count} main."{table}"', f'{count} journal."{table}"', f"{count} {both} WHERE {equal}")
        )
        if ours == theirs == alike:
            return ""
        if ours != theirs:
            return f"`{table}` has {theirs} rows, and should have {ours}"
        key = f"SELECT {', '.join(f's.{k}' for k in keys)} FROM {both} WHERE NOT {equal} LIMIT 1"  # noqa: S608 - names of columns
        found = self.connection.execute(key).fetchone()
        where = f", the first at {', '.join(map(str, found))}" if found else ""
        return f"{ours - alike} rows of `{table}` are other ones{where}"
