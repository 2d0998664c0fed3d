"""The column types that a contract may name, and what they are in Arrow and in each warehouse."""

import re

import pyarrow as pa

IN_TIME = ("timestamptz", "timestamp", "date")  # types that place a row in time
_PLAIN: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "double precision": pa.float64(),
    "integer": pa.int32(),
    "jsonb": pa.json_(),
    "numeric": pa.string(),  # any scale, NaN and infinities: no Arrow type holds them all
    "real": pa.float32(),
    "smallint": pa.int16(),
    "text": pa.string(),
    "text[]": pa.list_(pa.string()),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "uuid": pa.string(),
}
_NUMERIC = re.compile(r"numeric\((\d{1,2}),(\d{1,2})\)")


def arrow_type(physical_type: str) -> pa.DataType:
    """Arrow type of a contract's ``physicalType``.

    :raises ValueError: if the type is not one that a contract may name.
    """
    if found := _PLAIN.get(physical_type):
        return found
    if match := _NUMERIC.fullmatch(physical_type):
        precision, scale = int(match[1]), int(match[2])
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    raise ValueError(f"type {physical_type!r} is not known; use one of {', '.join(sorted(_PLAIN))}, numeric(p,s)")
