"""Loads Postgres: one transaction a slice, rows by binary COPY."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa

from datastack.contract.sources import Write
from datastack.warehouse import indexes, ledger, raw_table, writers
from datastack.warehouse.columns import staged_ours
from datastack.warehouse.load import Load, Outcome, OutdatedError, Status, WarehouseError
from datastack.warehouse.rows import Rows, blaming, rows_types
from datastack.warehouse.staging import Work
from datastack.warehouse.transaction import transaction

_WORK_MEM = "64MB"  # of the server, for each sort and hash table


def copy(
    uri: str, load: Load, batches: Iterable[pa.RecordBatch], keys: Iterable[pa.RecordBatch] | None = None
) -> Outcome:
    """Bring a slice into its raw table: rows, ledger and watermark commit together or not at all.

    :param uri: libpq address of the warehouse, as the loader role.
    :param batches: the conformed rows, with the load's Arrow schema; read only if there is something to do.
    :param keys: keys of all rows that the source has, conformed too, where deletes are found by key.
    :raises WarehouseError: if the warehouse fails, the counts differ, or the table can't be altered to what the
        contract wants. Nothing was changed then.
    """
    rows = rows_of(load, batches)
    listed = None if keys is None else _keys(load, keys)
    with blaming(rows, listed), transaction(uri, f"loading {load}") as db:
        ledger.lock(db, load)
        if known := ledger.find(db, load):
            return Outcome(Status.ALREADY_LOADED, known, 0)
        if _is_superseded(db, load):
            return _pass_over(db, load, rows)
        return enter(db, load, rows, listed)


def enter(db: Any, load: Load, rows: Rows, keys: Rows | None = None) -> Outcome:
    """Bring rows into their raw table and write the ledger, in a transaction that holds the stream's lock."""
    load_id = ledger.new_id(db)
    rows.end_with(_constants(load, load_id))
    db.execute(f"set local work_mem = '{_WORK_MEM}'")
    table = raw_table.aligned(db, load)
    loaded = writers.write(Work(db, load, load_id, table, rows, keys))
    begun = time.monotonic()
    indexes.analyze(db, table, loaded)
    rows.seconds["analyze"] = time.monotonic() - begun
    ledger.record(db, load, load_id, loaded, compared_keys=keys.count if keys else None)
    return Outcome(Status.LOADED, load_id, loaded, tuple(table.changes), tuple(table.added), rows.seconds)


def _pass_over(db: Any, load: Load, rows: Rows) -> Outcome:
    """Record that a load was superseded."""
    if load.content is None:
        rows.drain()  # the manifest comes with the last row
    load_id = ledger.new_id(db)
    ledger.record(db, load, load_id, 0, superseded=True)
    return Outcome(Status.SUPERSEDED, load_id, 0)


def _is_superseded(db: Any, load: Load) -> bool:
    """Whether newer rows stand where these would go; keyed rows are compared one by one instead.

    :raises WarehouseError: if they stand in a part of the slice only, or, for rows that can't be told apart, if this
        slice is a part of one that was read before.
    """
    if load.stream.is_keyed:
        return False
    appends = load.stream.write is Write.APPEND
    by_slice = load.stream.write is Write.REPLACE_SLICE or (appends and not load.delivered)
    if newer := ledger.newer(db, load):
        if not by_slice or (newer.start <= load.slice.start and load.slice.end <= newer.end):
            return True
        raise OutdatedError(
            f"loading {load}: its rows were read before those of {newer}, which are loaded and would be lost. "
            "Nothing was changed; the next try of a move reads the slice anew, else clear the task that extracts it"
        )
    if appends and by_slice and (older := ledger.partial_overlap(db, load)):
        raise WarehouseError(
            f"loading {load}: it shares time with {older}, which is loaded, but does not cover it, and appended rows "
            f"can't be told apart within a slice. Nothing was changed; load a window that covers {older}"
        )
    return False


def rows_of(load: Load, batches: Iterable[pa.RecordBatch]) -> Rows:
    """Rows of a load on their way."""
    return Rows(load.schema, rows_types(load), batches)


def _constants(load: Load, load_id: int) -> dict[str, datetime | int]:
    values: dict[str, datetime | int] = {"_load_id": load_id, "_extracted_at": load.extracted_at}
    return {name: values[name] for name in staged_ours(load)}


def _keys(load: Load, batches: Iterable[pa.RecordBatch]) -> Rows:
    key, schema = load.contract.key, load.contract.arrow_schema
    types = {name: load.contract.type_of(name) for name in key}
    return Rows(pa.schema([schema.field(name) for name in key]), types, batches)
