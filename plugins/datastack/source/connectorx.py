"""Reads tables of any database but Postgres through ConnectorX, page by page, each page from one statement.

ConnectorX holds a statement's result in memory (its stream does too: nothing stops its reading thread, and waiting
for it stops all of Python). So a chunk is read in pages of bounded size, and a statement counts its own rows, which
must all arrive. These engines export no snapshot: pages are as the table was when each was read.
"""

import ctypes
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from datastack.source.arrived import as_wanted
from datastack.source.bounds import Kind, bound_of, needed
from datastack.source.database import Bound, Chunk, OpenTable, Read, Scan
from datastack.source.dialects import COUNT, Dialect, Selected, TableColumn
from datastack.source.engines import BigQuery, MySql, Oracle, SqlServer, Trino
from datastack.source.errors import SourceError
from datastack.source.sqlite import SQLite

DIALECTS: dict[str, Dialect] = {
    one.kind: one for one in (MySql(), SqlServer(), Oracle(), SQLite(), Trino(), BigQuery())
}
PAGE_ROWS = 100_000
_PORTS = {"mysql": 3306, "mssql": 1433, "oracle": 1521, "trino": 8080}
_REACHABLE_WITHIN = 10.0  # seconds; ConnectorX itself tries for 30


@contextmanager
def open_table(kind: str, url: str, scan: Scan) -> Iterator[OpenTable]:
    """Open a table, see :func:`datastack.source.database.open_table`."""
    yield Table(Database(kind, url, DIALECTS[kind]), scan)


class Database:
    """Runs statements.

    :raises SourceError: if there is no such file, or nothing listens.
    """

    def __init__(self, kind: str, url: str, dialect: Dialect) -> None:
        self.dialect, self._url = dialect, url
        address = urlsplit(url)
        if kind in ("sqlite", "bigquery") and not Path(unquote(address.path)).is_file():
            raise SourceError(f"there is no file {unquote(address.path)}. Correct the connection")
        if kind in _PORTS and "alias=true" not in address.query:
            place = (address.hostname or "", address.port or _PORTS[kind])
            try:
                socket.create_connection(place, timeout=_REACHABLE_WITHIN).close()
            except OSError as error:
                message = f"{kind} at {place[0]}:{place[1]} does not answer ({error}). Is it running, is the connection"
                raise SourceError(f"{message} right, does a firewall let this machine in?") from error

    def run(self, what: str, statement: str) -> pa.Table:
        """Run a statement.

        :param what: for messages: what is being done.
        :raises SourceError: without the password, whatever the driver says.
        """
        import connectorx

        before = list(self.dialect.session) or None
        try:
            return connectorx.read_sql(self._url, statement, return_type="arrow", pre_execution_query=before)
        except BaseException as error:  # a panic in the driver is no Exception
            if not isinstance(error, RuntimeError) and type(error).__name__ != "PanicException":
                raise
            raise SourceError(f"{what} failed: {self._without_secrets(str(error))}") from None

    def _without_secrets(self, message: str) -> str:
        password = urlsplit(self._url).password or ""
        for secret in (self._url, password, unquote(password)):
            message = message.replace(secret, "***") if secret else message
        return message


class Table:
    """A table that is open for reading, without a snapshot.

    :raises SourceError: if the table or a column is missing, or a zone is needed that is not declared.
    """

    snapshot: str | None = None

    def __init__(self, database: Database, scan: Scan) -> None:
        self._database, self._scan, self._sql = database, scan, database.dialect
        self._columns = self._catalogue()
        self._selected = self._select()
        self._key = [self._column(name) for name in scan.key]
        self._range = self._conditions()

    def chunks(self, rows: int) -> list[Chunk]:
        """Take the scan apart along its key; without a key it is one chunk.

        :raises SourceError: if a key is null: such a row would lie in no chunk.
        """
        bounds = self._bounds(rows, self._range)
        if bounds and self._count(self._sql.nulls(self._scan.table, self._key, self._range)):
            names = ", ".join(self._scan.key)
            raise SourceError(
                f"{self._scan.table} has rows whose key ({names}) is null, so it is none: correct the contract"
            )
        ends = pairwise([None, *bounds, None])
        return [Chunk(number, after, until) for number, (after, until) in enumerate(ends, start=1)]

    @contextmanager
    def read(self, chunk: Chunk) -> Iterator[Read]:
        """Open a chunk; its count grows with each page."""
        read = Read(0, iter(()))
        unread = {self._column(column.name) for column in self._scan.columns if not column.is_read}
        selected = [one for column, one in zip(self._columns, self._selected, strict=True) if column not in unread]
        read.batches = self._pages(read, selected, self._range, chunk)
        yield read

    @contextmanager
    def keys(self) -> Iterator[Read]:
        """Open the keys of all of the table's rows."""
        key = {self._column(name).name for name in self._scan.key}
        selected = [one for column, one in zip(self._columns, self._selected, strict=True) if column.name in key]
        read = Read(0, iter(()))
        read.batches = self._pages(read, selected, [], Chunk(1))
        yield read

    def unchanged(self, chunk: Chunk, snapshot: str | None, rows: int) -> bool:
        """Whether a chunk need not be read again: without snapshots none is more true than another."""
        return True

    def highest(self, column: str) -> Bound | None:
        """Highest value of a column in the scan, as a bound from which a later scan can start."""
        found = self._column(column)
        statement = self._sql.highest(self._scan.table, found, self._range)
        text = self._run(statement)["highest"][0].as_py()
        plain = None if text is None else self._sql.plain(str(text))
        return None if plain is None else bound_of(column, self._sql.rule(found.type).kind, plain, self._scan.timezone)

    def _pages(
        self, read: Read, selected: list[Selected], conditions: list[str], chunk: Chunk
    ) -> Iterator[pa.RecordBatch]:
        inside = [*conditions, *self._between(chunk.after, chunk.until)]
        for after, until in pairwise([chunk.after, *self._bounds(PAGE_ROWS, inside), chunk.until]):
            page = self._page(selected, [*conditions, *self._between(after, until)])
            read.rows += page.num_rows
            batches = page.to_batches()[::-1]
            del page
            while batches:  # each is freed when it is done with
                yield self._finished(batches.pop(), selected)
            _give_memory_back()

    def _page(self, selected: list[Selected], conditions: list[str]) -> pa.Table:
        page = self._sql.rows(self._run(self._sql.query(self._scan.table, selected, conditions)))
        counted = page[COUNT][0].as_py() if page.num_rows else 0
        if counted != page.num_rows:
            raise SourceError(
                f"{self._scan.table}: the source counts {counted} rows, but {page.num_rows} arrived. Nothing of this "
                "chunk was kept; try again"
            )
        return page

    def _finished(self, batch: pa.RecordBatch, selected: list[Selected]) -> pa.RecordBatch:
        arrays = [as_wanted(batch, column, self._scan.timezone) for column in selected]
        return pa.RecordBatch.from_arrays(arrays, [column.alias for column in selected])

    def _bounds(self, rows: int, conditions: list[str]) -> list[tuple[str, ...]]:
        if not self._key:
            return []
        found = self._run(self._sql.bounds(self._scan.table, self._key, rows, conditions))
        return [tuple(map(str, row.values())) for row in found.to_pylist()]

    def _between(self, after: tuple[str, ...] | None, until: tuple[str, ...] | None) -> list[str]:
        pairs = ((">", after), ("<=", until))
        return [self._sql.beyond(self._key, values, sign) for sign, values in pairs if values is not None]

    def _catalogue(self) -> list[TableColumn]:
        rows = self._run(self._sql.catalogue(self._scan.table)).to_pylist()
        if not rows:
            raise SourceError(
                f"{self._scan.table} does not exist or may not be read. Correct the source file or grant select"
            )
        return [TableColumn(row["column_name"], row["column_type"] or "") for row in rows]

    def _column(self, name: str) -> TableColumn:
        """Find a column by its name, in another case if only one is so named."""
        found = [column for column in self._columns if column.name == name]
        found = found or [column for column in self._columns if column.name.casefold() == name.casefold()]
        if len(found) != 1:
            raise SourceError(f"{self._scan.table} has no column {name}. Correct the contract or the source file")
        return found[0]

    def _select(self) -> list[Selected]:
        """The contract's columns by its names for them, the others by their own."""
        wanted = {self._column(column.name): column for column in self._scan.columns}
        for found, column in wanted.items():
            if column.type == "timestamptz" and self._sql.rule(found.type).kind in (Kind.DATE, Kind.DATETIME):
                needed(column.name, self._scan.timezone)
        return [
            self._sql.selected(found, wanted[found].name, wanted[found].type)
            if found in wanted
            else self._sql.selected(found, found.name, None)
            for found in self._columns
        ]

    def _conditions(self) -> list[str]:
        bounds = self._scan.range
        if bounds is None:
            return []
        column = self._column(bounds.column)
        in_time = isinstance(bounds.start, datetime) or isinstance(bounds.end, datetime)
        misfits = self._sql.misfits(self._scan.table, column)
        if in_time and misfits and (rows := self._count(misfits)):
            raise SourceError(
                f"{self._scan.table}: in {rows} rows the cursor {column.name} is no text, or has an offset, so no time "
                "can be compared with it. Name another cursor, or read the table whole"
            )
        return self._sql.within(column, bounds, self._scan.timezone)

    def _count(self, statement: str) -> int:
        rows: int = self._run(statement)[COUNT][0].as_py()
        return rows

    def _run(self, statement: str) -> pa.Table:
        return self._database.run(f"reading {self._scan.table}", statement)


def _give_memory_back() -> None:
    """Return freed memory to the system: each statement has threads of its own, whose heaps glibc would keep."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
