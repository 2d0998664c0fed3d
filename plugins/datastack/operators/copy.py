"""Moves a conformed slice from the lake into the warehouse."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_dataset, run_ref
from datastack.warehouse.load import raw_schema

if TYPE_CHECKING:
    from datastack.lake.store import LakeStore
    from datastack.warehouse.load import Load, Outcome


class LoadingOperator(StreamOperator):
    """Base of operators that load the warehouse."""

    def load_manifest(self, lake: "LakeStore", key: str, context: Any) -> dict[str, Any]:
        """Load what a manifest names; return status, load id and rows."""
        from datastack.operators.movement import copy_manifest

        manifest = lake.read_manifest(key)
        self._manifests = (*self._manifests, manifest)
        stream = self.declared.source.streams[self.stream]
        uri = connections.postgres_uri(connections.LOADER)
        return self.told(*copy_manifest(lake, self.contract, stream, key, manifest, uri, run_ref(context)))

    def told(self, load: "Load", outcome: "Outcome") -> dict[str, Any]:
        """Log what came of a load; return status, load id and rows."""
        self.log.info("%s: %s, %d rows, load %d", load, outcome.status, outcome.loaded_rows, outcome.load_id)
        for change in outcome.changes:
            self.log.warning("%s: %s", load, change)
        for step, seconds in outcome.seconds.items():
            self.log.info("%s: %s took %.2f s", load, step, seconds)
        return {"status": outcome.status.value, "load_id": outcome.load_id, "rows": outcome.loaded_rows}

    def warehouse_dataset(self) -> tuple[str, str]:
        """Lineage name of the raw table."""
        return connections.postgres_table(connections.LOADER, raw_schema(self.source), self.stream)


class CopyOperator(LoadingOperator):
    """Loads a slice in one transaction, or each of several. Returns status, load id and rows, or a list of them.

    :param manifest_key: what the extract or conform task returned: a key, or a list of them, which are loaded in this
        order. What an earlier try has loaded of them is found loaded.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "manifest_key")

    def __init__(self, *, manifest_key: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest_key = manifest_key

    def execute(self, context: Any) -> dict[str, Any] | list[dict[str, Any]]:
        """Copy the slice, or the slices."""
        lake = connections.lake_store()
        if isinstance(self.manifest_key, str):
            return self.load_manifest(lake, self.manifest_key, context)
        return [self.load_manifest(lake, key, context) for key in self.manifest_key]

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in the lake, and its raw table."""
        lake, schema = lake_dataset(self, Zone.CONFORMED), self.contract.arrow_schema
        table = datasets.written_to(self.warehouse_dataset(), *self.moved, schema, lake)
        return [datasets.read_from(lake, schema)], [table]
