"""Reads Postgres tables by binary COPY (ADBC), each slice from one consistent snapshot."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from datastack.contract.slice import Slice
from datastack.source.errors import SourceError


@dataclass(frozen=True)
class Read:
    """A slice that is open for reading: what the source counts, and its rows."""

    rows: int
    batches: Iterator[pa.RecordBatch]


@contextmanager
def read_table(uri: str, table: str, columns: list[str], cursor: str | None, window: Slice) -> Iterator[Read]:
    """Open the window's rows of ``schema.table``, or the whole table if it has no cursor.

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
            query = f"from {_quoted(table)}" + (f" where {_window(cursor, window)}" if cursor else "")
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


def _window(cursor: str, window: Slice) -> str:
    column = _quote(cursor)
    return f"{column} >= timestamptz '{window.start.isoformat()}' and {column} < timestamptz '{window.end.isoformat()}'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(table: str) -> str:
    return ".".join(_quote(part) for part in table.split("."))
