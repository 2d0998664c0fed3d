"""Batches of any contract type, and the COPY stream that Postgres would send for them."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from datastack.codec.decode import HEADER, Decoder, Field
from datastack.codec.encode import TRAILER, Encoder
from datastack.contract.types import arrow_type

PLAIN = (
    "bigint", "boolean", "bytea", "date", "double precision", "integer", "jsonb", "real", "smallint", "text", "text[]",
    "time", "timestamp", "timestamptz",
)  # fmt: skip
SHIFT = 946_684_800_000_000


def integers(bits: int) -> st.SearchStrategy[int]:
    """Integers of a width, its limits among them."""
    limit = 2 ** (bits - 1)
    return st.integers(-limit, limit - 1) | st.sampled_from([-limit, limit - 1, 0, -1])


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Decimals of a precision and scale, the largest and smallest among them."""
    limit = 10**precision - 1
    return (st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0, 1, -1])).map(
        lambda whole: Decimal(whole).scaleb(-scale, None) if whole == 0 else Decimal((whole < 0, digits(whole), -scale))
    )


def digits(whole: int) -> tuple[int, ...]:
    """Decimal digits of a number."""
    return tuple(map(int, str(abs(whole))))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": integers(64),
    "boolean": st.booleans(),
    "bytea": st.binary(max_size=30),
    "date": st.integers(-(2**31) + 10_958, 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1]),
    "double precision": st.floats(),
    "integer": integers(32),
    "jsonb": st.sampled_from(["{}", '{"a\\"": "b\\n"}', "null", '"€"', "[1, 2.50]"]),
    "real": st.floats(width=32),
    "smallint": integers(16),
    "text": TEXT,
    "text[]": st.lists(TEXT | st.none(), max_size=4),
    "time": st.integers(0, 86_400_000_000),
    "timestamp": st.integers(-(2**63) + SHIFT + 1, 2**63 - 2) | st.sampled_from([-(2**63), 2**63 - 1]),
    "uuid": st.uuids().map(str),
    "numeric": st.integers().map(str) | st.sampled_from(["NaN", "Infinity", "-Infinity", "0.00", "-1.5"]),
}
VALUES["timestamptz"] = VALUES["timestamp"]


def array(kind: str, values: Sequence[Any]) -> pa.Array:
    """Arrow array of a contract type; times from their numbers."""
    target = arrow_type(kind)
    if pa.types.is_temporal(target):
        return pa.array(values, pa.int32() if target.bit_width == 32 else pa.int64()).view(target)
    if kind == "jsonb":
        return pa.array(values, pa.string()).cast(target)
    return pa.array(values, target)


def arrays(kind: str, size: int) -> st.SearchStrategy[pa.Array]:
    """Arrays of so many values or nulls, some of them slices of larger ones."""
    values = VALUES[kind] | st.none()
    return st.tuples(st.lists(values, min_size=size + 3, max_size=size + 3), st.integers(0, 3)).map(
        lambda drawn: array(kind, drawn[0]).slice(drawn[1], size)
    )


def batches(kinds: Sequence[str], most: int = 12) -> st.SearchStrategy[pa.RecordBatch]:
    """Batches of these contract types, in columns c0, c1 and so on."""
    sized: Callable[[int], Any] = lambda size: st.tuples(*(arrays(kind, size) for kind in kinds))  # noqa: E731
    return st.integers(0, most).flatmap(sized).map(lambda columns: batch_of(*columns))


def batch_of(*columns: pa.Array) -> pa.RecordBatch:
    """Batch with columns c0, c1 and so on."""
    return pa.record_batch(list(columns), names=[f"c{at}" for at in range(len(columns))])


def stream(kinds: Sequence[str], batch: pa.RecordBatch) -> bytes:
    """Return the COPY stream of a batch."""
    return HEADER + Encoder(kinds).rows(batch) + TRAILER


def fields(batch: pa.RecordBatch) -> list[Field]:
    """Columns of a batch as a stream has them; UUIDs and numerics as the warehouse is asked for them."""
    return [Field(each.name, each.type, is_jsonb=each.type == pa.json_()) for each in batch.schema]


def decoded(decoder: Decoder, chunks: Iterable[bytes]) -> list[pa.RecordBatch]:
    """Feed a decoder to the end."""
    got: list[pa.RecordBatch] = []
    for chunk in chunks:
        got.extend(decoder.feed(chunk))
    got.extend(decoder.finish())
    return got


def one(got: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """All rows as one batch."""
    return pa.Table.from_batches(got, schema).combine_chunks().to_batches()[0] if got else batch_of_none(schema)


def batch_of_none(schema: pa.Schema) -> pa.RecordBatch:
    """Batch without rows."""
    return pa.record_batch([pa.array([], field.type) for field in schema], schema=schema)


def bits(batch: pa.RecordBatch) -> list[list[Any]]:
    """Values, floats and times as their bits: NaN equals itself, -0 does not equal 0."""
    return [_bits(column) for column in batch.columns]


def _bits(column: pa.Array) -> list[Any]:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_floating(column.type) or pa.types.is_temporal(column.type):
        column = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return column.to_pylist()
