"""Rows that did not fit, as they are kept: with the reason, as received, and where they were found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from datastack.contract.received import Records

KIND = b"kind"  # metadata of the schema: what the rows are, as in Received, or "unreadable"
SCHEMA = pa.schema(
    [
        pa.field("reason", pa.string()),
        pa.field("row", pa.string()),  # as received: its own JSON text, its line, or its columns as a JSON object
        pa.field("raw", pa.binary()),  # the same, where that is not UTF-8 and `row` but a likeness
        pa.field("above", pa.string()),  # of what encloses the row, the fields that it needs (`^`), as a JSON object
        pa.field("records", pa.string()),  # where records stand in it, as JSON, if it is not a single record
        pa.field("object", pa.string()),  # key of the object in the lake that it came in
        pa.field("number", pa.int64()),  # of its row, line or document in there, from 1 on
        pa.field("record", pa.int64()),  # of its record in that document, from 1 on
    ]
)


@dataclass
class Rejection:
    """One row that did not fit. See :data:`SCHEMA`."""

    reason: str
    row: bytes | str
    above: str | None = None
    records: Records | None = None
    object: str | None = None
    number: int | None = None
    record: int | None = None


def rejected(rows: Sequence[Rejection], kind: str, received: pa.RecordBatch | None = None) -> pa.RecordBatch:
    """Rows as a batch.

    :param kind: ``typed``, ``texts``, ``documents``, or ``unreadable`` for what is no row at all.
    :param received: the same rows in the columns that they were received in, where those were typed or texts; they
        become the column ``received``.
    """
    fields, arrays = list(SCHEMA), _columns(rows)
    if received is not None:
        struct = pa.StructArray.from_arrays(received.columns, fields=list(received.schema))
        fields.append(pa.field("received", struct.type))
        arrays.append(struct)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, {KIND: kind.encode()}))


def _columns(rows: Sequence[Rejection]) -> list[pa.Array]:
    if not rows:  # not by pa.array, which imports pandas: most tasks need neither
        return [pa.nulls(0, field.type) for field in SCHEMA]
    texts = [_text(row.row) for row in rows]
    values: Mapping[str, list[object]] = {
        "reason": [row.reason for row in rows],
        "row": [text for text, _ in texts],
        "raw": [raw for _, raw in texts],
        "above": [row.above for row in rows],
        "records": [None if row.records is None else json.dumps(asdict(row.records)) for row in rows],
        "object": [row.object for row in rows],
        "number": [row.number for row in rows],
        "record": [row.record for row in rows],
    }
    return [pa.array(values[field.name], field.type) for field in SCHEMA]


def _text(row: bytes | str) -> tuple[str, bytes | None]:
    """Text of a row, and its bytes if the text is not the same."""
    try:
        if isinstance(row, str):
            row.encode()
            return row, None
        return row.decode(), None
    except UnicodeError:
        raw = row.encode("utf-8", "surrogatepass") if isinstance(row, str) else row
        return raw.decode("utf-8", "backslashreplace"), raw
