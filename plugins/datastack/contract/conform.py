"""Makes received rows fit their contract; those that don't are set aside with the reason, never lost."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datastack.contract.canonical import UnfitError, canonical, documents
from datastack.contract.casting import cast
from datastack.contract.evolve import EXTRA_FIELD, carried, column_name, common, kind, physical_type, to_json
from datastack.contract.model import Column, Contract, Drift, Privacy
from datastack.contract.privacy import Pseudonymiser, protect
from datastack.contract.shown import shown, shown_row
from datastack.contract.types import arrow_type

REJECTED_SCHEMA = pa.schema([("reason", pa.string()), ("row", pa.string())])


class DriftError(ValueError):
    """The source has a field that its frozen contract has not."""


@dataclass(frozen=True)
class Conformed:
    """Rows that fit and rows that don't.

    ``accepted`` rows have the contract's schema and behind it, where drift is ``evolve``, what the source has beyond
    it: a typed column each, or one column ``_extra`` for the fields of JSON records. ``rejected`` rows have a reason
    and the row as received, in JSON.
    """

    accepted: pa.RecordBatch
    rejected: pa.RecordBatch


class Conformer:
    """Applies one contract: types, required fields, drift and privacy.

    ``discarded`` counts the rows that had an unknown field that was left out. ``evolved`` maps the unknown fields that
    were kept, by their columns' names, to their types; nobody has classified them: see the contract's drift policy.
    """

    def __init__(self, contract: Contract, pseudonymiser: Pseudonymiser) -> None:
        self.contract, self._pseudonymiser = contract, pseudonymiser
        self._known = {column.path.split(".")[0].removesuffix("[]") for column in contract.columns}
        self._taken = {column.name for column in contract.columns}
        self._fields: dict[str, str] = {}  # unknown field that is kept: its column
        self.discarded: dict[str, int] = {}
        self.evolved: dict[str, str] = {}

    def batch(self, batch: pa.RecordBatch) -> Conformed:
        """Conform typed rows, as a database gives them. The batches of one conformer have the same columns.

        :raises DriftError: if the contract is frozen and the batch has a column that it does not know.
        """
        extra = []
        unfit: dict[int, str] = {}
        known = {column.path for column in self.contract.columns}
        for field in batch.schema:
            if field.name in known or (name := self._drift(field.name, batch.num_rows)) is None:
                continue
            self.evolved[name] = _declared(field) or physical_type(field.type)
            values, reasons = _beyond(batch.column(field.name), name, self.evolved[name])
            extra.append((pa.field(name, values.type), values))
            unfit = reasons | unfit
        columns = {column.name: batch.column(column.path) for column in self.contract.columns}
        return self._conform(batch.num_rows, columns, lambda index: shown_row(batch, index), extra, unfit)

    def records(self, records: list[dict[str, Any]]) -> Conformed:
        """Conform nested records, as JSON has them.

        :raises DriftError: if the contract is frozen and a record has a field that it does not know.
        """
        seen: dict[str, int] = {}
        for record in records:
            for field in record.keys() - self._known:
                seen[field] = seen.get(field, 0) + 1
        fields = {field: name for field in sorted(seen) if (name := self._drift(field, seen[field]))}
        columns = {column.name: [_at(record, column.path) for record in records] for column in self.contract.columns}
        if self.contract.drift is not Drift.EVOLVE:
            return self._conform(len(records), columns, lambda index: records[index], [], {})
        extra, unfit = self._extra(records, fields)
        return self._conform(len(records), columns, lambda index: records[index], [(EXTRA_FIELD, extra)], unfit)

    def _drift(self, field: str, rows: int) -> str | None:
        """Name of the column that an unknown field gets, or None if it is left out."""
        if self.contract.drift is Drift.FREEZE:
            file = self.contract.file.name
            raise DriftError(f"{self.contract.stream}.{field}: not in {file}, which is frozen. Add the column there.")
        if field in self._fields:
            return self._fields[field]
        name = column_name(field) if self.contract.drift is Drift.EVOLVE else None
        if name is None or name in self._taken:
            self.discarded[field] = self.discarded.get(field, 0) + rows
            return None
        self._taken.add(name)
        self._fields[field] = name
        return name

    def _extra(self, records: list[dict[str, Any]], fields: dict[str, str]) -> tuple[pa.Array, dict[int, str]]:
        """Values of the unknown fields as one JSON object a record, and the reason for each that can't be stored."""
        texts: list[str | None] = []
        unfit: dict[int, str] = {}
        for index, record in enumerate(records):
            found = {fields[field]: value for field, value in record.items() if field in fields and value is not None}
            try:
                texts.append(to_json(found) if found else None)
            except ValueError as error:
                unfit[index] = f"{', '.join(found)}: can't be stored: {error}"
                texts.append(None)
            else:
                for name, value in found.items():
                    self.evolved[name] = common(kind(value), self.evolved.get(name))
        return pa.array(texts, pa.string()).cast(EXTRA_FIELD.type), unfit

    def _conform(
        self,
        rows: int,
        columns: dict[str, Any],
        row: Callable[[int], dict[str, Any]],
        extra: list[tuple[pa.Field, pa.Array]],
        reasons: dict[int, str],
    ) -> Conformed:
        arrays = []
        for column in self.contract.stored:
            array, unfit = _typed(columns[column.name], column)
            for index, reason in unfit.items():
                reasons.setdefault(index, f"{column.name}: {reason}")
            if column.required and array.null_count:
                for index in pc.indices_nonzero(pc.is_null(array)).to_pylist():
                    reasons.setdefault(index, f"{column.name}: required, but missing or null")
            arrays.append(protect(array, column, self._pseudonymiser))
        schema = pa.schema([*self.contract.arrow_schema, *(field for field, _ in extra)])
        accepted = pa.record_batch([*arrays, *(values for _, values in extra)], names=schema.names)
        if reasons:
            accepted = accepted.filter(pa.array([index not in reasons for index in range(rows)]))
        return Conformed(
            pa.RecordBatch.from_arrays(accepted.columns, schema=schema),
            _rejected([(reasons[index], json.dumps(row(index), default=str)) for index in sorted(reasons)]),
        )


def _rejected(rows: list[tuple[str, str]]) -> pa.RecordBatch:
    """Reasons and rows as a batch."""
    if not rows:  # not by pa.array, which imports pandas: most tasks need neither
        return pa.RecordBatch.from_arrays([pa.nulls(0, pa.string())] * 2, schema=REJECTED_SCHEMA)
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in columns], schema=REJECTED_SCHEMA)


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
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reasons[index] = _reason(value, column, error)
            singles.append(pa.nulls(1, target))
    return pa.concat_arrays(singles), reasons


def _reason(value: Any, column: Column, error: Exception) -> str:
    if isinstance(error, UnfitError):
        value = f"{str(shown(value))[:60]!r} " if column.privacy is None and "NUL" not in str(error) else ""
        return f"{value}{error}"
    return "wrong type" if column.privacy else f"{str(shown(value))[:60]!r} is not of type {column.type}"


def _declared(field: pa.Field) -> str | None:
    """Type of a numeric column that came as text, as a value did not fit its decimals."""
    metadata = field.metadata or {}
    if b"precision" not in metadata:
        return None
    return f"numeric({metadata[b'precision'].decode()},{metadata[b'scale'].decode()})"


def _beyond(values: pa.Array, name: str, type_: str) -> tuple[pa.Array, dict[int, str]]:
    """Values of a column that the contract has not, and the reason for each index whose value can't be stored."""
    if type_ != "text" and values.type != pa.string():
        return carried(values, type_), {}
    column = Column(name=name, type=type_, description="not in the contract", path=name)
    array, unfit = _typed(carried(values, type_) if type_ == "text" else values, column)
    return array, {index: f"{name}: {reason}" for index, reason in unfit.items()}


def _convert(values: pa.Array | list[Any], column: Column, target: pa.DataType) -> pa.Array:
    if column.privacy is Privacy.HASH:
        return _as_text(values, target)
    if not isinstance(values, pa.Array):
        values = _from_json(values, target, column.type)
    elif values.type != target:
        values = _cast(values, target)
    return values if column.is_masked else canonical(values, column.type)


def _from_json(values: list[Any], target: pa.DataType, type_: str) -> pa.Array:
    """Exact values or an error: nothing is cut, rounded, or read as something else. Numbers may come as text."""
    if isinstance(target, pa.BaseExtensionType):
        texts = [None if value is None else to_json(value) for value in values]
        return pa.array(texts, pa.string()).cast(target)
    if type_ == "numeric":
        return pa.array([_number(value) for value in values], target)
    if pa.types.is_string(target) or pa.types.is_nested(target):
        return pa.array(values, target)
    first = next((value for value in values if value is not None), None)
    if isinstance(first, str):
        if pa.types.is_boolean(target):
            raise TypeError("text is not a boolean")
        return cast(pa.array(values, pa.string()), target)
    if isinstance(first, bool) != pa.types.is_boolean(target) and first is not None:
        raise TypeError("only booleans are booleans")
    if pa.types.is_temporal(target) and first is not None:
        raise TypeError("dates and times come as text")
    if pa.types.is_integer(target):
        return pa.array(values).cast(target)
    if pa.types.is_floating(target):
        values = [float(value) if isinstance(value, Decimal) else value for value in values]
    return pa.array(values, target)


def _number(value: Any) -> str | None:
    if value is None or (isinstance(value, str | int | float | Decimal) and not isinstance(value, bool)):
        return None if value is None else str(value)
    raise TypeError(f"a number is none of {type(value).__name__}")


def _cast(values: pa.Array, target: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):  # JSON, which is text
        values = values.cast(values.type.storage_type)
    if isinstance(target, pa.BaseExtensionType):
        return documents(values.cast(pa.string())).cast(target)
    return cast(values, target)


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
