"""Moves a landed slice on to the conformed zone."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from datastack.contract.conform import Conformer
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
        from datastack.lake.parts import read_lines
        from datastack.source.rest_api import dig

        lake, written = connections.lake_store(), Written()
        landed = lake.read_manifest(self.manifest_key)
        place = self.place(landed.slice)
        stream = self.declared.source.streams[self.stream]
        assert isinstance(stream, ApiStream)  # noqa: S101 the pipeline chooses by kind
        written.source_rows, written.extracted_at = landed.rows, landed.extracted_at
        pages = (json.loads(body, parse_float=Decimal) for body in read_lines(lake, landed.parts))
        self.conform(lake, place, written, (dig(page, stream.records) for page in pages), Conformer.records)
        return self.store(lake, Zone.CONFORMED, place, written)

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in both zones."""
        landing = lake_dataset(self, Zone.LANDING)
        return [datasets.read_from(landing)], [lake_output(self, Zone.CONFORMED, self.contract.arrow_schema, landing)]
