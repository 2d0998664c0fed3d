"""Brings texts into the form that types are read from: UTF-8, decimal points, ISO 8601."""

import json
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from datastack.contract.file_formats import Tabular
from datastack.contract.model import Contract
from datastack.contract.received import Unreadable
from datastack.source.formats.encodings import MARKED, without_marks

_NUMBERS = ("numeric", "double precision", "real")
_COMMA = r"^\s*[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?\s*$"

Change = Callable[[pa.Array], pa.Array]


class Texts:
    """Applies a format's rules to columns, by their types in the contract."""

    def __init__(self, form: Tabular, contract: Contract) -> None:
        self._changes: dict[str, tuple[Change, str]] = {}
        for column in contract.columns:
            if form.decimal == "," and column.type.startswith(_NUMBERS):
                self._changes[column.path] = _with_point, "no number with a decimal comma"
            elif form.dates and column.type == "date":
                self._changes[column.path] = _dated(form.dates, date_only=True), f"no date like {form.dates}"
            elif form.timestamps and column.type in ("timestamp", "timestamptz"):
                self._changes[column.path] = _dated(form.timestamps), f"no time like {form.timestamps}"

    def fit(self, batch: pa.RecordBatch, first: int, marked: bool = False) -> tuple[pa.RecordBatch, list[Unreadable]]:
        """Return the rows that could be read, and those that could not.

        :param first: number of the first row.
        :param marked: whether there may be bytes that are no text, see :mod:`datastack.source.formats.encodings`.
        """
        reasons: dict[int, str] = {}
        columns = []
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            if marked:
                for row in _rows_where(pc.match_substring_regex(values, MARKED)):
                    reasons.setdefault(row, f"{name}: not in the encoding that is declared")
            change, reason = self._changes.get(name, (None, ""))
            changed = change(values) if change else values
            if change:
                for row in _rows_where(pc.and_(pc.is_null(changed), pc.is_valid(values))):
                    reasons.setdefault(row, f"{name}: {reason}")
            columns.append(changed)
        fitting = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        if not reasons:
            return fitting, []
        bad_rows = [Unreadable(reasons[row], _shown(batch, row), first + row) for row in sorted(reasons)]
        return fitting.filter(pa.array([row not in reasons for row in range(batch.num_rows)])), bad_rows

    @staticmethod
    def nothing(names: list[str]) -> pa.RecordBatch:
        """No rows of these columns."""
        return pa.RecordBatch.from_arrays([pa.nulls(0, pa.string()) for _ in names], names=names)


def _rows_where(mask: pa.Array) -> list[int]:
    found: list[int] = pc.indices_nonzero(mask).to_pylist()
    return found


def _shown(batch: pa.RecordBatch, row: int) -> str:
    """Return a row as JSON, as received but for bytes that no text has."""
    values = {name: column[row].as_py() for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    return without_marks(json.dumps(values, ensure_ascii=False))


def _with_point(values: pa.Array) -> pa.Array:
    """1.234,50 is 1234.50; null where it is neither that nor 1234,50."""
    fits = pc.match_substring_regex(values, _COMMA)
    points = pc.replace_substring(pc.replace_substring(values, ".", ""), ",", ".")
    return pc.if_else(fits, points, pa.scalar(None, pa.string()))


def _dated(form: str, *, date_only: bool = False) -> Change:
    def change(values: pa.Array) -> pa.Array:
        """Read each value that occurs once: dates repeat."""
        packed = values.dictionary_encode()
        read = [_iso(text, form, date_only) for text in packed.dictionary.to_pylist()]
        return pa.array(read, pa.string()).take(packed.indices)

    return change


def _iso(text: str, form: str, date_only: bool) -> str | None:
    try:
        moment = datetime.strptime(text.strip(), form)
    except ValueError:
        return None
    return moment.date().isoformat() if date_only else moment.isoformat()
