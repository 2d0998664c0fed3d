"""Moves a conformed slice from the lake into the warehouse."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_dataset, run_ref
from datastack.warehouse.load import Load, Quarantined, raw_schema

if TYPE_CHECKING:
    from datastack.lake.manifest import Part
    from datastack.lake.store import LakeStore


class CopyOperator(StreamOperator):
    """Loads a slice in one transaction. Returns status, load id and rows.

    :param manifest_key: what the extract or conform task returned.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "manifest_key")

    def __init__(self, *, manifest_key: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest_key = manifest_key

    def execute(self, context: Any) -> dict[str, Any]:
        """Copy the slice."""
        from datastack.lake.parts import read_batches
        from datastack.warehouse import postgres

        lake = connections.lake_store()
        self._manifest = manifest = lake.read_manifest(self.manifest_key)
        load = Load(
            contract=self.contract,
            stream=self.declared.source.streams[self.stream],
            slice=manifest.slice,
            attempt=manifest.attempt,
            manifest_key=self.manifest_key,
            manifest_digest=manifest.digest,
            extracted_at=manifest.extracted_at,
            source_rows=manifest.source_rows,
            lake_rows=manifest.rows,
            bytes=manifest.size,
            run=run_ref(context),
            quarantined=tuple(_quarantined(lake, part) for part in manifest.quarantine),
        )
        batches = read_batches(lake, manifest.parts, self.contract.arrow_schema)
        outcome = postgres.copy(connections.postgres_uri(connections.LOADER), load, batches)
        self.log.info("%s: %s, %d rows, load %d", load, outcome.status, outcome.loaded_rows, outcome.load_id)
        return {"status": outcome.status.value, "load_id": outcome.load_id, "rows": outcome.loaded_rows}

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in the lake, and its raw table."""
        lake = lake_dataset(self, Zone.CONFORMED)
        table = connections.postgres_table(connections.LOADER, raw_schema(self.source), self.stream)
        schema = self.contract.arrow_schema
        return [datasets.read_from(lake, schema)], [datasets.written_to(table, *self.moved, schema, lake)]


def _quarantined(lake: "LakeStore", part: "Part") -> Quarantined:
    import io

    import pyarrow.parquet as pq

    reasons = pq.read_table(io.BytesIO(lake.read_part(part)), columns=["reason"]).column("reason").to_pylist()
    return Quarantined(part.key, part.rows, dict(Counter(reasons)))
