"""Loads Postgres: one transaction a slice, rows by binary COPY (ADBC)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from datastack.contract.model import Contract
from datastack.contract.sources import Write
from datastack.warehouse import ledger
from datastack.warehouse.load import Load, Outcome, Status, WarehouseError
from datastack.warehouse.sql import identifier, identifiers, sql
from datastack.warehouse.transaction import transaction

_STAGED = "datastack_staged"
_OURS = [
    pa.field("_slice_start", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("_loaded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("_manifest", pa.string(), nullable=False),
]


def copy(uri: str, load: Load, batches: Iterable[pa.RecordBatch]) -> Outcome:
    """Bring a slice into its raw table: rows, ledger and watermark commit together or not at all.

    :param uri: libpq address of the warehouse, as the loader role.
    :param batches: the conformed rows, with the contract's Arrow schema; read only if there is something to do.
    :raises WarehouseError: if the warehouse fails or the counts differ. Nothing was changed then.
    """
    rows = _Rows(load, batches)
    try:
        with transaction(uri, f"loading {load}") as db:
            return _in_transaction(db, load, rows)
    except WarehouseError:
        if rows.failure:  # the lake failed while the driver was reading from it
            raise rows.failure from None
        raise


def _in_transaction(db: Any, load: Load, rows: "_Rows") -> Outcome:
    ledger.lock(db, load)
    if known := ledger.find(db, load):
        return Outcome(Status.ALREADY_LOADED, known, 0)
    if _is_superseded(db, load):
        return Outcome(Status.SUPERSEDED, ledger.record(db, load, 0), 0)
    _create_table(db, load)
    loaded = _WRITERS[load.stream.write](db, load, rows)
    db.execute(f"analyze {_table(load)}")
    return Outcome(Status.LOADED, ledger.record(db, load, loaded), loaded)


def _is_superseded(db: Any, load: Load) -> bool:
    """Whether rows that were read later stand where these would go; a merge compares row by row instead.

    :raises WarehouseError: if they stand in a part of the slice only.
    """
    if load.stream.write is Write.REPLACE:
        return ledger.has_newer_snapshot(db, load)
    if load.stream.write is not Write.REPLACE_SLICE or (newer := ledger.newer_overlap(db, load)) is None:
        return False
    if newer.start <= load.slice.start and load.slice.end <= newer.end:
        return True
    raise WarehouseError(
        f"loading {load}: its rows were read before those of {newer}, which are loaded and would be lost. "
        "Nothing was changed; clear the extract task to read the slice anew"
    )


def _replace_slice(db: Any, load: Load, rows: "_Rows") -> int:
    assert load.stream.cursor is not None  # noqa: S101 declared together, see sources.Stream
    cursor = identifier(load.stream.cursor)
    bounds = (load.slice.start, load.slice.end)
    db.execute(sql("postgres/replace_slice", table=_table(load), cursor=cursor), bounds)
    _ingest(db, rows, load.contract.stream, load.schema_name)
    inside = f"{cursor} >= $1::timestamptz and {cursor} < $2::timestamptz"
    return _expect(db, load, f"{_table(load)} where {inside}", bounds)


def _replace(db: Any, load: Load, rows: "_Rows") -> int:
    db.execute(f"delete from {_table(load)}")  # noqa: S608 not truncate: readers keep the old rows until commit
    _ingest(db, rows, load.contract.stream, load.schema_name)
    return _expect(db, load, _table(load))


def _merge(db: Any, load: Load, rows: "_Rows") -> int:
    db.execute(f"create temporary table {_STAGED} (like {_table(load)}) on commit drop")
    _ingest(db, rows, _STAGED, temporary=True)
    _expect(db, load, _STAGED)
    columns = rows.schema.names
    key = load.contract.key
    statement = sql(
        "postgres/merge",
        table=_table(load),
        columns=identifiers(columns),
        key=identifiers(key),
        cursor=identifier(load.stream.cursor or ""),
        staged=_STAGED,
        assignments=", ".join(f"{identifier(c)} = excluded.{identifier(c)}" for c in columns if c not in key),
    )
    return int(db.execute(statement).rowcount)


_WRITERS: dict[Write, Callable[[Any, Load, "_Rows"], int]] = {
    Write.REPLACE_SLICE: _replace_slice,
    Write.REPLACE: _replace,
    Write.MERGE: _merge,
}


def _ingest(db: Any, rows: "_Rows", table: str, schema: str | None = None, temporary: bool = False) -> None:
    reader = pa.RecordBatchReader.from_batches(rows.schema, iter(rows))
    db.adbc_ingest(table, reader, mode="append", db_schema_name=schema, temporary=temporary)


def _expect(db: Any, load: Load, where: str, bounds: tuple[datetime, ...] = ()) -> int:
    """Count what arrived; anything but the manifest's count undoes the load."""
    db.execute(f"select count(*) from {where}", bounds or None)  # noqa: S608 quoted by the callers
    found: int = db.fetchone()[0]
    if found != load.lake_rows:
        raise WarehouseError(
            f"loading {load}: {found} rows arrived in the warehouse, its manifest says {load.lake_rows}. "
            "Nothing was changed; are there rows outside of the slice?"
        )
    return found


def _create_table(db: Any, load: Load) -> None:
    stream, contract = load.stream, load.contract
    db.execute(sql("postgres/create_raw_table", table=_table(load), columns=_column_ddl(contract)))
    if stream.write is Write.REPLACE_SLICE:
        name = identifier(f"{contract.stream}_cursor")
        columns = identifier(stream.cursor or "")
        db.execute(f"create index if not exists {name} on {_table(load)} ({columns})")
    if stream.write is Write.MERGE:
        name = identifier(f"{contract.stream}_key")
        db.execute(f"create unique index if not exists {name} on {_table(load)} ({identifiers(contract.key)})")


def _column_ddl(contract: Contract) -> str:
    return ",\n    ".join(
        f"{identifier(column.name)} {column.type}{' not null' if column.required else ''}" for column in contract.stored
    )


def _table(load: Load) -> str:
    return identifier(load.schema_name, load.contract.stream)


class _Rows:
    """The rows with our three columns behind them; remembers why reading them failed."""

    def __init__(self, load: Load, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        values = (load.slice.start, datetime.now(UTC), load.attempt)
        self._constants = [pa.scalar(value, field.type) for value, field in zip(values, _OURS, strict=True)]
        self.schema = pa.schema([*load.contract.arrow_schema, *_OURS])
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                ours = [pa.repeat(value, batch.num_rows) for value in self._constants]
                yield pa.RecordBatch.from_arrays([*batch.columns, *ours], schema=self.schema)
        except Exception as error:
            self.failure = error
            raise
