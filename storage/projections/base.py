"""What a projection is.

A projection folds records into tables of the same database, so that a question is one indexed query. Its rows are
committed together with the records. Nothing in it is truth: it can be dropped at any time and is made again from the
records whenever its ``version`` is raised (see `storage.projections.runner`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rig.kernel.ports import Recorded


class Projection(Protocol):
    """One set of tables. Read-only attributes, so that a class with constants fits."""

    @property
    def name(self) -> str:
        """Unique in a journal; also the prefix of its tables and indexes, so that no two projections meet."""
        ...

    @property
    def version(self) -> int:
        """Raised with every change of ``ddl`` or ``apply``: the tables are then made anew."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that ``ddl`` makes."""
        ...

    @property
    def ddl(self) -> str:
        """The statements that make the tables and their indexes."""
        ...

    def apply(self, connection: sqlite3.Connection, recorded: Recorded) -> None:
        """Fold one record in. Records come in the order of their positions, each once. Depends on nothing but them."""
        ...


@runtime_checkable
class Batched(Protocol):
    """A projection that folds many records at once, and comes to the same as one by one."""

    def apply_all(self, connection: sqlite3.Connection, records: Sequence[Recorded]) -> None: ...


@runtime_checkable
class Lean(Protocol):
    """A projection that decodes of many records only what it needs, and comes to the same as with all of it.

    ``written`` are ``count`` records as they were written, one on a line. `RigError` is raised for one that this
    version of rig cannot read, as by decoding it.
    """

    def apply_written(self, connection: sqlite3.Connection, written: str, count: int) -> None: ...


@runtime_checkable
class Choosy(Protocol):
    """A projection that looks at some types of facts only; the others are not even decoded for it."""

    @property
    def types(self) -> tuple[str, ...]: ...


@runtime_checkable
class Divisible(Protocol):
    """A projection of which several processes can fold a part of the records each."""

    @property
    def divisible(self) -> bool:
        """Whether a row depends on records of one correlation, and on the commands of one stream, alone; and has as its
        key ``pos`` the position of one of these records."""
        ...


@runtime_checkable
class Seeking(Protocol):
    """A projection that finds rows by other indexes than its primary keys while it folds."""

    @property
    def sought_by(self) -> tuple[str, ...]:
        """Names of these indexes. All others of its indexes are made when the rows are there, by sorting them once."""
        ...
