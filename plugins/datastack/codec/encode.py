"""Turns Arrow record batches into a binary COPY stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datastack.codec import put
from datastack.codec.buffers import fixed, validity, variable
from datastack.codec.decode import UNIX_DAYS, UNIX_MICROSECONDS

TRAILER = b"\xff\xff"
SLICE_ROWS = 8 * 1024  # rows that are built at a time stay in the processor's cache


class EncodeError(ValueError):
    """A value is not what its column's type takes: names the column."""


class Encoder:
    """Gives the rows of a COPY, which stand between ``decode.HEADER`` and :data:`TRAILER`.

    :param types: contract types of the batches' columns, in order, as ``bigint`` or ``numeric(12,2)``.
    """

    def __init__(self, types: Sequence[str]) -> None:
        self._types = list(types)

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Encode a batch.

        :raises EncodeError: naming the column with a value that its type does not take.
        """
        return b"".join(self.blocks(batch))

    def blocks(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """Encode a batch, some rows at a time."""
        for at in range(0, batch.num_rows, SLICE_ROWS):
            yield self._rows(batch.slice(at, SLICE_ROWS))

    def _rows(self, batch: pa.RecordBatch) -> memoryview:
        columns = [_column(*each) for each in zip(batch.schema.names, batch.columns, self._types, strict=True)]
        sizes = np.full(batch.num_rows, 2, np.int64)
        for column in columns:
            sizes += column.sizes
        places = np.zeros(batch.num_rows, np.int64)
        np.cumsum(sizes[:-1], out=places[1:])
        out = np.empty(int(sizes.sum()), np.uint8)
        put.put_field_counts(out, places, len(self._types))
        for column in columns:
            column.put(out, places)
        return out.data


@dataclass
class _Fixed:
    """A column of values of the same width."""

    values: np.ndarray
    width: int
    valid: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return 4 + self.width * self.valid.astype(np.int64)

    def put(self, out: np.ndarray, places: np.ndarray) -> None:
        put.put_fixed(out, places, self.values, self.width, self.valid)


@dataclass
class _Variable:
    """A column of values one behind the other."""

    data: np.ndarray
    offsets: np.ndarray
    valid: np.ndarray
    prefix: int = 0

    @property
    def sizes(self) -> np.ndarray:
        return 4 + (np.diff(self.offsets) + self.prefix) * self.valid

    def put(self, out: np.ndarray, places: np.ndarray) -> None:
        put.put_bytes(out, places, self.data, self.offsets, self.valid, self.prefix)


def _column(name: str, array: pa.Array, kind: str) -> _Fixed | _Variable:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    valid = validity(storage)
    if kind == "uuid":
        return _Variable(*uuid_bytes(name, storage, valid), valid)
    if kind == "numeric" or pa.types.is_decimal(storage.type):
        return _Variable(*numeric_bytes(name, storage, valid), valid)
    if pa.types.is_list(storage.type):
        return _array(storage, valid)
    if pa.types.is_string(storage.type) or pa.types.is_binary(storage.type):
        return _Variable(*variable(storage), valid, prefix=int(kind == "jsonb"))
    return _fixed(name, storage, valid)


def _fixed(name: str, array: pa.Array, valid: np.ndarray) -> _Fixed:
    values = fixed(array)
    if pa.types.is_timestamp(array.type):
        values = _shifted(name, values, UNIX_MICROSECONDS, valid)
    elif pa.types.is_date(array.type):
        values = _shifted(name, values, UNIX_DAYS, valid)
    return _Fixed(values.astype(np.int64, copy=False), values.itemsize, valid)


def _shifted(name: str, values: np.ndarray, shift: int, valid: np.ndarray) -> np.ndarray:
    """Count from 2000 instead of 1970; the infinities stay."""
    limits = np.iinfo(values.dtype)
    infinite = (values == limits.max) | (values == limits.min)
    if np.any((values <= limits.min + shift) & ~infinite & (valid != 0)):
        raise EncodeError(f"{name}: holds a time before those that Postgres has")
    return np.where(infinite, values, values - shift)


def numeric_bytes(name: str, array: pa.Array, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerics, given as decimals or as text, in Postgres's binary form one behind the other, and their offsets.

    :raises EncodeError: naming the column with a text that is no number.
    """
    offsets = np.empty(len(array) + 1, np.int64)
    if pa.types.is_decimal(array.type):
        out = np.empty(30 * len(array) + 30, np.uint8)
        put.numeric_of_decimals(fixed(array), array.type.scale, valid, np.empty(16, np.uint64), out, offsets)
        return out, offsets
    data, starts = variable(array)
    out = np.empty(16 * len(array) + 2 * len(data), np.uint8)
    if put.numeric_of_text(data, starts, valid, out, offsets) < 0:
        raise EncodeError(f"{name}: holds text that is no number as Postgres writes it")
    return out, offsets


def uuid_bytes(name: str, array: pa.Array, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UUIDs, given as text, in 16 bytes each, and their offsets.

    :raises EncodeError: naming the column with a text that is no UUID.
    """
    offsets = np.arange(len(array) + 1, dtype=np.int64) * 16
    out = np.empty(16 * len(array), np.uint8)
    if not put.uuids_of_text(*variable(array), valid, out):
        raise EncodeError(f"{name}: holds text that is no UUID")
    return out, offsets


def _array(array: pa.Array, valid: np.ndarray) -> _Variable:
    starts = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data, item_offsets = variable(array.values)
    items = starts[-1] - starts[0]
    out = np.empty(20 * len(array) + 4 * int(items) + len(data), np.uint8)
    offsets = np.empty(len(array) + 1, np.int64)
    put.arrays_of_items(starts, valid, data, item_offsets, validity(array.values), out, offsets)
    return _Variable(out, offsets, valid)
