"""Moves a table's slice through the lake into the warehouse, both ways at the same time."""

from functools import partial
from typing import TYPE_CHECKING, Any

from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.copy import LoadingOperator
from datastack.operators.extract_database import DatabaseOperator
from datastack.operators.stream import lake_dataset, lake_output, run_ref

if TYPE_CHECKING:
    from datastack.lake.checkpoint import Checkpoint
    from datastack.lake.store import LakeStore


class MoveDatabaseOperator(DatabaseOperator, LoadingOperator):
    """Reads a table's slice into the lake and loads it on the way.

    Rows commit when all stand in the lake, the manifest is written and all counts agree. A retry reads only the chunks
    that are missing, and loads the others from the lake; if all have landed, it only loads. Returns status, load id and
    rows.
    """

    def execute(self, context: Any) -> dict[str, Any]:
        """Move the run's slice."""
        lake = connections.lake_store()
        with self.explained(lake, context):
            checkpoint = self.checkpoint(lake, context)
            outcome = self._moved(lake, checkpoint, context)
            checkpoint.end()
        return outcome

    def _moved(self, lake: "LakeStore", checkpoint: "Checkpoint", context: Any) -> dict[str, Any]:
        from datastack.operators.movement import move

        if key := self._landed(lake, checkpoint, context):
            self.log.info("an earlier try has landed the slice: %s is loaded", key)
            return self.load_manifest(lake, key, context)
        with self.extraction(lake, context) as (extraction, table):
            uri, store = connections.postgres_uri(connections.LOADER), partial(self.store, lake, Zone.CONFORMED)
            return self.told(*move(extraction, table, uri, run_ref(context), partial(store, extraction.place)))

    def _landed(self, lake: "LakeStore", checkpoint: "Checkpoint", context: Any) -> str | None:
        """Key of the manifest that an earlier try wrote and did not load."""
        plan = self.plan_of(checkpoint)
        if plan is None:
            return None
        key = self.attempt_place(self.window(context), plan.attempt).manifest(Zone.CONFORMED)
        return key if lake.exists(key) else None

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The source's table, the stream in the lake, and the raw table."""
        table, schema = self.source_dataset(), self.contract.arrow_schema
        lake = lake_dataset(self, Zone.CONFORMED)
        raw = datasets.written_to(self.warehouse_dataset(), *self.moved, schema, lake)
        return [datasets.read_from(table, schema)], [lake_output(self, Zone.CONFORMED, schema, table), raw]
