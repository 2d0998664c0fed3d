"""Brings Arrow batches into a table by binary COPY."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from datastack.codec.ahead import ahead
from datastack.codec.decode import HEADER
from datastack.codec.encode import TRAILER, Encoder
from datastack.contract.sql import identifier, identifiers
from datastack.contract.types import arrow_type
from datastack.warehouse.catalogue import found_columns
from datastack.warehouse.rows import Rows

BLOCKS_AHEAD = 2


def ingest(db: Any, rows: Rows, *table: str) -> None:
    """Add rows to a table, given by its schema and name, or its name only; take the time that it takes."""
    begun = time.monotonic()
    copy_in(db, identifier(*table), rows.schema.names, rows)
    rows.seconds["copy"] = time.monotonic() - begun


def copy_in(db: Any, table: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
    """Add rows to a table; return how many the database says it took.

    Values are cast to the types of the table, which may be wider than those of the batches.

    :param table: quoted name.
    :param columns: names of the batches' columns, in order.
    """
    types = found_columns(db, table)
    kinds = [types[name][0] for name in columns]
    statement = f"copy {table} ({identifiers(list(columns))}) from stdin (format binary)"
    with db.copy(statement) as copy, ahead(_encoded(kinds, batches), BLOCKS_AHEAD) as blocks:
        copy.write(HEADER)
        for block in blocks:
            copy.write(block)
        copy.write(TRAILER)
    return int(db.rowcount)


def _encoded(kinds: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[memoryview]:
    encoder = Encoder(kinds)
    targets = [arrow_type(kind) for kind in kinds]
    for batch in batches:
        arrays = [_cast(array, target) for array, target in zip(batch.columns, targets, strict=True)]
        yield from encoder.blocks(pa.RecordBatch.from_arrays(arrays, names=batch.schema.names))


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    same = array.type == target or (pa.types.is_decimal(array.type) and pa.types.is_decimal(target))
    return array if same else array.cast(target)
