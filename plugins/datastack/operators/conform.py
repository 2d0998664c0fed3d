"""Moves a landed slice on to the conformed zone."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from datastack.contract.api_sources import ApiStream
from datastack.contract.conform import Conformer
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_dataset, lake_output, manifest_of


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
        from datastack.operators.conforming import store_conformed
        from datastack.source.rest_api import dig

        lake = connections.lake_store()
        landed = lake.read_manifest(self.manifest_key)
        place = self.place(landed.slice)
        stream = self.declared.source.streams[self.stream]
        assert isinstance(stream, ApiStream)  # noqa: S101 the pipeline chooses by kind
        conformer = Conformer(self.contract, connections.pseudonymiser())
        pages = (json.loads(body, parse_float=Decimal) for body in read_lines(lake, landed.parts))
        received = (conformer.records(dig(page, stream.records)) for page in pages)
        written = store_conformed(lake, place, conformer, received).model_copy(update={"source_rows": landed.rows})
        return self.store(lake, Zone.CONFORMED, place, manifest_of(self.contract, place, written, landed.extracted_at))

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The stream in both zones."""
        landing = lake_dataset(self, Zone.LANDING)
        return [datasets.read_from(landing)], [lake_output(self, Zone.CONFORMED, self.contract.arrow_schema, landing)]
