"""Turns a binary COPY stream into Arrow record batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datastack.codec import take

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, flags, length of the extension
BATCH_ROWS = 32 * 1024
BATCH_VALUES = 1024 * 1024
BUFFER_BYTES = 4 * 1024 * 1024
ROW_BYTES = 1 << 30  # Postgres sends no larger row; values are found by 32-bit offsets, so no buffer is much larger
UNIX_MICROSECONDS, UNIX_DAYS = 946_684_800_000_000, 10_957  # from Postgres's epoch, 2000-01-01, to 1970-01-01


class CopyFormatError(ValueError):
    """The stream is no binary COPY of the expected columns, or was cut."""


@dataclass(frozen=True)
class Field:
    """A column of the stream: what Arrow type its values become; jsonb has a version byte before its text."""

    name: str
    type: pa.DataType
    is_jsonb: bool = False


class Decoder:
    """Takes bytes of any size and gives whole rows.

    Times and dates count from 1970, infinite ones are the largest and smallest integers, as in Postgres. A column of
    numerics with a value that its decimal type can't hold (NaN, more digits) becomes text in that batch; the field's
    metadata has the ``precision`` and ``scale`` that were expected.

    :param fields: the stream's columns, in order.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = list(fields)
        self._rows = max(1024, min(BATCH_ROWS, BATCH_VALUES // max(len(fields), 1)))
        self._starts = np.empty((len(fields), self._rows), np.int32)
        self._lengths = np.empty((len(fields), self._rows), np.int32)
        self._buffer = np.empty(BUFFER_BYTES, np.uint8)
        self._used = 0
        self._begun = self._ended = False

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches, where every numeric fits."""
        return pa.schema([pa.field(field.name, field.type) for field in self._fields])

    def feed(self, chunk: bytes) -> Iterator[pa.RecordBatch]:
        """Add bytes; yield the rows that they complete, when there are enough of them.

        :raises CopyFormatError: if they are not what is expected.
        """
        view = np.frombuffer(chunk, np.uint8)
        if self._used + len(view) > len(self._buffer):
            yield from self._drain()
            if self._used + len(view) > len(self._buffer):  # one row is larger than the buffer
                self._grow(self._used + len(view))
        self._buffer[self._used : self._used + len(view)] = view
        self._used += len(view)

    def finish(self) -> Iterator[pa.RecordBatch]:
        """Yield the last rows.

        :raises CopyFormatError: if the stream did not end as a COPY ends.
        """
        yield from self._drain()
        if not self._ended or self._used:
            raise CopyFormatError("the stream ended in the middle of a row")

    def _grow(self, needed: int) -> None:
        buffer = np.empty(max(needed, min(2 * needed, ROW_BYTES)), np.uint8)
        buffer[: self._used] = self._buffer[: self._used]
        self._buffer = buffer

    def _drain(self) -> Iterator[pa.RecordBatch]:
        at = self._check_header()
        while self._begun and not self._ended:
            rest = self._buffer[at : self._used]
            rows, used, self._ended = take.scan_rows(
                rest, len(rest), len(self._fields), self._starts, self._lengths, self._rows
            )
            if rows < 0:
                raise CopyFormatError(f"a row does not have {len(self._fields)} columns: did the table change?")
            if rows:
                yield self._batch(rest, rows)
            at += used
            if rows < self._rows:
                break
        left = self._used - at
        self._buffer[:left] = self._buffer[at : self._used].copy()
        self._used = left

    def _check_header(self) -> int:
        if self._begun or self._used < len(HEADER):
            return 0
        if self._buffer[: len(HEADER)].tobytes() != HEADER:
            raise CopyFormatError("the stream does not begin as a binary COPY")
        self._begun = True
        return len(HEADER)

    def _batch(self, data: np.ndarray, rows: int) -> pa.RecordBatch:
        arrays = [
            _array(field, data, self._starts[index, :rows], self._lengths[index, :rows])
            for index, field in enumerate(self._fields)
        ]
        return pa.record_batch(arrays, schema=pa.schema(map(_field, self._fields, arrays)))


def _field(field: Field, array: pa.Array) -> pa.Field:
    if array.type == field.type:
        return pa.field(field.name, field.type)
    return pa.field(
        field.name, array.type, metadata={"precision": str(field.type.precision), "scale": str(field.type.scale)}
    )


def _array(field: Field, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> pa.Array:
    validity, nulls = _validity(lengths)
    kind = field.type
    if pa.types.is_list(kind):
        return _list(field, data, starts, lengths, validity, nulls)
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(_variable(kind.storage_type, field.is_jsonb, data, starts, lengths))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _variable(kind, field.is_jsonb, data, starts, lengths)
    values: np.ndarray = np.empty(len(starts) * (2 if pa.types.is_decimal(kind) else 1), _storage(kind))
    if not _take(kind, data, starts, lengths, values):
        if pa.types.is_decimal(kind):
            return pa.array([_numeric_text(data, at, size) for at, size in zip(starts, lengths, strict=True)])
        raise CopyFormatError(f"{field.name}: {_problem(kind, lengths)}")
    if pa.types.is_boolean(kind):
        values = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(kind, len(starts), [validity, pa.py_buffer(values)], nulls)


def _problem(kind: pa.DataType, lengths: np.ndarray) -> str:
    if pa.types.is_timestamp(kind) and np.all((lengths == 8) | (lengths < 0)):
        return "has a time after 294247-01-10, which is later than Arrow and Parquet know; declare the column as text"
    return f"values are not of type {kind}: did the table change?"


def _take(kind: pa.DataType, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, values: np.ndarray) -> bool:
    if pa.types.is_decimal(kind):
        return take.take_numeric(data, starts, lengths, kind.precision, kind.scale, values.reshape(-1, 2))
    if kind.bit_width == 64:
        return take.take_8(data, starts, lengths, UNIX_MICROSECONDS if pa.types.is_timestamp(kind) else 0, values)
    if kind.bit_width == 32:
        return take.take_4(data, starts, lengths, UNIX_DAYS if pa.types.is_date(kind) else 0, values)
    return take.take_small(data, starts, lengths, 2 if kind.bit_width == 16 else 1, values)


def _storage(kind: pa.DataType) -> type:
    if pa.types.is_boolean(kind):
        return np.uint8
    return {16: np.int16, 32: np.int32, 64: np.int64, 128: np.int64}[kind.bit_width]


def _validity(lengths: np.ndarray) -> tuple[pa.Buffer | None, int]:
    present = lengths >= 0
    nulls = len(lengths) - int(np.count_nonzero(present))
    return (pa.py_buffer(np.packbits(present, bitorder="little")) if nulls else None), nulls


def _variable(kind: pa.DataType, is_jsonb: bool, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> pa.Array:
    validity, nulls = _validity(lengths)
    skipped = int(is_jsonb)
    offsets = np.empty(len(starts) + 1, np.int32)
    values = np.empty(take.offsets_of(lengths, skipped, offsets), np.uint8)
    take.take_bytes(data, starts, skipped, offsets, values)
    return pa.Array.from_buffers(kind, len(starts), [validity, pa.py_buffer(offsets), pa.py_buffer(values)], nulls)


def _list(
    field: Field, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, validity: pa.Buffer | None, nulls: int
) -> pa.Array:
    offsets = np.empty(len(starts) + 1, np.int32)
    count = take.count_items(data, starts, lengths, offsets)
    if count < 0:
        raise CopyFormatError(
            f"{field.name}: only arrays of one dimension that begin at 1 become lists; declare the column as text"
        )
    item_starts, item_lengths = np.empty(count, np.int32), np.empty(count, np.int32)
    take.find_items(data, starts, lengths, item_starts, item_lengths)
    items = _variable(field.type.value_type, False, data, item_starts, item_lengths)
    return pa.ListArray.from_buffers(
        field.type, len(starts), [validity, pa.py_buffer(offsets)], nulls, children=[items]
    )


def _numeric_text(data: np.ndarray, start: int, length: int) -> str | None:
    """Text of one numeric, as Postgres writes it."""
    if length < 0:
        return None
    count, weight, sign, scale, *groups = (
        np.frombuffer(data[start : start + length].tobytes(), ">u2").astype(int).tolist()
    )
    if sign in _NOT_FINITE:
        return _NOT_FINITE[sign]
    digits = "".join(f"{group:04d}" for group in groups[:count]) or "0"
    before = 4 * ((weight ^ 0x8000) - 0x8000 + 1) if count else 1  # digits before the point; weight is signed
    digits = "0" * max(1 - before, 0) + digits
    before = max(before, 1)
    digits = digits.ljust(before + scale, "0")
    whole, fraction = digits[:before].lstrip("0") or "0", digits[before : before + scale]
    return ("-" if sign else "") + (f"{whole}.{fraction}" if scale else whole)


_NOT_FINITE = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
