"""Reads Postgres tables by binary COPY (ADBC), each slice from one consistent snapshot."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from datastack.source.errors import SourceError


@dataclass(frozen=True)
class Read:
    """A slice that is open for reading: what the source counts, and its rows."""

    rows: int
    batches: Iterator[pa.RecordBatch]


@contextmanager
def read_table(uri: str, table: str, columns: list[str], where: str | None = None) -> Iterator[Read]:
    """Open the rows of ``schema.table`` that meet a condition, see :func:`between`; all rows without one.

    Count and rows come from the same snapshot. Columns of the table beyond ``columns`` come too, so that the
    contract's drift policy sees them.

    :raises SourceError: if the database can't be reached or lacks the table or a column.
    """
    import adbc_driver_manager
    from adbc_driver_postgresql import dbapi

    try:
        with closing(dbapi.connect(uri)) as connection, closing(connection.cursor()) as db:
            db.execute("set transaction isolation level repeatable read read only")
            found = _columns(db, table)
            if missing := [name for name in columns if name not in found]:
                raise SourceError(
                    f"{table} has no column {', '.join(missing)}. Correct the contract or the source file"
                )
            query = f"from {_quoted(table)}" + (f" where {where}" if where else "")
            db.execute(f"select count(*) {query}")
            rows: int = db.fetchone()[0]
            db.execute(f"select {', '.join(map(_quote, found))} {query}")
            yield Read(rows, iter(db.fetch_record_batch()))
    except adbc_driver_manager.Error as error:
        raise SourceError(f"reading {table} failed: {error}") from error


def _columns(db: object, table: str) -> list[str]:
    schema, name = table.split(".")
    db.execute(  # type: ignore[attr-defined]
        "select column_name::text from information_schema.columns "
        "where table_schema = $1 and table_name = $2 order by ordinal_position",
        (schema, name),
    )
    found = [row[0] for row in db.fetchall()]  # type: ignore[attr-defined]
    if not found:
        raise SourceError(f"{table} does not exist or may not be read. Correct the source file or grant select")
    return found


def between(cursor: str, start: datetime, end: datetime | None = None) -> str:
    """Condition that a row's cursor lies in ``[start, end)``, or from ``start`` on."""
    column = _quote(cursor)
    bounds = [f"{column} >= timestamptz '{start.isoformat()}'"]
    if end:
        bounds.append(f"{column} < timestamptz '{end.isoformat()}'")
    return " and ".join(bounds)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(table: str) -> str:
    return ".".join(_quote(part) for part in table.split("."))
