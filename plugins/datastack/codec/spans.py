"""A column of values that still stand as text where they were received, and texts made of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datastack.codec import json_text
from datastack.codec.buffers import validity
from datastack.codec.json_kinds import ESCAPED, MISSING, NULL, STRING, TEXT

SHOWN = 60  # characters of a value that are shown to people


@dataclass(frozen=True)
class Spans:
    """Values between ``starts`` and ``ends`` in the bytes ``data``; ``kinds`` are those of ``json_scan``.

    Strings of JSON stand without their quotes, but with their escapes.
    """

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, indices: np.ndarray) -> "Spans":
        """Some of the values, perhaps several times."""
        return Spans(self.data, self.starts[indices], self.ends[indices], self.kinds[indices])

    @property
    def has_value(self) -> np.ndarray:
        """A byte a value: 0 if it is missing or null."""
        return self.are_of(*(kind for kind in range(TEXT + 1) if kind not in (MISSING, NULL)))

    def are_of(self, *kinds: int) -> np.ndarray:
        """A byte a value: 1 if it is of one of these kinds."""
        found = np.zeros(256, np.uint8)
        found[list(kinds)] = 1
        return found[self.kinds]

    @property
    def quoted(self) -> "Spans":
        """The same as JSON: strings with their quotes."""
        quotes = self.are_of(STRING, ESCAPED).astype(np.int64)
        return Spans(self.data, self.starts - quotes, self.ends + quotes, self.kinds)

    @property
    def plain(self) -> "Spans":
        """The same values without escapes."""
        if not np.any(self.kinds == ESCAPED):
            return self
        texts, _ = copied(self, self.has_value)
        _, offsets, data = texts.buffers()
        places = np.frombuffer(offsets, np.int32).astype(np.int64)
        kinds = np.where(self.kinds == ESCAPED, np.uint8(STRING), self.kinds)
        return Spans(_bytes(data), places[:-1], places[1:], kinds)

    def shown(self, index: int) -> str:
        """The beginning of one value, for people."""
        start, end = int(self.starts[index]), int(self.ends[index])
        return self.data[start : min(end, start + 4 * SHOWN)].tobytes().decode("utf-8", "replace")[:SHOWN]

    def raw(self, index: int) -> bytes:
        """All bytes of one value."""
        return self.data[int(self.starts[index]) : int(self.ends[index])].tobytes()


def spans_of(array: pa.Array) -> Spans:
    """Texts, in an Arrow array of strings or bytes, as values of the kind ``TEXT``."""
    _, offsets, data = array.buffers()
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    places = np.frombuffer(offsets, np.int64 if large else np.int32)
    places = places[array.offset : array.offset + len(array) + 1].astype(np.int64)
    kinds = np.where(validity(array) != 0, np.uint8(TEXT), np.uint8(NULL))
    return Spans(_bytes(data), places[:-1], places[1:], kinds)


def _bytes(data: pa.Buffer | None) -> np.ndarray:
    """Bytes that can't be written to: kernels would be compiled once more for others."""
    content = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    content.flags.writeable = False
    return content


def copied(spans: Spans, valid: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Texts of values as Arrow strings, and the problem of each that holds what UTF-8 or a warehouse does not.

    :param valid: a byte a value: 0 makes it null.
    """
    size = int(((spans.ends - spans.starts) * valid).sum())
    out, offsets = np.empty(size, np.uint8), np.empty(len(spans) + 1, np.int32)
    problems = np.zeros(len(spans), np.uint8)
    used = json_text.copy_texts(spans.data, spans.starts, spans.ends, spans.kinds, valid, out, offsets, problems)
    return strings(out[:used], offsets, valid), problems


def strings(data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, type_: pa.DataType | None = None) -> pa.Array:
    """Texts one behind the other as Arrow strings, or bytes."""
    buffers = [bits(valid), pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(type_ or pa.string(), len(valid), buffers)


def fixed_width(type_: pa.DataType, values: np.ndarray, valid: np.ndarray) -> pa.Array:
    """Numbers as an Arrow array of a type of their width."""
    return pa.Array.from_buffers(type_, len(valid), [bits(valid), pa.py_buffer(values)])


def bits(valid: np.ndarray) -> pa.Buffer | None:
    """Arrow's validity bitmap; None if all values are valid."""
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
