"""Fields that a source has and its contract has not: what they are called and typed where drift is ``evolve``.

Typed columns keep the type nearest to their own. Fields of JSON records travel in one column, :data:`EXTRA`, as the
records of a slice need not agree on them; the manifest says which there are, and of which kind: strings are ``text``,
numbers ``numeric``, ``true`` and ``false`` ``boolean``; objects, lists, and kinds that mix are ``jsonb``.
"""

import json
import math
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from datastack.contract.canonical import UnfitError
from datastack.contract.types import arrow_type

EXTRA = "_extra"
EXTRA_FIELD = pa.field(EXTRA, pa.json_())
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MOST_DIGITS = 1000  # of a number; written out, 1e999999 would be a megabyte
_PLAIN: dict[pa.DataType, str] = {
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.bool_(): "boolean",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.date64(): "date",
    pa.time32("s"): "time",
    pa.time32("ms"): "time",
    pa.time64("us"): "time",
    pa.json_(): "jsonb",
    pa.binary(): "bytea",
    pa.large_binary(): "bytea",
    pa.list_(pa.string()): "text[]",
}


def column_name(field: str) -> str | None:
    """Name of a field's column: in small letters, anything else an underscore; None if that makes no name."""
    name = re.sub(r"[^a-z0-9_]", "_", field.lower())
    return name if _NAME.fullmatch(name) else None


def physical_type(found: pa.DataType) -> str:
    """Contract type for values of an Arrow type: the inverse of :func:`~datastack.contract.types.arrow_type`.

    What has no equal is ``text``: durations, times finer than a microsecond, anything nested.
    """
    if known := _PLAIN.get(found):
        return known
    if pa.types.is_decimal(found) and 0 <= found.scale <= found.precision <= 38:
        return f"numeric({found.precision},{found.scale})"
    if pa.types.is_timestamp(found) and found.unit != "ns":
        return "timestamptz" if found.tz else "timestamp"
    return "text"


def carried(values: pa.Array, type_: str) -> pa.Array:
    """Values of a typed column in the Arrow type of the contract type that :func:`physical_type` gives for them."""
    target = arrow_type(type_)
    if values.type == target:
        return values
    try:
        return values.cast(target)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        if type_ != "text":
            raise
        texts = (None if value is None else json.dumps(value, default=str) for value in values.to_pylist())
        return pa.array(texts, target)


def kind(value: Any) -> str:
    """Contract type of a JSON value that is not null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float | Decimal):
        return "numeric" if _is_written_out(value) else "text"
    return "jsonb"


def common(one: str, other: str | None) -> str:
    """Contract type of a field whose values are of two kinds."""
    return one if other in (None, one) else "jsonb"


def to_json(value: Any) -> str:
    """JSON text with every digit of its numbers, written out; what is no number, or too long a one, as text.

    :raises ValueError: if there is a character that a warehouse can't store: NUL, or half a surrogate pair.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_json(str(name))}: {to_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    if isinstance(value, float | Decimal):
        return format(Decimal(str(value)), "f") if _is_written_out(value) else json.dumps(str(value))
    if isinstance(value, str) and "\0" in value:
        raise UnfitError("has a NUL character, which Postgres can't store")
    text = json.dumps(value, ensure_ascii=False)
    text.encode()
    return text


def _is_written_out(value: int | float | Decimal) -> bool:
    return math.isfinite(value) and abs(Decimal(str(value)).adjusted()) < _MOST_DIGITS
