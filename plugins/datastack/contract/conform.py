"""Makes received rows fit their contract; those that don't are set aside with the reason, never lost."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from datastack.codec.buffers import validity
from datastack.codec.json_kinds import MISSING
from datastack.codec.spans import Spans
from datastack.contract.canonical import mask
from datastack.contract.evolve import EXTRA_FIELD, column_name, common, physical_type
from datastack.contract.extra import extra
from datastack.contract.json_columns import MOST_UNKNOWN, JsonColumns, Rows
from datastack.contract.model import Column, Contract, Drift
from datastack.contract.privacy import Pseudonymiser, protect
from datastack.contract.reading import Unfit
from datastack.contract.received import Received, Records
from datastack.contract.rejected import Rejection, rejected
from datastack.contract.shown import shown_row
from datastack.contract.typed import Values, beyond, declared, typed
from datastack.contract.types import arrow_type


class DriftError(ValueError):
    """The source has not the fields that its contract says, or others, and the contract does not let that pass."""


@dataclass(frozen=True)
class Conformed:
    """Rows that fit and rows that don't.

    ``accepted`` rows have the contract's schema and behind it, where drift is ``evolve``, what the source has beyond
    it: a typed column each, or one column ``_extra`` for the fields of JSON records. ``rejected`` rows have a reason,
    the row as received, and where it was: see :mod:`datastack.contract.rejected`.
    """

    accepted: pa.RecordBatch
    rejected: pa.RecordBatch

    @property
    def rows(self) -> int:
        """How many rows were received."""
        return self.accepted.num_rows + self.rejected.num_rows


@dataclass(frozen=True)
class Taken:
    """Rows on half the way: typed, records of documents, or what is unreadable; with the object that they came in."""

    rows: pa.RecordBatch | Rows | list[Rejection]
    object: str | None = None
    first: int = 1


class Conformer:
    """Applies one contract: types, required fields, drift and privacy.

    ``discarded`` counts the rows that had an unknown field that was left out. ``evolved`` maps the unknown fields that
    were kept, by their columns' names, to their types; nobody has classified them: see the contract's drift policy.
    """

    def __init__(self, contract: Contract, pseudonymiser: Pseudonymiser) -> None:
        self.contract, self._pseudonymiser = contract, pseudonymiser
        # A row whose values moved by a field has personal ones in other columns, and reasons leave the lake.
        self._secret = any(column.privacy for column in contract.columns)
        self._columns = [column.model_copy(update={"is_secret": self._secret}) for column in contract.stored]
        self._taken = {column.name for column in contract.columns}
        self._fields: dict[str, str] = {}  # unknown field that is kept: its column
        self._json = JsonColumns(contract, lambda field: self._drift(field, 0) is not None)
        self.discarded: dict[str, int] = {}
        self.evolved: dict[str, str] = {}

    def received(self, received: Received) -> Iterator[Conformed]:
        """Conform rows as received, whatever they are; what is unreadable is rejected.

        :raises DriftError: as the methods for each kind.
        """
        return map(self.fit, self.taken(received))

    def taken(self, received: Received) -> Iterator[Taken]:
        """Do the first half of :meth:`received`: take values out of documents. The halves may run in two threads."""
        if received.unreadable:
            lost = [Rejection(why, raw, number=number) for why, raw, number in received.unreadable]
            yield Taken(lost, received.object)
        if received.kind == "documents":
            for rows in self._json.take(received.batch.column(0), received.records, received.first):
                yield Taken(rows, received.object)
        else:
            yield Taken(received.batch, received.object, received.first)

    def fit(self, taken: Taken) -> Conformed:
        """Do the second half of :meth:`received`: make values fit."""
        if isinstance(taken.rows, Rows):
            return self._records(taken.rows, taken.object)
        if isinstance(taken.rows, list):
            return Conformed(self._nothing(), rejected(_from(taken.rows, taken.object), "unreadable"))
        return self.batch(taken.rows, taken.object, taken.first)

    def batch(self, batch: pa.RecordBatch, origin: str | None = None, first: int = 1) -> Conformed:
        """Conform typed rows, as a database gives them. The batches of one conformer have the same columns.

        :param origin: key of the object that they came in.
        :param first: number of the first of them in there.
        :raises DriftError: if a required column is missing, or the contract is frozen and the batch has one that
            it does not know.
        """
        extras = []
        unfit: Unfit = {}
        known = {column.path for column in self.contract.columns}
        for field in batch.schema:
            if field.name in known or (name := self._drift(field.name, batch.num_rows)) is None:
                continue
            self.evolved[name] = declared(field) or physical_type(field.type)
            values, reasons = beyond(batch.column(field.name), name, self.evolved[name], self._secret)
            extras.append((pa.field(name, values.type), values))
            unfit = reasons | unfit
        columns = {column.name: self._column(batch, column) for column in self.contract.stored}
        accepted, unfit = self._conform(batch.num_rows, columns, extras, unfit)

        def rejection(index: int) -> Rejection:
            row = json.dumps(shown_row(batch, index), default=str)
            return Rejection(unfit[index], row, object=origin, number=None if origin is None else first + index)

        return Conformed(accepted, _set_aside(unfit, rejection, batch))

    def texts(self, batch: pa.RecordBatch) -> Conformed:
        """Conform rows of texts, as CSV and Excel have them: as :meth:`batch`, which reads texts as any type."""
        return self.batch(batch)

    def documents(self, texts: pa.Array, records: Records) -> Conformed:
        """Conform the records of JSON documents, in one batch.

        :param texts: strings, or bytes if they need not be UTF-8.
        :raises DriftError: if the contract is frozen and a record has a field that it does not know.
        """
        done = [self._records(rows, None) for rows in self._json.take(texts, records)]
        if not done:
            return Conformed(self._nothing(), rejected((), "documents"))
        return Conformed(
            *(pa.concat_batches([getattr(each, name) for each in done]) for name in ("accepted", "rejected"))
        )

    def _records(self, rows: Rows, origin: str | None) -> Conformed:
        self.discarded |= {name: self._json.count(name) for name in self._json.left_out}
        extras, unfit = [], rows.reasons
        if self.contract.drift is Drift.EVOLVE:
            unknown = {self._fields[name]: spans for name, spans in rows.unknown.items()}
            values, reasons, types = extra(len(rows.records), unknown)
            unfit = reasons | unfit
            for name, type_ in types.items():
                self.evolved[name] = common(type_, self.evolved.get(name))
            extras.append((EXTRA_FIELD, values))
        accepted, unfit = self._conform(len(rows.records), rows.columns, extras, unfit)
        lost = rows.broken + [rows.rejection(index, unfit[index]) for index in sorted(unfit)]
        return Conformed(accepted, rejected(_from(lost, origin), "documents"))

    def _nothing(self) -> pa.RecordBatch:
        """No rows, in the schema that accepted ones have as far as that is known."""
        fields = [*self.contract.arrow_schema]
        if self.contract.drift is Drift.EVOLVE:
            fields.append(EXTRA_FIELD)
        return pa.RecordBatch.from_pylist([], schema=pa.schema(fields))

    def _column(self, batch: pa.RecordBatch, column: Column) -> pa.Array:
        if column.path in batch.schema.names:
            return batch.column(column.path)
        if not column.required:
            return pa.nulls(batch.num_rows, arrow_type(column.type))
        contract = self.contract
        raise DriftError(
            f"{contract.stream}.{column.path}: {contract.file.name} requires it, but what was received has only "
            f"{', '.join(batch.schema.names)}. Correct the column's path there, or ask who delivers it"
        )

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
        if len(self._fields) >= MOST_UNKNOWN:
            raise DriftError(
                f"{self.contract.stream}: more than {MOST_UNKNOWN} fields that {self.contract.file.name} does not "
                "know: are their names data? Declare what holds them as jsonb, or set drift: discard"
            )
        self._taken.add(name)
        self._fields[field] = name
        return name

    def _conform(
        self, rows: int, columns: dict[str, Values], extras: list[tuple[pa.Field, pa.Array]], reasons: Unfit
    ) -> tuple[pa.RecordBatch, Unfit]:
        """Rows that fit, and why the others don't: the first reason of each, ``reasons`` before those of columns."""
        reasons = dict(reasons)
        arrays = []
        for column in self._columns:
            values = columns[column.name]
            array, unfit = typed(values, column)
            for index, reason in unfit.items():
                reasons.setdefault(index, f"{column.name}: {reason}")
            if column.required and array.null_count:
                for index in np.flatnonzero(validity(array) == 0).tolist():
                    reasons.setdefault(index, f"{column.name}: required, but {_absent(values, index)}")
            arrays.append(protect(array, column, self._pseudonymiser))
        schema = pa.schema([*self.contract.arrow_schema, *(field for field, _ in extras)])
        accepted = pa.record_batch([*arrays, *(values for _, values in extras)], names=schema.names)
        if reasons:
            kept = np.ones(rows, np.uint8)
            kept[list(reasons)] = 0
            accepted = accepted.filter(mask(kept))
        return pa.RecordBatch.from_arrays(accepted.columns, schema=schema), reasons


def _from(rejections: list[Rejection], origin: str | None) -> list[Rejection]:
    return [replace(each, object=origin) for each in rejections]


def _absent(values: Values, index: int) -> str:
    if isinstance(values, Spans):
        return "missing" if values.kinds[index] == MISSING else "null"
    return "null"


def _set_aside(unfit: Unfit, rejection: Callable[[int], Rejection], batch: pa.RecordBatch) -> pa.RecordBatch:
    if not unfit:
        return rejected((), "typed")
    rows = sorted(unfit)
    return rejected([rejection(index) for index in rows], "typed", batch.take(pa.array(rows)))
