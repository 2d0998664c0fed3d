"""Reads Postgres tables by binary COPY, all chunks of a table from one exported snapshot."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.codec.decode import CopyFormatError, Decoder
from datastack.contract.sql import identifier, sql
from datastack.source.copy_stream import CONNECT_SECONDS, CopySession, CopyStream
from datastack.source.database import Bound, Chunk, Read, Scan
from datastack.source.errors import SourceError
from datastack.source.naive import first_not_before, moments_of, to_utc
from datastack.source.postgres_columns import TableColumn, declared, literal, readable

_WHOLE = Chunk(1)
_SAMPLED_ROWS = 20_000  # a chunk's; its size is off by some percent then, as whole pages are sampled
UTC = ZoneInfo("UTC")


@contextmanager
def open_table(uri: str, scan: Scan) -> Iterator["PostgresTable"]:
    """Open a table in one snapshot, which lasts as long as the block.

    :param uri: libpq address.
    :raises SourceError: if the database can't be reached, or lacks the table or a column.
    """
    import psycopg

    with ExitStack() as stack:
        with _errors(scan.table):
            connection = psycopg.connect(uri, connect_timeout=CONNECT_SECONDS, cursor_factory=psycopg.RawCursor)
            stack.callback(connection.close)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute(sql("postgres/source_session"))
            table = PostgresTable(uri, scan, connection)
            stack.callback(table.close)
        yield table


class PostgresTable:
    """A table that is open for reading, see :class:`datastack.source.database.OpenTable`.

    ``snapshot`` is the oldest transaction that was under way when it was opened.
    """

    def __init__(self, uri: str, scan: Scan, db: Any) -> None:
        self._uri, self._scan, self._db = uri, scan, db
        self._exported, self.snapshot = self._one(
            "select pg_export_snapshot(), pg_snapshot_xmin(pg_current_snapshot())::text"
        )
        self._table = ".".join(identifier(part) for part in scan.table.split(".", 1))
        self._columns = self._describe()
        self._idle: list[CopySession] = []

    def close(self) -> None:
        """Close the connections that chunks were read by."""
        for session in self._idle:
            session.close()

    def chunks(self, rows: int) -> list[Chunk]:
        """Take the scan apart along its key; one chunk if it is not larger, or has no key that is never null."""
        required = {name for name, column in self._columns.items() if column.is_required}
        if not self._scan.key or not required.issuperset(self._scan.key) or self._estimate() <= rows:
            return [_WHOLE]
        bounds = self._bounds(rows)
        return list(map(Chunk, count(1), [None, *bounds], [*bounds, None]))

    @contextmanager
    def read(self, chunk: Chunk) -> Iterator[Read]:
        """Open a chunk; count and rows are one statement's. Safe to use from several threads."""
        unread = {column.name for column in self._scan.columns if not column.is_read}
        with self._stream([name for name in self._columns if name not in unread], self._from(chunk)) as read:
            yield read

    @contextmanager
    def keys(self) -> Iterator[Read]:
        """Open the keys of all of the table's rows, in the same snapshot."""
        with self._stream(list(self._scan.key), self._table) as read:
            yield read

    def highest(self, column: str) -> Bound | None:
        """Highest value of a column in the scan."""
        (value,) = self._one(f"select max({identifier(column)}) from {self._from(_WHOLE)}")  # noqa: S608 quoted
        if isinstance(value, datetime) and value.tzinfo is None and self._scan.timezone:
            value = to_utc(pa.array([value], pa.timestamp("us")), self._scan.timezone)[0].as_py()
        return value

    def unchanged(self, chunk: Chunk, snapshot: str | None, rows: int) -> bool:
        """Whether a chunk that was read in an earlier snapshot still has the same rows in this one."""
        if snapshot is None or not self._is_stored():
            return False
        statement = sql("postgres/changed_rows", table=self._table, condition=self._condition(chunk))
        return self._one(statement, (snapshot,)) == (rows, 0)

    @contextmanager
    def _stream(self, names: list[str], source: str) -> Iterator[Read]:
        wanted = {column.name: column.type for column in self._scan.columns}
        columns = [readable(self._columns[name], wanted.get(name), self._scan.timezone) for name in names]
        query = f"select {', '.join(expression for expression, _ in columns)} from {source}"  # noqa: S608 quoted
        with self._session() as session, CopyStream(session, query) as stream:
            read = Read(0, iter(()))
            read.batches = self._batches(stream, Decoder([field for _, field in columns]), read)
            yield read

    @contextmanager
    def _session(self) -> Iterator[CopySession]:
        """A connection that nobody else reads by; it is kept for the next one unless it broke or was left midway."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = CopySession(self._uri, self._exported)
        try:
            yield session
        finally:
            if session.is_idle:
                self._idle.append(session)
            else:
                session.close()

    def _batches(self, stream: CopyStream, decoder: Decoder, read: Read) -> Iterator[pa.RecordBatch]:
        with _errors(self._scan.table):
            for block in stream:
                yield from map(self._with_moments, decoder.feed(block))
            yield from map(self._with_moments, decoder.finish())
        read.rows = stream.rows

    def _with_moments(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with moments for naive timestamps that the contract wants as such."""
        for column in self._scan.columns:
            if column.type == "timestamptz" and (index := batch.schema.get_field_index(column.name)) >= 0:
                values = batch.column(index)
                if values.type == pa.timestamp("us"):
                    moments = moments_of(values, declared(column.name, self._scan.timezone))
                    batch = batch.set_column(index, column.name, moments)
        return batch

    def _describe(self) -> dict[str, TableColumn]:
        found = {row[0]: TableColumn(*row) for row in self._all(sql("postgres/source_columns"), (self._table,))}
        table = self._scan.table
        if not found:
            raise SourceError(f"{table} does not exist or may not be read. Correct the source file or grant select")
        wanted = [column.name for column in self._scan.columns] + list(self._scan.key)
        wanted += [self._scan.range.column] if self._scan.range else []
        if missing := [name for name in wanted if name not in found]:
            raise SourceError(f"{table} has no column {', '.join(missing)}. Correct the contract or the source file")
        return found

    def _estimate(self) -> int:
        (plan,) = self._one(f"explain (format json) select from {self._from(_WHOLE)}")
        plan = json.loads(plan) if isinstance(plan, str) else plan
        return int(plan[0]["Plan"]["Plan Rows"])

    def _bounds(self, rows: int) -> list[tuple[str, ...]]:
        """Last keys of chunks of about so many rows, but for the last chunk."""
        key = [identifier(name) for name in self._scan.key]
        names = [f"bound_{at}" for at in range(len(key))]
        # A sample knows no index: of a range, it may read more than the range.
        is_sampled = rows > _SAMPLED_ROWS and self._scan.range is None and self._is_stored()
        counted = _SAMPLED_ROWS if is_sampled else rows
        statement = sql(
            "postgres/chunk_bounds",
            bounds=", ".join(f"{column}::text as {name}" for column, name in zip(key, names, strict=True)),
            names=", ".join(names),
            key=", ".join(key),
            table=self._table,
            sample=f"tablesample system ({100 * counted / rows}) repeatable (0)" if is_sampled else "",
            condition=self._condition(_WHOLE),
        )
        return list(dict.fromkeys(self._all(statement, (counted,))))  # a value that many rows have is one bound

    def _is_stored(self) -> bool:
        """Whether all of it is stored in this database: it has pages, and its rows have versions."""
        return bool(self._one(sql("postgres/is_stored"), (self._table,))[0])

    def _from(self, chunk: Chunk) -> str:
        return f"{self._table} where {self._condition(chunk)}"

    def _condition(self, chunk: Chunk) -> str:
        key = f"({', '.join(map(identifier, self._scan.key))})"
        conditions = ["true"]
        for sign, bound in ((">", chunk.after), ("<=", chunk.until)):
            if bound is not None:
                conditions.append(f"{key} {sign} ({', '.join(map(literal, bound))})")
        if self._scan.range:
            for sign, value in ((">=", self._scan.range.start), ("<", self._scan.range.end)):
                if value is not None:
                    conditions.append(f"{identifier(self._scan.range.column)} {sign} {self._bound(value)}")
        return " and ".join(conditions)

    def _bound(self, value: Bound) -> str:
        if not isinstance(value, datetime):
            return literal(str(value))
        assert self._scan.range is not None  # noqa: S101 it is what the value comes from
        column = self._scan.range.column
        if self._columns[column].type == "timestamptz":
            return f"timestamptz {literal(value.isoformat())}"
        if value.tzinfo is not None:
            zone = self._scan.timezone or (UTC if self._columns[column].type == "date" else declared(column, None))
            value = first_not_before(value, zone)
        return f"timestamp {literal(value.isoformat())}"

    def _one(self, statement: str, values: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        return self._all(statement, values)[0]

    def _all(self, statement: str, values: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        with _errors(self._scan.table):
            rows: list[tuple[Any, ...]] = self._db.execute(statement, values).fetchall()
        return rows


@contextmanager
def _errors(table: str) -> Iterator[None]:
    """Turn drivers' errors into ours."""
    import asyncpg
    import psycopg

    try:
        yield
    except (psycopg.Error, asyncpg.PostgresError, asyncpg.InterfaceError, CopyFormatError, OSError) as error:
        raise SourceError(f"reading {table} failed: {error or type(error).__name__}") from error
