"""Rows as received, for the quarantine: values that Python's own types don't hold are written as Postgres does."""

import math
from typing import Any

import numpy as np
import pyarrow as pa

_DAY_MICROSECONDS = 86_400_000_000
_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


def shown_row(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    """One row of a batch, by column; every value is one that JSON or ``str`` can write."""
    return {name: shown(column[index]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def shown(value: Any) -> Any:
    """Return a value, Arrow's or Python's own, as one that JSON or ``str`` can write."""
    if isinstance(value, pa.Scalar):
        if value.is_valid and pa.types.is_temporal(value.type) and hasattr(value, "value"):
            return _time(value)
        value = value.as_py()
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return _NOT_FINITE.get(value, "NaN")
    return value


def _time(value: Any) -> Any:
    """Return a date or time; infinities, 24:00 and years beyond Python's as text, the latter in ISO 8601."""
    kind, number = value.type, value.value
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        largest = 2 ** (kind.bit_width - 1) - 1
        if number in (largest, -largest - 1):
            return "infinity" if number > 0 else "-infinity"
    if kind == pa.time64("us") and number == _DAY_MICROSECONDS:
        return "24:00:00"
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return str(np.datetime64(number, "D" if pa.types.is_date32(kind) else getattr(kind, "unit", "ms")))
