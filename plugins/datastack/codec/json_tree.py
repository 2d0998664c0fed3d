"""Takes declared fields out of the records of JSON documents, as spans."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datastack.codec import json_fields, json_kinds
from datastack.codec.json_kinds import DEEPEST, LONGEST_NAME
from datastack.codec.spans import Spans


@dataclass
class Fields:
    """Fields of a batch of records: a column each, by slot; problem of each record and its place in it."""

    columns: list[Spans]
    problems: np.ndarray
    places: np.ndarray


Out = tuple[np.ndarray, np.ndarray, np.ndarray]  # starts, ends and kinds, each by slot and record
Unknown = Callable[[bytes], None]


class FieldTree:
    """Takes the same fields out of batches of records.

    :param paths: names of each field from the record on, as ``("a", "b")``; their numbers are their slots. None of them
        is the beginning of another, but for those of the same path.
    """

    def __init__(self, paths: Sequence[tuple[str, ...]]) -> None:
        self._names: list[bytes] = [b""]
        self._parents, self._slots = [0], [-1]
        self._spans: list[tuple[int, int]] = [(0, 0)]
        self._nodes: dict[tuple[int, bytes], int] = {}
        self._slot_of: dict[tuple[str, ...], int] = {}
        self._stamp = np.zeros(1, np.int64)
        self._seen, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._stack, self._scratch = np.empty(DEEPEST + 1, np.uint8), np.empty(LONGEST_NAME, np.uint8)
        self._open = np.zeros(DEEPEST + 1, np.int64)
        self._slot_count = 0
        self._place([(path, ()) for path in dict.fromkeys(paths)], 0)
        self._pack()

    def slot(self, path: tuple[str, ...]) -> int:
        """Slot of a path."""
        return self._slot_of[path]

    def _place(self, paths: list[tuple[tuple[str, ...], tuple[str, ...]]], parent: int) -> None:
        """Number nodes and slots so that the slots below a node are neighbours."""
        for name in dict.fromkeys(path[0] for path, _ in paths):
            node = self._add(parent, name.encode())
            below = [(path[1:], (*before, name)) for path, before in paths if path[0] == name]
            if ends := [before for path, before in below if not path]:
                self._slots[node] = self._slot_of[ends[0]] = self._new_slot()
            first = self._slot_count
            self._place([each for each in below if each[0]], node)
            self._spans[node] = (first, self._slot_count)

    def _new_slot(self) -> int:
        self._slot_count += 1
        return self._slot_count - 1

    def _add(self, parent: int, name: bytes) -> int:
        node = self._nodes[parent, name] = len(self._names)
        self._names.append(name)
        self._parents.append(parent)
        self._slots.append(-1)
        self._spans.append((0, 0))
        return node

    def learn(self, name: bytes, path: tuple[str, ...] | None) -> None:
        """Know another name on the top level.

        :param path: what its values are asked for by; None if they are only counted.
        """
        node = self._add(0, name)
        if path is not None:
            self._slots[node] = self._slot_of[path] = self._new_slot()
        self._pack()

    def _pack(self) -> None:
        count = len(self._names)
        grown = np.zeros(count, np.int64)
        seen, counts = grown.copy(), grown.copy()
        seen[: len(self._seen)], counts[: len(self._counts)] = self._seen, self._counts
        self._seen, self._counts = seen, counts
        self._usual = np.full(2 * count, -1, np.int64)
        size = 16
        while size < 4 * count:
            size *= 2
        self._table = np.full(size, -1, np.int64)
        for node in range(1, count):
            name = np.frombuffer(self._names[node], np.uint8)
            place = json_fields.place_of(self._parents[node], name, 0, len(name), size - 1)
            while self._table[place] >= 0:
                place = (place + 1) & (size - 1)
            self._table[place] = node
        self._packed = (
            np.frombuffer(b"".join(self._names), np.uint8),
            np.cumsum([0, *map(len, self._names)]),
            np.array(self._parents, np.int64),
            np.array(self._slots, np.int64),
            np.array([low for low, _ in self._spans], np.int64),
            np.array([high for _, high in self._spans], np.int64),
        )

    def count_of(self, name: bytes) -> int:
        """How many records had a name of the top level."""
        return int(self._counts[self._nodes[0, name]])

    def take(self, records: Spans, unknown: Unknown | None = None) -> Fields:
        """Take the fields of records, and check all of each record; one with a problem has no fields.

        :param unknown: is asked to :meth:`learn` a name of the top level that is not known; without it, such names are
            passed over.
        """
        rows = len(records)
        problems, where = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        out = self._out(rows)
        done = 0
        while True:
            arguments: tuple[Any, ...] = (
                records.data, records.starts, records.ends, done, *self._state(unknown is None), *out, problems, where,
            )  # fmt: skip
            done = json_fields.take_fields(*arguments)
            if done == rows:
                break
            assert unknown  # noqa: S101 the kernel stops for it only
            unknown(_name(records.data, where[done], problems[done]))
            out = self._grown(out)
        out[2][:, problems != 0] = json_kinds.MISSING
        return Fields(_columns(records.data, out, rows), problems, where - records.starts)

    def _out(self, rows: int) -> Out:
        starts, ends = (np.zeros((self._slot_count, rows), np.int64) for _ in range(2))
        return starts, ends, np.zeros((self._slot_count, rows), np.uint8)

    def _grown(self, out: Out) -> Out:
        starts, ends, kinds = (_grown(each, self._slot_count) for each in out)
        return starts, ends, kinds

    def _state(self, closed: bool) -> tuple[Any, ...]:
        """What kernels know of the tree."""
        return (
            *self._packed, self._table, self._usual, self._seen, self._counts, self._stamp, closed, self._open,
            self._stack, self._scratch,
        )  # fmt: skip


def _columns(data: np.ndarray, out: Out, rows: int) -> list[Spans]:
    return [Spans(data, *(each[:rows] for each in slot)) for slot in zip(*out, strict=True)]


def _grown(array: np.ndarray, slots: int) -> np.ndarray:
    if len(array) == slots:
        return array
    grown = np.zeros((slots, array.shape[1]), array.dtype)
    grown[: len(array)] = array
    return grown


def _name(data: np.ndarray, start: int, length: int) -> bytes:
    """A name without its escapes, as the kernel compares it."""
    text = data[start : start + length].tobytes()
    if b"\\" not in text or len(text) > LONGEST_NAME:
        return text
    return json.loads(b'"' + text + b'"').encode("utf-8", "replace")
