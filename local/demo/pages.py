"""Rows that are rendered as JSON once, and cut into pages many times."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.responses import Response


class JsonRows:
    """Rows as JSON objects in one Arrow string array: a few MB where dicts would take a few hundred.

    :param rows: one JSON object a row.
    """

    def __init__(self, rows: pa.StringArray) -> None:
        self._rows = rows

    @classmethod
    def of_table(cls, table: pa.Table) -> "JsonRows":
        """Render a table of integers, dates, UTC timestamps (to the second) and texts that need no escape."""
        parts: list[Any] = []
        for place, name in enumerate(table.column_names):
            quote = "" if pa.types.is_integer(table[name].type) else '"'
            parts += [f'{"," if place else "{"}"{name}":{quote}', _text(table[name]), quote]
        rows = pc.binary_join_element_wise(*parts, "}", "")
        return cls(rows.combine_chunks())

    @classmethod
    def of_objects(cls, objects: Iterable[dict[str, Any]]) -> "JsonRows":
        """Render a few objects, nested as they may be."""
        return cls(pa.array((json.dumps(one, separators=(",", ":")) for one in objects), pa.string()))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def page(self, start: int, stop: int, **envelope: object) -> bytes:
        """Render `{"data": [rows start to stop], **envelope}`; rows that don't exist are left out."""
        rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in envelope.items())
        return b'{"data":%s%s}' % (self.listed(start, stop), rest.encode())

    def listed(self, start: int, stop: int) -> bytes:
        """Render `[rows start to stop]`; rows that don't exist are left out."""
        count = max(min(stop, len(self)) - start, 0)
        data = ",".join(self._rows.slice(start, count).to_pylist()) if count else ""
        return f"[{data}]".encode()


def as_json(content: bytes) -> Response:
    """Answer with what is JSON already."""
    return Response(content, media_type="application/json")


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("s", tz="UTC")), "%Y-%m-%dT%H:%M:%SZ")
    return column.cast(pa.string())
