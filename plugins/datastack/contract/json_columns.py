"""Takes a contract's columns out of JSON documents, for many records at a time."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from datastack.codec.json_kinds import ARRAY, BLANK, NO_RECORDS, OBJECT
from datastack.codec.json_records import Found, problem_text, split
from datastack.codec.json_tree import Fields, FieldTree
from datastack.codec.spans import Spans, spans_of
from datastack.contract.model import Contract
from datastack.contract.received import Records
from datastack.contract.rejected import Rejection

ABOVE = "^"
MOST_ROWS, MOST_BYTES = 16 * 1024, 16 * 1024 * 1024  # that are taken at a time
MOST_UNKNOWN = 1000  # names that no contract knows: where there are more, the names are data


@dataclass
class Rows:
    """Some records.

    ``columns`` maps the contract's columns to their values, ``unknown`` other fields that are to be kept to theirs.
    ``reasons`` says why records can't be read, by their index; ``broken`` holds what is not even a record.
    """

    records: Spans
    columns: dict[str, Spans]
    unknown: dict[str, Spans]
    reasons: dict[int, str]
    numbers: np.ndarray
    ordinals: np.ndarray
    above: Callable[[int], str | None]
    broken: list[Rejection] = field(default_factory=list)

    def rejection(self, index: int, reason: str) -> Rejection:
        """Describe a record that did not fit."""
        raw, above = self.records.raw(index), self.above(index)
        return Rejection(reason, raw, above, number=int(self.numbers[index]), record=int(self.ordinals[index]))


class JsonColumns:
    """Takes the columns of one contract.

    :param drift: is asked what becomes of a field that the contract does not know: True if it is kept.
    """

    def __init__(self, contract: Contract, drift: Callable[[str], bool]) -> None:
        self._drift = drift
        stored = {column.name: column.path for column in contract.stored}
        self._own = {name: _steps(path) for name, path in stored.items() if not path.startswith(f"{ABOVE}.")}
        self._outer = {name: _steps(path[2:]) for name, path in stored.items() if name not in self._own}
        self._tree = FieldTree(list(self._own.values()))
        self._outer_trees: dict[Records, FieldTree] = {}
        known = {_steps(column.path)[0] for column in contract.columns}
        for name in sorted(known - {steps[0] for steps in self._own.values()}):
            self._tree.learn(name.encode(), None)
        self._kept: list[str] = []
        self.left_out: list[str] = []

    def count(self, name: str) -> int:
        """How many records had a field that was left out."""
        return self._tree.count_of(name.encode())

    def take(self, texts: pa.Array, records: Records, first: int = 1) -> Iterator[Rows]:
        """Yield the records of documents; what is broken comes with the first of them.

        :param first: number of the first document.
        """
        documents = spans_of(texts)
        if records.within is None:
            found = split(documents, records.path)
            broken = [*_broken(documents, found, first, records)]
            yield from self._chunks(found.records, found.documents + first, {}, broken)
            return
        outer = split(documents, records.within or None)
        broken = [*_broken(documents, outer, first, records)]
        tree = self._outer_tree(records)
        fields = tree.take(outer.records)
        lists = fields.columns[tree.slot(_steps(records.path or ""))]
        broken += _broken_above(outer, fields, lists, records, first)
        owners = np.flatnonzero(lists.are_of(ARRAY, OBJECT))
        found = split(lists.take(owners), None)
        owners = owners[found.documents]
        above = records.above.split(".") if records.above else []
        columns = {
            name: fields.columns[tree.slot((*above, *steps))].take(owners) for name, steps in self._outer.items()
        }
        yield from self._chunks(found.records, outer.documents[owners] + first, columns, broken)

    def _outer_tree(self, records: Records) -> FieldTree:
        if records not in self._outer_trees:
            above = records.above.split(".") if records.above else []
            paths = [(*above, *steps) for steps in self._outer.values()]
            self._outer_trees[records] = FieldTree([_steps(records.path or ""), *paths])
        return self._outer_trees[records]

    def _chunks(
        self, records: Spans, numbers: np.ndarray, outer: dict[str, Spans], broken: list[Rejection]
    ) -> Iterator[Rows]:
        ordinals = np.arange(len(records)) - np.searchsorted(numbers, numbers) + 1
        sizes = sum((column.ends - column.starts for column in outer.values()), records.ends - records.starts)
        ends = np.cumsum(sizes)
        at = 0
        while at < len(records) or broken:
            until = int(np.searchsorted(ends, (ends[at - 1] if at else 0) + MOST_BYTES, "right"))
            until = min(max(until, at + 1), at + MOST_ROWS, len(records))
            chosen = np.arange(at, until)
            above = {name: column.take(chosen) for name, column in outer.items()}
            rows = self._rows(records.take(chosen), above, numbers[at:until], ordinals[at:until])
            rows.broken, broken = broken, []
            yield rows
            at = until

    def _rows(self, records: Spans, above: dict[str, Spans], numbers: np.ndarray, ordinals: np.ndarray) -> Rows:
        is_full = len(self._kept) + len(self.left_out) >= MOST_UNKNOWN
        fields = self._tree.take(records, None if is_full else self._learn)
        reasons = {
            index: problem_text(int(fields.problems[index]), int(fields.places[index]))
            for index in np.flatnonzero(fields.problems).tolist()
        }
        columns = {name: fields.columns[self._tree.slot(steps)] for name, steps in self._own.items()} | above
        unknown = {name: fields.columns[self._tree.slot((name,))] for name in self._kept}
        return Rows(records, columns, unknown, reasons, numbers, ordinals, lambda index: self._above(above, index))

    def _learn(self, name: bytes) -> None:
        text = name.decode("utf-8", "backslashreplace")
        kept = self._drift(text)
        (self._kept if kept else self.left_out).append(text)
        self._tree.learn(name, (text,) if kept else None)

    def _above(self, columns: dict[str, Spans], index: int) -> str | None:
        """The fields of what encloses a record that its columns need, as a JSON object."""
        if not columns:
            return None
        found: dict[str, object] = {}
        for name, column in columns.items():
            if column.has_value[index]:
                *steps, last = self._outer[name]
                place = found
                for step in steps:
                    place = place.setdefault(step, {})  # type: ignore[assignment]
                place[last] = column.quoted.raw(index).decode()
        return _json(found)


def _json(value: object) -> str:
    """An object of raw JSON texts, as JSON."""
    if isinstance(value, str):
        return value
    assert isinstance(value, dict)  # noqa: S101
    return "{" + ", ".join(f"{json.dumps(name)}: {_json(item)}" for name, item in value.items()) + "}"


def _steps(path: str) -> tuple[str, ...]:
    """Names on the way to a value, or to the list that it is in."""
    return tuple(path.split("[]")[0].split("."))


def _broken(documents: Spans, found: Found, first: int, records: Records) -> Iterator[Rejection]:
    """Documents that can't be read; blank lines between those of JSON lines are none."""
    problems = (found.problems != 0) & ~((found.problems == BLANK) & (records == Records()))
    for index in np.flatnonzero(problems).tolist():
        reason = problem_text(int(found.problems[index]), int(found.places[index]))
        yield Rejection(reason, documents.raw(index), records=records, number=index + first)


def _broken_above(found: Found, fields: Fields, lists: Spans, records: Records, first: int) -> Iterator[Rejection]:
    """Records that should enclose others, but can't be read, or have none where there must be some."""
    usable = lists.are_of(ARRAY, OBJECT)
    if not records.above:
        usable |= 1 - lists.has_value
    for index in np.flatnonzero((fields.problems != 0) | (usable == 0)).tolist():
        problem = int(fields.problems[index]) or NO_RECORDS
        reason = problem_text(problem, int(fields.places[index]))
        number = int(found.documents[index]) + first
        yield Rejection(reason, found.records.raw(index), records=replace(records, within=""), number=number)
