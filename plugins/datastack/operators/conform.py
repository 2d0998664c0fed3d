"""Moves landed slices on to the conformed zone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datastack.contract.api_sources import ApiStream
from datastack.lake.layout import Zone
from datastack.lake.manifest import manifest_of
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_dataset, lake_output

if TYPE_CHECKING:
    from datastack.lake.manifest import Manifest, Written
    from datastack.lake.store import LakeStore


class ConformError(ValueError):
    """What was landed and what was found in it differ."""


class ConformOperator(StreamOperator):
    """Makes what was landed fit its contract. Returns the key of the conformed manifest, or a list of them.

    It may be done again at any time, as with a new version of the contract: each time is a new attempt at the slice.

    :param manifest_key: what the extract task returned: the key of a landing manifest, or a list of them. For a child
        table, that of the stream that it is in.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "manifest_key")

    def __init__(self, *, manifest_key: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest_key = manifest_key

    def execute(self, context: Any) -> str | list[str]:
        """Conform the landed slice, or each of several."""
        lake = connections.lake_store()
        if isinstance(self.manifest_key, str):
            return self._conform(lake, self.manifest_key)
        return [self._conform(lake, key) for key in self.manifest_key]

    def _conform(self, lake: "LakeStore", key: str) -> str:
        from datastack.contract.conform import Conformer
        from datastack.operators.conforming import store_conformed
        from datastack.operators.received import conformed, received

        landed = lake.read_manifest(key)
        place = self.place(landed.slice)
        conformer = Conformer(self.contract, connections.pseudonymiser())
        with conformed(conformer, received(lake, landed, self.declared, self.stream)) as rows:
            written = store_conformed(lake, place, conformer, rows, landing=key)
        self._reconcile(key, landed, written)
        manifest = manifest_of(self.contract, place, written, landed.extracted_at, landed=(key, landed))
        return self.store(lake, Zone.CONFORMED, place, manifest)

    def _reconcile(self, key: str, landed: "Manifest", written: "Written") -> None:
        """See that all records were found that an API's pages were counted to have; files are counted only here."""
        if isinstance(self.declared.source.streams[self.stream], ApiStream) and written.source_rows != landed.rows:
            raise ConformError(
                f"{self.source}.{self.stream} {landed.slice}: {landed.rows} records were landed, but "
                f"{written.source_rows} were found in {key}. Nothing was stored. Does `records` in the source file say "
                "where they stand now, as it did when they were landed? Correct it and clear this task, or clear the "
                "extract task as well"
            )

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in both zones."""
        landing = lake_dataset(self, Zone.LANDING)
        return [datasets.read_from(landing)], [lake_output(self, Zone.CONFORMED, self.contract.arrow_schema, landing)]
