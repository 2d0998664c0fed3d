"""Brings one column of values to its contract type; what does not fit is told value by value."""

from typing import Any, TypeAlias

import pyarrow as pa

from datastack.codec.spans import Spans, spans_of
from datastack.contract.canonical import UnfitError, documents, fitting
from datastack.contract.casting import cast
from datastack.contract.evolve import carried
from datastack.contract.model import Column, Privacy
from datastack.contract.reading import Unfit, read
from datastack.contract.shown import shown
from datastack.contract.types import arrow_type

Values: TypeAlias = pa.Array | Spans


def typed(values: Values, column: Column) -> tuple[pa.Array, Unfit]:
    """Values in the column's Arrow type, and the reason for each index whose value does not fit (null there)."""
    target = arrow_type(column.type)
    if isinstance(values, Spans):
        return read(values, column)
    if pa.types.is_string(values.type) and column.privacy is not Privacy.HASH and column.type not in ("text", "text[]"):
        return read(spans_of(values), column)
    try:
        return _convert(values, column, target)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        if len(values) == 1:
            return pa.nulls(1, target), {0: _reason(values[0], column, error)}
    # Some value does not fit: find out which, half by half.
    half = len(values) // 2
    first, reasons = typed(values.slice(0, half), column)
    second, others = typed(values.slice(half), column)
    return pa.concat_arrays([first, second]), reasons | {half + index: reason for index, reason in others.items()}


def _reason(value: Any, column: Column, error: Exception) -> str:
    about = str(error) if isinstance(error, UnfitError) else f"is not of type {column.type}"
    return about if column.is_secret else f"{str(shown(value))[:60]!r} {about}"


def declared(field: pa.Field) -> str | None:
    """Type of a numeric column that came as text, as a value did not fit its decimals."""
    metadata = field.metadata or {}
    if b"precision" not in metadata:
        return None
    return f"numeric({metadata[b'precision'].decode()},{metadata[b'scale'].decode()})"


def beyond(values: pa.Array, name: str, type_: str, is_secret: bool) -> tuple[pa.Array, Unfit]:
    """Values of a column that the contract has not, and the reason for each index whose value can't be stored."""
    if type_ != "text" and values.type != pa.string():
        return carried(values, type_), {}
    column = Column(name=name, type=type_, description="not in the contract", path=name, is_secret=is_secret)
    array, unfit = typed(carried(values, type_) if type_ == "text" else values, column)
    return array, {index: f"{name}: {reason}" for index, reason in unfit.items()}


def _convert(values: pa.Array, column: Column, target: pa.DataType) -> tuple[pa.Array, Unfit]:
    """Typed values in another type.

    :raises pa.ArrowException: if there is one that does not fit; so do UnfitError, TypeError, OverflowError.
    """
    if column.privacy is Privacy.HASH:
        return values.cast(target), {}
    if values.type != target:
        values = _cast(values, target)
    return (values, {}) if column.is_masked else fitting(values, column.type)


def _cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):  # JSON, which is text
        values = values.cast(values.type.storage_type)
    if isinstance(target, pa.BaseExtensionType):
        texts, unfit = documents(values.cast(pa.string()))
        for reason in unfit.values():
            raise UnfitError(reason)
        return texts.cast(target)
    return cast(values, target)
