"""The ledger's entries about loads, written in the loads' own transactions (tables: include/sql/ops/ledger.sql)."""

import json
from typing import Any

from datastack.contract.slice import Slice
from datastack.warehouse.load import Load
from datastack.warehouse.sql import sql


def lock(db: Any, load: Load) -> None:
    """Wait until no other load of the stream is under way; held to the end of the transaction."""
    name = f"datastack.{load.contract.source}.{load.contract.stream}"
    db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", (name,))
    db.fetchall()


def find(db: Any, load: Load) -> int | None:
    """Id of the load of this very manifest, if it was committed before."""
    db.execute("select load_id from ops.loads where manifest_digest = $1", (load.manifest_digest,))
    row = db.fetchone()
    return row[0] if row else None


def has_newer_snapshot(db: Any, load: Load) -> bool:
    """Whether a snapshot that was extracted later is loaded already."""
    db.execute(sql("ops/newer_snapshot"), (load.contract.source, load.contract.stream, load.extracted_at))
    return db.fetchone() is not None


def newer_overlap(db: Any, load: Load) -> Slice | None:
    """Slice of a load that was extracted later and shares time with this one; one that covers it, if there is one."""
    bounds = (load.extracted_at, load.slice.start, load.slice.end)
    db.execute(sql("ops/newer_overlap"), (load.contract.source, load.contract.stream, *bounds))
    row = db.fetchone()
    return Slice(*row) if row else None


def record(db: Any, load: Load, loaded_rows: int) -> int:
    """Write the load, its quarantine and the watermark; return the load's id."""
    contract = load.contract
    values = (
        contract.source,
        contract.stream,
        load.slice.start,
        load.slice.end,
        load.stream.write.value,
        contract.version,
        load.manifest_key,
        load.manifest_digest,
        load.extracted_at,
        load.source_rows,
        load.lake_rows,
        loaded_rows,
        sum(part.rows for part in load.quarantined),
        load.bytes,
        load.run.dag_id,
        load.run.run_id,
        load.run.try_number,
    )
    db.execute(sql("ops/insert_load"), values)
    load_id: int = db.fetchone()[0]
    for part in load.quarantined:
        db.execute(sql("ops/insert_quarantine"), (load_id, part.part_key, part.rows, json.dumps(part.reasons)))
    db.execute(sql("ops/upsert_watermark"), (contract.source, contract.stream, load.slice.end, load_id))
    return load_id
