"""How a column of a Postgres table is read: which values travel exactly as they are, and which as text.

The rule: what Arrow has an equal of travels in binary form. Everything else (intervals, ranges, network addresses,
composite types, enums, geometry, json, numerics without a fixed scale, arrays of anything) travels as text, as a cast
gives it, arrays that the contract wants as ``text[]`` element by element. A contract may want any type as text.
"""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.codec.decode import Field
from datastack.contract.sql import identifier
from datastack.contract.types import arrow_type
from datastack.source.errors import SourceError

_BINARY: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "name": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "jsonb": pa.json_(),
}
_TEXT = ("text", "varchar", "bpchar", "name")


@dataclass(frozen=True)
class TableColumn:
    """A column as the catalogue has it; a domain stands as its base type. ``precision`` only for fixed numerics."""

    name: str
    type: str
    is_required: bool
    precision: int | None = None
    scale: int | None = None


def literal(value: str) -> str:
    """Quote a text."""
    return "'" + value.replace("'", "''") + "'"


def readable(column: TableColumn, wanted: str | None, zone: ZoneInfo | None) -> tuple[str, Field]:
    """Return the SQL that reads a column, and what comes of it.

    :param wanted: the contract's type; None for a column that it does not know.
    :param zone: time zone of naive timestamps.
    :raises SourceError: if a naive timestamp is wanted as a moment and no zone is declared.
    """
    name = identifier(column.name)
    if column.type == "timestamp" and wanted == "timestamptz":
        declared(column.name, zone)  # values become moments on arrival, see PostgresTable
    if wanted == "text[]":
        plain = column.type == "_text"
        return name if plain else f"{name}::text[]", Field(column.name, pa.list_(pa.string()))
    if column.type == "numeric" and (decimal := _decimal(column, wanted)):
        return name, Field(column.name, decimal)
    if column.type in _BINARY and (wanted != "text" or column.type in _TEXT):
        return name, Field(column.name, _BINARY[column.type], is_jsonb=column.type == "jsonb")
    return f"{name}::text", Field(column.name, pa.string())


def declared(column: str, zone: ZoneInfo | None) -> ZoneInfo:
    """Return the zone of a naive timestamp.

    :raises SourceError: if none is declared.
    """
    if zone is None:
        raise SourceError(
            f"column {column} has no time zone, but is wanted as timestamptz: say which zone it is in by a line "
            "`timezone: Europe/Amsterdam` (or UTC) in the source file, or declare it as timestamp in the contract"
        )
    return zone


def _decimal(column: TableColumn, wanted: str | None) -> pa.DataType | None:
    """Type of a numeric that travels as decimal: the contract's, or the table's own where no contract knows it."""
    if wanted is None:
        fits = column.precision is not None and column.scale is not None and 0 <= column.scale <= column.precision <= 38
        return pa.decimal128(column.precision, column.scale) if fits else None
    return arrow_type(wanted) if re.match(r"numeric\(", wanted) else None
