"""Loads Postgres: one transaction a slice, rows by binary COPY."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from datastack.contract.sources import Write
from datastack.contract.sql import identifier
from datastack.warehouse import indexes, ledger, raw_table, writers
from datastack.warehouse.columns import staged_ours
from datastack.warehouse.copy_in import copy_in
from datastack.warehouse.load import Load, Outcome, OutdatedError, Status, WarehouseError
from datastack.warehouse.rows import Rows, rows_types
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
    rows = Rows(load.schema, rows_types(load), batches, _constants(load))
    listed = None if keys is None else _keys(load, keys)
    try:
        with transaction(uri, f"loading {load}") as db:
            return _in_transaction(db, load, rows, listed)
    except WarehouseError:
        for each in (rows, listed):
            if each and each.failure:  # the lake failed while the driver was reading from it
                raise each.failure from None
        raise


def _in_transaction(db: Any, load: Load, rows: Rows, keys: Rows | None) -> Outcome:
    ledger.lock(db, load)
    if known := ledger.find(db, load):
        return Outcome(Status.ALREADY_LOADED, known, 0)
    if _is_superseded(db, load):
        if load.content is None:
            rows.drain()  # the manifest comes with the last row
        return Outcome(Status.SUPERSEDED, ledger.record(db, load, 0, None), 0)
    db.execute(f"set local work_mem = '{_WORK_MEM}'")
    table = raw_table.aligned(db, load)
    loaded = writers.write(Work(db, load, table, rows, keys, _ingest))
    begun = time.monotonic()
    indexes.analyze(db, table, loaded)
    rows.seconds["analyze"] = time.monotonic() - begun
    load_id = ledger.record(db, load, loaded, keys.count if keys else None)
    return Outcome(Status.LOADED, load_id, loaded, tuple(table.changes), tuple(table.added), rows.seconds)


def _is_superseded(db: Any, load: Load) -> bool:
    """Whether rows that were read later stand where these would go; keyed rows are compared one by one instead.

    :raises WarehouseError: if they stand in a part of the slice only, or, for rows that can't be told apart, if this
        slice is a part of one that was read before.
    """
    if load.stream.write is Write.REPLACE:
        return ledger.has_newer_snapshot(db, load)
    if load.stream.is_keyed:
        return False
    if newer := ledger.newer_overlap(db, load):
        if newer.start <= load.slice.start and load.slice.end <= newer.end:
            return True
        raise OutdatedError(
            f"loading {load}: its rows were read before those of {newer}, which are loaded and would be lost. "
            "Nothing was changed; the next try of a move reads the slice anew, else clear the task that extracts it"
        )
    if load.stream.write is Write.APPEND and (older := ledger.partial_overlap(db, load)):
        raise WarehouseError(
            f"loading {load}: it shares time with {older}, which is loaded, but does not cover it, and appended rows "
            f"can't be told apart within a slice. Nothing was changed; load a window that covers {older}"
        )
    return False


def _ingest(db: Any, rows: Rows, table: str, schema: str | None = None) -> None:
    begun = time.monotonic()
    copy_in(db, identifier(schema, table) if schema else identifier(table), rows.schema.names, rows)
    rows.seconds["copy"] = time.monotonic() - begun


def _constants(load: Load) -> dict[str, datetime | str]:
    values: dict[str, datetime | str] = {
        "_slice_start": load.slice.start,
        "_loaded_at": datetime.now(UTC),
        "_manifest": load.attempt,
        "_extracted_at": load.extracted_at,
    }
    return {name: values[name] for name in staged_ours(load)}


def _keys(load: Load, batches: Iterable[pa.RecordBatch]) -> Rows:
    key, schema = load.contract.key, load.contract.arrow_schema
    types = {name: load.contract.type_of(name) for name in key}
    return Rows(pa.schema([schema.field(name) for name in key]), types, batches, {})
