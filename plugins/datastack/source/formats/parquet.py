"""Reads Parquet, a row group at a time."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from datastack.contract.model import Contract
from datastack.contract.received import Received
from datastack.contract.types import arrow_type
from datastack.source.formats.columns import check_columns
from datastack.source.formats.stream import BLOCK, Stream, spooled

_ROWS = 64 * 1024


def read_parquet(stream: Stream, contract: Contract, limit: int) -> Iterator[Received]:
    """Yield typed rows; columns that need not have values, and are not there, have none.

    :param limit: bytes that the rows may take in all.
    :raises FormatError: if it is cut short, no Parquet, lacks a required column, or is larger.
    """
    with spooled(stream, limit, "a file of its stream") as file:
        try:
            parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=BLOCK)
        except (pa.ArrowException, OSError) as error:
            raise stream.half_written(f"Parquet: {error}") from error
        with parquet:
            check_columns(stream, parquet.schema_arrow.names, contract)
            yield from _rows(stream, parquet, contract, limit)


def _rows(stream: Stream, parquet: pq.ParquetFile, contract: Contract, limit: int) -> Iterator[Received]:
    first, size = 1, 0
    batches = parquet.iter_batches(_ROWS, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise stream.half_written(f"Parquet: {error}") from error
        if batch is None:
            return
        size += batch.nbytes
        if size > limit:
            raise stream.fail(f"unpacks to more than {limit} bytes: refused. See the stream's max_unpacked_bytes")
        yield Received(_completed(batch, contract), "typed", first=first)
        first += batch.num_rows


def _completed(batch: pa.RecordBatch, contract: Contract) -> pa.RecordBatch:
    """Rows with every column of the contract, and none by reference to a dictionary."""
    columns = {
        field.name: values.cast(field.type.value_type) if pa.types.is_dictionary(field.type) else values
        for field, values in zip(batch.schema, batch.columns, strict=True)
    }
    for column in contract.columns:
        if column.path not in columns:
            columns[column.path] = pa.nulls(batch.num_rows, arrow_type(column.type))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
