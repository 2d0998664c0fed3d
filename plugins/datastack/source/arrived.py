"""Makes what ConnectorX gave into values that a contract's types can be made of, without loss."""

from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from datastack.source.bounds import Kind
from datastack.source.dialects import Selected
from datastack.source.naive import text_to_utc

_MIDNIGHT = r"[ T]00:00(:00(\.0+)?)?$"
_UTC = ZoneInfo("UTC")


def as_wanted(batch: pa.RecordBatch, column: Selected, zone: ZoneInfo | None) -> pa.Array:
    """Values of one column, so that the contract's type can be made of each, or its text tells why not.

    :param zone: time zone of naive timestamps.
    """
    values, kind, wanted = _whole(batch, column), column.rule.kind, column.wanted or ""
    if column.rule.is_hex:
        values = pa.array(
            [None if value is None else bytes.fromhex(value) for value in values.to_pylist()], pa.binary()
        )
    if kind is Kind.TEXT and wanted != "bytea" and pa.types.is_large_binary(values.type):
        values = _text(values)
    if wanted.startswith("numeric") and not pa.types.is_string(values.type):
        return values.cast(pa.string())  # of a double its shortest form: what does not fit the scale is not rounded
    if not pa.types.is_string(values.type):
        return values
    if wanted == "timestamptz":
        known = _UTC if kind is Kind.INSTANT else zone
        return text_to_utc(values, known) if known else values
    if wanted == "date":
        return pc.replace_substring_regex(values, _MIDNIGHT, "")
    if kind is Kind.INSTANT and wanted != "timestamp":
        return pc.binary_join_element_wise(values, pa.scalar("Z"), "")
    return values


def _whole(batch: pa.RecordBatch, column: Selected) -> pa.Array:
    values = batch.column(column.alias)
    if column.rest is None:
        return values
    rest = batch.column(column.rest_alias)
    if rest.null_count == len(rest):
        return values
    return pc.coalesce(values.cast(pa.string()), rest)


def _text(values: pa.Array) -> pa.Array:
    """Texts with a binary collation arrive as bytes; what is no UTF-8 stays so, for the contract to judge."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return values
