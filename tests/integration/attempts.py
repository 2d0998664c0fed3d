"""Attempts at slices of made-up streams, loaded into the real warehouse without a source or a lake."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa

from datastack.contract.database_sources import DatabaseStream
from datastack.contract.delivered import Delivered
from datastack.contract.model import Column, Contract, Drift
from datastack.contract.slice import Slice
from datastack.contract.sources import MissingKeys, SoftDelete, Write
from datastack.warehouse import postgres
from datastack.warehouse.load import Content, Load, Outcome, Quarantined, RunRef
from tests.integration.harness import Stack

NAME = "things"
TABLE = f"raw_retail_db.{NAME}"
EPOCH = datetime(2019, 11, 1, tzinfo=UTC)
SOFT, FLAGGED, MISSING = (
    SoftDelete(by="column", column="removed_at"),
    SoftDelete(by="column", column="removed"),
    MissingKeys(by="key"),
)
_numbers = count()


def at(hours: float) -> datetime:
    """Return a moment, in hours from the start of it all."""
    return EPOCH + timedelta(hours=hours)


def column(name: str, type_: str, required: bool = False, key: int | None = None) -> Column:
    """Make a column."""
    return Column(name=name, type=type_, description="d", path=name, required=required, key_position=key)


KEYED = (column("id", "bigint", True, 1), column("at", "timestamptz", True), column("v", "text"))


def contract(columns: Sequence[Column] = KEYED, version: str = "1.0.0", drift: Drift = Drift.DISCARD) -> Contract:
    """Make a contract of the stream."""
    return Contract(
        source="retail_db", stream=NAME, version=version, description="d", grain="g", owner="o",
        columns=tuple(columns), minimum_rows=1, drift=drift, file="things.odcs.yaml",
    )  # fmt: skip


def stream(write: Write, **more: Any) -> DatabaseStream:
    """Declare the stream."""
    return DatabaseStream(table="public.things", write=write, cursor=None if write is Write.REPLACE else "at", **more)


def attempt(
    how: DatabaseStream,
    extracted: float,
    rows: Iterable[Sequence[Any]],
    *,
    window: tuple[float, float] = (0, 24),
    of: Contract | None = None,
    **more: Any,
) -> tuple[Load, pa.RecordBatch]:
    """Make an attempt that was extracted at an hour: rows in the order of the columns, times in hours.

    ``rejected`` are sizes of its quarantined parts.
    """
    of = of or contract()
    schema = more.get("rows_schema") or of.arrow_schema
    records = [dict(zip(schema.names, map(_value, row, schema.types), strict=True)) for row in rows]
    batch = pa.RecordBatch.from_pylist(records, schema=schema)
    digest = hashlib.sha256(f"{next(_numbers)}".encode()).hexdigest()
    said = {name: more.pop(name) for name in ("cursor_high", "checksum") if name in more}
    rejected = tuple(Quarantined(f"{digest}/{n}", size, {"r": size}) for n, size in enumerate(more.pop("rejected", ())))
    total = len(records) + sum(part.rows for part in rejected)
    content = Content(digest, total, len(records), 1, quarantined=rejected, **said)
    load = Load(
        contract=of, stream=how, slice=Slice(*map(at, window)), attempt=digest[:12], manifest_key=digest,
        extracted_at=at(extracted), run=RunRef("d", "r", 1), content=content, **more,
    )  # fmt: skip
    return load, batch


def _value(value: Any, type_: pa.DataType) -> Any:
    return at(value) if pa.types.is_timestamp(type_) and isinstance(value, int | float) else value


def uri(stack: Stack) -> str:
    """Address of the warehouse as the loader."""
    return stack.warehouse.uri("warehouse", "loader", stack.servers.secrets["PG_LOADER_PASSWORD"])


def copy(stack: Stack, made: tuple[Load, pa.RecordBatch], keys: Iterable[int] | None = None) -> Outcome:
    """Load an attempt, with the keys that the source has, if they are compared."""
    load, batch = made
    listed = None
    if keys is not None:
        field = load.contract.arrow_schema.field("id")
        listed = [pa.RecordBatch.from_arrays([pa.array(list(keys), field.type)], schema=pa.schema([field]))]
    return postgres.copy(uri(stack), load, [batch], listed)


def delivered(key: str, version: str, modified: float) -> Delivered:
    """Describe a version of a file, modified at an hour."""
    return Delivered(key=key, etag=version, modified_at=at(modified), bytes=1)


def forget(stack: Stack) -> None:
    """Drop the stream's tables and empty the ledger."""
    with stack.warehouse.connect("warehouse") as db:
        db.execute(f"drop table if exists {TABLE}, raw_retail_db._{NAME}_keys cascade")
        db.execute("truncate ops.loads cascade")


def rows(stack: Stack, columns: str = "*") -> list[tuple[Any, ...]]:
    """Rows of the raw table, in order."""
    return stack.rows(f"select made.* from (select {columns} from {TABLE}) as made order by made")


def whole(stack: Stack) -> list[tuple[Any, ...]]:
    """Rows of the raw table with all columns of ours, and for the load the attempt that it was of."""
    names = f"""
        select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute
        where attrelid = '{TABLE}'::regclass and attnum > 0 and attname <> '_load_id' and not attisdropped
    """
    attempt_of = "(select manifest_key from ops.loads as loads where loads.load_id = _load_id)"
    return rows(stack, f"{stack.one(names)}, {attempt_of}")


def again(made: tuple[Load, pa.RecordBatch]) -> tuple[Load, pa.RecordBatch]:
    """Return the same rows, read at the same time, in another attempt."""
    digest = hashlib.sha256(f"{next(_numbers)}".encode()).hexdigest()
    content = replace(made[0].sealed, manifest_digest=digest)
    return replace(made[0], attempt=digest[:12], manifest_key=digest, content=content), made[1]


def types(stack: Stack) -> dict[str, str]:
    """Types of the raw table's columns, without ours."""
    query = f"""
        select attname::text, format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
        from pg_attribute where attrelid = '{TABLE}'::regclass and attnum > 0 and attname not like '\\_%'
    """
    return dict(stack.rows(query))
