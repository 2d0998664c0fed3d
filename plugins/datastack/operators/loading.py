"""Describes to the warehouse what the lake holds of a slice."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.contract.sources import Stream
from datastack.contract.types import arrow_type
from datastack.lake.manifest import Manifest, Part
from datastack.lake.store import LakeStore
from datastack.warehouse.load import Content, Load, Quarantined, RunRef


def new_load(
    contract: Contract,
    stream: Stream,
    window: Slice,
    attempt: str,
    key: str,
    extracted_at: datetime,
    run: RunRef,
    columns: Mapping[str, str],
    evolved: Mapping[str, str],
) -> Load:
    """Load of an attempt whose manifest is yet to be written.

    :param columns: contract types of its rows' columns; empty if there are no rows.
    """
    return Load(
        contract=contract,
        stream=stream,
        slice=window,
        attempt=attempt,
        manifest_key=key,
        extracted_at=extracted_at,
        run=run,
        rows_schema=pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()]) if columns else None,
        evolved=evolved,
    )


def load_of(contract: Contract, stream: Stream, lake: LakeStore, key: str, manifest: Manifest, run: RunRef) -> Load:
    """Load of a manifest."""
    load = new_load(
        contract,
        stream,
        manifest.slice,
        manifest.attempt,
        key,
        manifest.extracted_at,
        run,
        manifest.columns,
        manifest.evolved,
    )
    load.seal(content_of(lake, manifest))
    return load


def content_of(lake: LakeStore, manifest: Manifest) -> Content:
    """What a manifest says, for the ledger."""
    return Content(
        manifest_digest=manifest.digest,
        source_rows=manifest.source_rows,
        lake_rows=manifest.rows,
        bytes=manifest.size,
        checksum=None if manifest.checksum is None else str(manifest.checksum),
        cursor_high=manifest.cursor_high,
        quarantined=tuple(_quarantined(lake, part) for part in manifest.quarantine),
    )


def _quarantined(lake: LakeStore, part: Part) -> Quarantined:
    reasons = pq.read_table(pa.BufferReader(lake.read_part(part)), columns=["reason"]).column("reason").to_pylist()
    return Quarantined(part.key, part.rows, dict(Counter(reasons)))
