"""Moves a landed slice on to the conformed zone."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from datastack.contract.conform import REJECTED_SCHEMA, Conformer
from datastack.contract.sources import ApiStream
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, Written, lake_dataset, lake_output


class ConformOperator(StreamOperator):
    """Makes landed pages fit their contract. Returns the key of the conformed manifest.

    :param manifest_key: what the extract task returned.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "manifest_key")

    def __init__(self, *, manifest_key: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest_key = manifest_key

    def execute(self, context: Any) -> str:
        """Conform the landed slice."""
        from datastack.lake.parts import ParquetParts, read_lines
        from datastack.source.rest_api import dig

        lake, written = connections.lake_store(), Written()
        landed = lake.read_manifest(self.manifest_key)
        place = self.place(landed.slice)
        conformer = Conformer(self.contract, connections.pseudonymiser())
        stream = self.declared.source.streams[self.stream]
        assert isinstance(stream, ApiStream)  # noqa: S101 the pipeline chooses by kind
        with (
            ParquetParts(lake, place, Zone.CONFORMED, self.contract.arrow_schema) as good,
            ParquetParts(lake, place, Zone.QUARANTINE, REJECTED_SCHEMA) as bad,
        ):
            for body in read_lines(lake, landed.parts):
                conformed = conformer.records(dig(json.loads(body, parse_float=Decimal), stream.records))
                good.write(conformed.accepted)
                written.keep(conformed.rejected, bad)
        written.extracted_at = landed.extracted_at
        written.source_rows, written.parts, written.quarantine = landed.rows, good.parts, bad.parts
        written.columns = {field.name: str(field.type) for field in self.contract.arrow_schema}
        written.discarded = conformer.discarded
        self._written = written
        return self.store(lake, Zone.CONFORMED, place, written)

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in both zones."""
        landing = lake_dataset(self, Zone.LANDING)
        return [datasets.read_from(landing)], [lake_output(self, Zone.CONFORMED, self.contract.arrow_schema, landing)]
