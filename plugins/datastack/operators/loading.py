"""Describes to the warehouse what the lake holds of a slice."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from datastack.contract.model import Contract
from datastack.contract.sources import Stream
from datastack.contract.types import arrow_type
from datastack.lake.manifest import Manifest, Part
from datastack.lake.store import LakeStore
from datastack.warehouse.load import Content, Load, Quarantined, RunRef


def rows_schema(columns: Mapping[str, str]) -> pa.Schema | None:
    """Arrow schema of rows whose columns have these contract types; None if there are no rows."""
    return pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()]) if columns else None


def load_of(contract: Contract, stream: Stream, lake: LakeStore, key: str, manifest: Manifest, run: RunRef) -> Load:
    """Load of a manifest."""
    return Load(
        contract=contract,
        stream=stream,
        slice=manifest.slice,
        attempt=manifest.attempt,
        manifest_key=key,
        extracted_at=manifest.extracted_at,
        run=run,
        rows_schema=rows_schema(manifest.columns),
        evolved=manifest.evolved,
        content=content_of(lake, manifest),
        delivered=manifest.delivered,
        conformed_at=manifest.conformed_at,
    )


def content_of(lake: LakeStore, manifest: Manifest) -> Content:
    """What a manifest says, for the ledger."""
    return Content(
        manifest_digest=manifest.digest,
        source_rows=manifest.source_rows,
        lake_rows=manifest.rows,
        bytes=manifest.size,
        checksum=None if manifest.checksum is None else str(manifest.checksum),
        cursor_high=manifest.cursor_high,
        contract_version=manifest.contract_version,
        quarantined=tuple(_quarantined(lake, part) for part in manifest.quarantine),
    )


def _quarantined(lake: LakeStore, part: Part) -> Quarantined:
    reasons = pq.read_table(pa.BufferReader(lake.read_part(part)), columns=["reason"]).column("reason").to_pylist()
    return Quarantined(part.key, part.rows, dict(Counter(reasons)))
