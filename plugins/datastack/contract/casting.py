"""Casts between Arrow types that are exact, or fail: Arrow's own round and cut in some cases."""

import pyarrow as pa
import pyarrow.compute as pc

from datastack.contract.canonical import UnfitError, canonical


def cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Values in another type. Only floats are rounded, and only to the nearest float.

    :raises pa.ArrowException: if there is one that the type does not hold.
    :raises UnfitError: if there is one that would be cut.
    """
    source = values.type
    if pa.types.is_decimal(source) and pa.types.is_string(target):
        return canonical(values.cast(target), "numeric")  # Arrow writes small ones with an exponent
    if pa.types.is_floating(source) and pa.types.is_decimal(target):
        return values.cast(pa.string()).cast(target)  # Arrow rounds floats, and refuses to round text
    done = values.cast(target)
    if _may_be_cut(source, target) and not pc.all(_is_same(values, done), min_count=0).as_py():
        raise UnfitError(f"is more than a {_NAMES.get(target, target)} holds")
    return done


_NAMES = {pa.date32(): "date", pa.float32(): "real"}


def _may_be_cut(source: pa.DataType, target: pa.DataType) -> bool:
    return (pa.types.is_timestamp(source) and pa.types.is_date(target)) or (
        pa.types.is_float64(source) and pa.types.is_float32(target)
    )


def _is_same(values: pa.Array, done: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        return pc.equal(pc.is_finite(values), pc.is_finite(done))
    values = values.cast(pa.timestamp(values.type.unit))  # in UTC, as the date is
    return pc.equal(values, done.cast(values.type, safe=False))
