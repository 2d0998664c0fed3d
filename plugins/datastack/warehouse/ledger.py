"""The ledger's entries about loads, written in the loads' own transactions (tables: include/sql/ops/ledger.sql)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datastack.contract.slice import Slice
from datastack.contract.sql import sql
from datastack.warehouse.load import Load
from datastack.warehouse.transaction import transaction


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


def lock(db: Any, load: Load) -> None:
    """Wait until no other load of the stream is under way; held to the end of the transaction."""
    name = f"datastack.{load.contract.source}.{load.contract.stream}"
    db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", (name,))
    db.fetchall()


def find(db: Any, load: Load) -> int | None:
    """Id of the load of this very manifest, if it was committed before."""
    if load.content is None:
        return None
    db.execute("select load_id from ops.loads where manifest_digest = $1", (load.content.manifest_digest,))
    row = db.fetchone()
    return row[0] if row else None


def has_newer_snapshot(db: Any, load: Load) -> bool:
    """Whether a snapshot that was extracted later is loaded already."""
    db.execute(sql("ops/newer_snapshot"), (load.contract.source, load.contract.stream, *_age(load)))
    return db.fetchone() is not None


def newer_overlap(db: Any, load: Load) -> Slice | None:
    """Slice of a load that was extracted later and shares time with this one; one that covers it, if there is one."""
    bounds = (*_age(load), load.slice.start, load.slice.end)
    db.execute(sql("ops/newer_overlap"), (load.contract.source, load.contract.stream, *bounds))
    row = db.fetchone()
    return Slice(*row) if row else None


def partial_overlap(db: Any, load: Load) -> Slice | None:
    """Slice of a load that shares time with this one, but goes beyond it."""
    bounds = (load.slice.start, load.slice.end)
    db.execute(sql("ops/partial_overlap"), (load.contract.source, load.contract.stream, *bounds))
    row = db.fetchone()
    return Slice(*row) if row else None


def _age(load: Load) -> tuple[datetime, str]:
    """What tells which of two attempts is the later one; the key decides between those of the same microsecond."""
    return load.extracted_at, load.manifest_key


def record(db: Any, load: Load, loaded_rows: int, compared_keys: int | None) -> int:
    """Write the load, its quarantine and the watermark; return the load's id.

    :param compared_keys: keys of the source that deletes were found by; None if they were not compared.
    """
    contract, content = load.contract, load.sealed
    values = (
        contract.source,
        contract.stream,
        load.slice.start,
        load.slice.end,
        load.stream.write.value,
        contract.version,
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
    )
    db.execute(sql("ops/insert_load"), values)
    load_id: int = db.fetchone()[0]
    for part in content.quarantined:
        db.execute(sql("ops/insert_quarantine"), (load_id, part.part_key, part.rows, json.dumps(part.reasons)))
    kind = load.contract_type(load.stream.cursor or "") or "text"
    state = (contract.source, contract.stream, load.slice.end, load_id, content.cursor_high)
    db.execute(sql("ops/upsert_watermark", type=kind), state)
    return load_id
