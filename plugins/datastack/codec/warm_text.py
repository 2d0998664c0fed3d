"""Compiles the kernels that read JSON and text, see :mod:`datastack.codec.warm`."""

import numpy as np
import pyarrow as pa

from datastack.codec import parse
from datastack.codec.json_records import items_of, split, suspects, unstorable
from datastack.codec.json_tree import FieldTree
from datastack.codec.spans import copied, spans_of
from datastack.codec.text_numbers import are_identities

_DOCUMENT = b'{"list": [{"n": 1, "t": "2026-01-01", "a": [1], "e": "\\u0041", "b": true, "o": {"x": null}}]}'


def compile_readers() -> None:
    """Find the records of a document, take fields out, and read them as every type."""
    offsets = pa.py_buffer(np.array([0, len(_DOCUMENT)], np.int32))
    documents = spans_of(pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(_DOCUMENT)]))
    suspects(documents)
    found = split(documents, "list")
    tree = FieldTree([("n",), ("t",), ("a",), ("e",), ("o", "x")])
    columns = tree.take(found.records, lambda name: tree.learn(name, None)).columns
    for column in columns:
        copied(column, column.has_value)
        items_of(column)
        unstorable(column)
        are_identities(column.data, column.starts, column.ends, column.has_value, column.has_value)
        parse.booleans(column)
        for width in (pa.int16(), pa.int32(), pa.int64()):
            parse.whole_numbers(column, width)
        parse.decimals(column, pa.decimal128(12, 2))
        parse.floats(column, pa.float64())
        parse.dates(column)
        parse.times(column, pa.time64("us"))
        parse.moments(column, pa.timestamp("us"))
        parse.moments(column, pa.timestamp("us", "UTC"))
