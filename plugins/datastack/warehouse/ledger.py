"""The ledger's entries about loads, written in the loads' own transactions (tables: include/sql/ops/ledger.sql)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datastack.contract.delivered import Delivered
from datastack.contract.slice import Slice
from datastack.contract.sources import Write
from datastack.contract.sql import sql
from datastack.warehouse.load import Load
from datastack.warehouse.transaction import transaction

_OVERLAPS = "slice_start < $9::timestamptz and slice_end > $8::timestamptz"


@dataclass(frozen=True)
class Watermark:
    """How far a stream is loaded: the latest end of a slice, and the highest cursor value, as text, where known."""

    slice_end: datetime
    cursor_high: str | None


def watermark(uri: str, source: str, stream: str) -> Watermark | None:
    """Ask how far a stream is loaded; None if nothing of it ever was.

    :param uri: libpq address of the warehouse.
    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading the watermark of {source}.{stream}") as db:
        db.execute(sql("ops/watermark"), (source, stream))
        row = db.fetchone()
    return Watermark(*row) if row else None


def loaded_objects(uri: str, source: str, stream: str) -> dict[str, str]:
    """Ask which files of a stream are loaded: keys, each with the etag of the newest version that was loaded.

    :param uri: libpq address of the warehouse.
    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading which files of {source}.{stream} are loaded") as db:
        db.execute(sql("ops/loaded_objects"), (source, stream))
        return dict(db.fetchall())


@dataclass(frozen=True)
class OpenPart:
    """A part of rows that were set aside and can be replayed.

    ``load_id``, ``slice``, ``extracted_at`` and ``delivered`` are those of the load which read the rows from their
    source; ``contract_version`` is what they did not fit last.
    """

    quarantine_id: int
    part_key: str
    rows: int
    load_id: int
    slice: Slice
    extracted_at: datetime
    contract_version: str
    delivered: Delivered | None


def open_quarantine(uri: str, source: str, stream: str) -> list[OpenPart]:
    """Ask which quarantined parts of a stream can be replayed, oldest first.

    Those of a slice, file or snapshot that was loaded anew can't: what they hold was read again.

    :param uri: libpq address of the warehouse.
    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading the quarantine of {source}.{stream}") as db:
        db.execute(sql("ops/open_quarantine"), (source, stream))
        return [_open_part(*row) for row in db.fetchall()]


def _open_part(
    quarantine_id: int,
    part_key: str,
    rows: int,
    load_id: int,
    start: datetime,
    end: datetime,
    extracted_at: datetime,
    version: str,
    key: str | None,
    etag: str,
    modified_at: datetime,
    size: int,
) -> OpenPart:
    delivered = Delivered(key=key, etag=etag, modified_at=modified_at, bytes=size) if key is not None else None
    return OpenPart(quarantine_id, part_key, rows, load_id, Slice(start, end), extracted_at, version, delivered)


def lock(db: Any, load: Load) -> None:
    """Wait until no other load of the stream is under way; held to the end of the transaction."""
    lock_stream(db, load.contract.source, load.contract.stream)


def lock_stream(db: Any, source: str, stream: str) -> None:
    """Wait until no load of a stream is under way, and let none begin before the transaction ends."""
    name = f"datastack.{source}.{stream}"
    db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", (name,))
    db.fetchall()


def find(db: Any, load: Load) -> int | None:
    """Id of the load of this very manifest, if it was committed before."""
    if load.content is None:
        return None
    db.execute("select load_id from ops.loads where manifest_digest = $1", (load.content.manifest_digest,))
    row = db.fetchone()
    return row[0] if row else None


def new_id(db: Any) -> int:
    """Draw the id that the load's rows carry from now on."""
    db.execute("select nextval(pg_get_serial_sequence('ops.loads', 'load_id'))")
    return int(db.fetchone()[0])


def newer(db: Any, load: Load) -> Slice | None:
    """Slice of a load of newer rows where these would go; one that covers theirs, if there is one.

    Newer is what was delivered later, or else read later, or else conformed later.
    """
    object_ = load.delivered
    if load.stream.write is Write.REPLACE:
        where = "write_disposition = 'replace'"
    elif load.stream.write is Write.APPEND:
        where = "object_key = $5::text" if object_ else f"object_key is null and {_OVERLAPS}"
    else:
        where = _OVERLAPS
    values = (
        load.contract.source,
        load.contract.stream,
        object_.modified_at if object_ else load.extracted_at,
        load.extracted_at,
        object_.key if object_ else None,
        object_.etag if object_ else None,
        load.conformed_at or load.extracted_at,
        load.slice.start,
        load.slice.end,
    )
    db.execute(sql("ops/newer_load", where=where), values)
    row = db.fetchone()
    return Slice(*row) if row else None


def partial_overlap(db: Any, load: Load) -> Slice | None:
    """Slice of a load that shares time with this one, but goes beyond it."""
    bounds = (load.slice.start, load.slice.end)
    db.execute(sql("ops/partial_overlap"), (load.contract.source, load.contract.stream, *bounds))
    row = db.fetchone()
    return Slice(*row) if row else None


def record(
    db: Any,
    load: Load,
    load_id: int,
    loaded_rows: int,
    *,
    compared_keys: int | None = None,
    superseded: bool = False,
) -> None:
    """Write the load, its quarantine and, unless its rows are replayed, the watermark.

    :param compared_keys: keys of the source that deletes were found by; None if they were not compared.
    :param superseded: whether nothing of it was loaded, as newer rows are in place.
    """
    contract, content, object_ = load.contract, load.sealed, load.delivered
    values = (
        load_id,
        contract.source,
        contract.stream,
        load.slice.start,
        load.slice.end,
        load.stream.write.value,
        content.contract_version or contract.version,
        load.manifest_key,
        content.manifest_digest,
        load.extracted_at,
        content.source_rows,
        content.lake_rows,
        loaded_rows,
        sum(part.rows for part in content.quarantined),
        content.bytes,
        load.run.dag_id,
        load.run.run_id,
        load.run.try_number,
        content.checksum,
        compared_keys,
        object_.key if object_ else None,
        object_.etag if object_ else None,
        object_.modified_at if object_ else None,
        object_.bytes if object_ else None,
        load.conformed_at,
        load.replay_of,
        superseded,
    )
    db.execute(sql("ops/insert_load"), values)
    for part in content.quarantined:
        db.execute(sql("ops/insert_quarantine"), (load_id, part.part_key, part.rows, json.dumps(part.reasons)))
    if load.replay_of is None:
        kind = load.contract_type(load.stream.cursor or "") or "text"
        state = (contract.source, contract.stream, load.slice.end, load_id, content.cursor_high)
        db.execute(sql("ops/upsert_watermark", type=kind), state)
