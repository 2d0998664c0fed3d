"""Brings rows that were set aside into the warehouse, once what they did not fit was mended: exactly once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from datastack.contract.sql import sql
from datastack.warehouse import ledger
from datastack.warehouse.load import Load, Outcome, Status, WarehouseError
from datastack.warehouse.postgres import enter, rows_of
from datastack.warehouse.rows import blaming
from datastack.warehouse.transaction import transaction


def replay(uri: str, load: Load, quarantine_ids: Sequence[int], batches: Iterable[pa.RecordBatch]) -> Outcome:
    """Bring parts that were set aside into their raw table, beside what their load brought, or not at all.

    Rows, ledger and quarantine commit together. The watermark stays. The outcome says *already loaded* if the parts
    were replayed before, and *superseded* if their slice, file or snapshot was loaded anew, which brought what is
    right of it: then they are not asked for again.

    :param uri: libpq address of the warehouse, as the loader role.
    :param load: the attempt that conformed the parts anew, all of the same load, with its slice, file and reading time.
    :param batches: the rows that fit now, with the load's Arrow schema; read only if there is something to do.
    :raises WarehouseError: if the warehouse fails, the counts differ, or a part of the slice was loaded anew. Nothing
        was changed then.
    """
    rows = rows_of(load, batches)
    with blaming(rows), transaction(uri, f"replaying quarantined rows of {load}") as db:
        ledger.lock(db, load)
        db.execute(sql("ops/quarantine_states"), (load.contract.source, load.contract.stream, list(quarantine_ids)))
        parts = [_Part(*row) for row in db.fetchall()]
        origin = _origin(load, quarantine_ids, parts)
        if (known := {part.replay_load_id for part in parts}) != {None}:
            return _replayed(load, known)
        if not all(part.stands for part in parts):
            db.execute(
                "update ops.quarantine set superseded_at = now() where quarantine_id = any($1)", (quarantine_ids,)
            )
            return Outcome(Status.SUPERSEDED, origin, 0)
        _fits(load, parts)
        outcome = enter(db, replace(load, replay_of=origin), rows)
        db.execute(sql("ops/mark_replayed"), (outcome.load_id, list(quarantine_ids)))
        return outcome


@dataclass(frozen=True)
class _Part:
    """What the ledger says of a part under the stream's lock."""

    rows: int
    replay_load_id: int | None
    origin: int
    stands: bool
    is_cut: bool
    slice_start: datetime
    slice_end: datetime
    extracted_at: datetime
    object_key: str | None
    object_etag: str | None


def _origin(load: Load, quarantine_ids: Sequence[int], parts: list[_Part]) -> int:
    """Id of the load that the parts belong to."""
    origins = {part.origin for part in parts}
    if len(parts) != len(set(quarantine_ids)) or len(origins) != 1:
        raise WarehouseError(
            f"replaying quarantined rows of {load}: of the parts {sorted(quarantine_ids)} the ledger has {len(parts)}, "
            f"of the loads {sorted(origins)}. Nothing was changed; replay parts of one load of this stream"
        )
    return origins.pop()


def _replayed(load: Load, load_ids: set[int | None]) -> Outcome:
    """What to say of parts that were replayed."""
    if len(load_ids) == 1 and (load_id := load_ids.pop()) is not None:
        return Outcome(Status.ALREADY_LOADED, load_id, 0)
    raise WarehouseError(
        f"replaying quarantined rows of {load}: some of these parts were replayed before, by loads "
        f"{sorted(filter(None, load_ids))}. Nothing was changed; replay the others only"
    )


def _fits(load: Load, parts: list[_Part]) -> None:
    """Make sure that the attempt is of these parts.

    :raises WarehouseError: if it is not, or if a later load has taken the place of some of their slice's rows.
    """
    part, rows = parts[0], sum(part.rows for part in parts)
    if part.is_cut:
        raise WarehouseError(
            f"replaying quarantined rows of {load}: a part of the slice was loaded anew since, and nothing tells which "
            "of these rows that has brought. Nothing was changed; load the slice anew as a whole"
        )
    found = load.delivered
    told = (load.slice.start, load.slice.end, load.extracted_at, found and found.key, found and found.etag)
    known = (part.slice_start, part.slice_end, part.extracted_at, part.object_key, part.object_etag)
    if load.sealed.source_rows != rows or told != known:
        raise WarehouseError(
            f"replaying quarantined rows of {load}: {load.manifest_key} is not made of these parts: it has "
            f"{load.sealed.source_rows} rows of {told}, they have {rows} rows of {known}. Nothing was changed"
        )
