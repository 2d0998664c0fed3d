"""How tables of any database are read: what is asked of a reader, and what it gives."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

Bound = datetime | int | float | str


@dataclass(frozen=True)
class Range:
    """Rows whose cursor lies in ``[start, end)``; None is open."""

    column: str
    start: Bound | None = None
    end: Bound | None = None


@dataclass(frozen=True)
class SourceColumn:
    """A column that the contract has: its name at the source, and the contract's type.

    What is not stored is not read either: it stays where it is.
    """

    name: str
    type: str
    is_read: bool = True


@dataclass(frozen=True)
class Scan:
    """What is read of a table.

    ``table`` and ``key`` are the source's own names; ``timezone`` is that of its timestamps without one.
    """

    table: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...] = ()
    range: Range | None = None
    timezone: ZoneInfo | None = None


@dataclass(frozen=True)
class Chunk:
    """Rows with ``after < key <= until``, keys compared as rows; None is open. Values as text, to be stored as JSON."""

    number: int
    after: tuple[str, ...] | None = None
    until: tuple[str, ...] | None = None


@dataclass
class Read:
    """Rows that are being read; ``rows`` is what the source counts, final when ``batches`` is exhausted.

    Columns of the table beyond the scan's come too, so that the contract's drift policy sees them.
    """

    rows: int
    batches: Iterator[pa.RecordBatch]


class OpenTable(Protocol):
    """A table that is open for reading, from one snapshot where the engine has it; ``snapshot`` tells which."""

    snapshot: str | None

    def chunks(self, rows: int) -> list[Chunk]:
        """Take the scan apart into chunks of about so many rows; at least one."""
        ...

    def read(self, chunk: Chunk) -> AbstractContextManager[Read]:
        """Open a chunk. Several may be read at once, from several threads."""
        ...

    def keys(self) -> AbstractContextManager[Read]:
        """Open the keys of all of the table's rows, whatever the scan's range."""
        ...

    def unchanged(self, chunk: Chunk, snapshot: str | None, rows: int) -> bool:
        """Whether a chunk still has the rows, so many, that it had in an earlier snapshot.

        Where the engine has no snapshots, a chunk that was read stays read.
        """
        ...

    def highest(self, column: str) -> Bound | None:
        """Highest value of a column in the scan; None without rows."""
        ...


def open_table(kind: str, url: str, scan: Scan) -> AbstractContextManager[OpenTable]:
    """Open a table.

    :param kind: the source file's ``kind``.
    :param url: the database's address, with credentials.
    :raises SourceError: if it can't be reached, or lacks the table or a column.
    """
    if kind == "postgres":
        from datastack.source import postgres

        return postgres.open_table(url, scan)
    from datastack.source import connectorx

    return connectorx.open_table(kind, url, scan)
