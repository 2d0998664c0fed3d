"""Makes received rows fit their contract; those that don't are set aside with the reason, never lost."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datastack.contract.model import Column, Contract, Drift, Privacy
from datastack.contract.privacy import Pseudonymiser, protect
from datastack.contract.types import arrow_type

REJECTED_SCHEMA = pa.schema([("reason", pa.string()), ("row", pa.string())])


class DriftError(ValueError):
    """The source has a field that its frozen contract has not."""


@dataclass(frozen=True)
class Conformed:
    """``accepted`` rows have the contract's schema; ``rejected`` have a reason and the row as received, in JSON."""

    accepted: pa.RecordBatch
    rejected: pa.RecordBatch


class Conformer:
    """Applies one contract: types, required fields, drift and privacy."""

    def __init__(self, contract: Contract, pseudonymiser: Pseudonymiser) -> None:
        self._contract, self._pseudonymiser = contract, pseudonymiser
        self._known = {column.path.split(".")[0].removesuffix("[]") for column in contract.columns}
        self.discarded: dict[str, int] = {}  # unknown field: rows that had it

    def batch(self, batch: pa.RecordBatch) -> Conformed:
        """Conform typed rows, as a database gives them.

        :raises DriftError: if the contract is frozen and the batch has a column that it does not know.
        """
        for name in batch.schema.names:
            self._drift(name, batch.num_rows)
        columns = {column.name: batch.column(column.path) for column in self._contract.columns}
        return self._conform(batch.num_rows, columns, lambda index: batch.slice(index, 1).to_pylist()[0])

    def records(self, records: list[dict[str, Any]]) -> Conformed:
        """Conform nested records, as JSON has them.

        :raises DriftError: if the contract is frozen and a record has a field that it does not know.
        """
        seen: dict[str, int] = {}
        for record in records:
            for name in record.keys() - self._known:
                seen[name] = seen.get(name, 0) + 1
        for name, rows in seen.items():
            self._drift(name, rows)
        columns = {column.name: [_at(record, column.path) for record in records] for column in self._contract.columns}
        return self._conform(len(records), columns, lambda index: records[index])

    def _drift(self, name: str, rows: int) -> None:
        if name in self._known:
            return
        if self._contract.drift is Drift.FREEZE:
            file = self._contract.file.name
            raise DriftError(f"{self._contract.stream}.{name}: not in {file}, which is frozen. Add the column there.")
        self.discarded[name] = self.discarded.get(name, 0) + rows

    def _conform(self, rows: int, columns: dict[str, Any], row: Callable[[int], dict[str, Any]]) -> Conformed:
        reasons: dict[int, str] = {}
        arrays = []
        for column in self._contract.stored:
            array, unfit = _typed(columns[column.name], column)
            for index, reason in unfit.items():
                reasons.setdefault(index, f"{column.name}: {reason}")
            if column.required and array.null_count:
                for index in pc.indices_nonzero(pc.is_null(array)).to_pylist():
                    reasons.setdefault(index, f"{column.name}: required, but missing or null")
            arrays.append(protect(array, column, self._pseudonymiser))
        accepted = pa.record_batch(arrays, names=[column.name for column in self._contract.stored])
        if reasons:
            accepted = accepted.filter(pa.array([index not in reasons for index in range(rows)]))
        rejected = [{"reason": reasons[i], "row": json.dumps(row(i), default=str)} for i in sorted(reasons)]
        return Conformed(
            pa.RecordBatch.from_arrays(accepted.columns, schema=self._contract.arrow_schema),
            pa.RecordBatch.from_pylist(rejected, schema=REJECTED_SCHEMA),
        )


def _typed(values: pa.Array | list[Any], column: Column) -> tuple[pa.Array, dict[int, str]]:
    """Values in the column's Arrow type, and the reason for each index whose value does not fit (null there)."""
    target = arrow_type(column.type)
    try:
        return _convert(values, column, target), {}
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass  # some value does not fit: find out which
    reasons: dict[int, str] = {}
    singles = []
    for index, value in enumerate(values):
        single = values.slice(index, 1) if isinstance(values, pa.Array) else [value]
        try:
            singles.append(_convert(single, column, target))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            reasons[index] = (
                f"{str(value)[:60]!r} is not of type {column.type}" if column.privacy is None else "wrong type"
            )
            singles.append(pa.nulls(1, target))
    return pa.concat_arrays(singles), reasons


def _convert(values: pa.Array | list[Any], column: Column, target: pa.DataType) -> pa.Array:
    if column.privacy is Privacy.HASH:
        return _as_text(values, target)
    if isinstance(values, pa.Array):
        return values if values.type == target else _cast(values, target)
    return _from_json(values, target)


def _from_json(values: list[Any], target: pa.DataType) -> pa.Array:
    """Exact values or an error: nothing is cut, rounded, or read as something else. Numbers may come as text."""
    if isinstance(target, pa.BaseExtensionType):
        return pa.array([None if value is None else json.dumps(value, default=str) for value in values]).cast(target)
    if pa.types.is_string(target) or pa.types.is_nested(target):
        return pa.array(values, target)
    first = next((value for value in values if value is not None), None)
    if isinstance(first, str):
        if pa.types.is_boolean(target):
            raise TypeError("text is not a boolean")
        return pa.array(values, pa.string()).cast(target)
    if isinstance(first, bool) != pa.types.is_boolean(target) and first is not None:
        raise TypeError("only booleans are booleans")
    if pa.types.is_temporal(target) and first is not None:
        raise TypeError("dates and times come as text")
    if pa.types.is_integer(target):
        return pa.array(values).cast(target)
    if pa.types.is_floating(target):
        values = [float(value) if isinstance(value, Decimal) else value for value in values]
    return pa.array(values, target)


def _cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):  # ADBC hands numerics over as opaque text
        values = values.cast(values.type.storage_type)
    return values.cast(target)


def _as_text(values: pa.Array | list[Any], target: pa.DataType) -> pa.Array:
    """Identities in one text form whatever their type is: 105 and "105" are the same household."""
    if isinstance(values, pa.Array):
        return values.cast(target)
    if pa.types.is_list(target):
        return pa.array([None if value is None else [_text(item) for item in value] for value in values], target)
    return pa.array([_text(value) for value in values], target)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"an identity is text or a whole number, not {type(value).__name__}")


def _at(record: Any, path: str) -> Any:
    """Value at ``a.b``, or the list of values at ``a[].b``; None where a step is missing."""
    step, _, rest = path.partition(".")
    value = record.get(step.removesuffix("[]")) if isinstance(record, dict) else None
    if value is None or not rest:
        return value
    if step.endswith("[]"):
        return [_at(item, rest) for item in value]
    return _at(value, rest)
