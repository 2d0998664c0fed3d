"""Lands what an API answers."""

from datetime import UTC, datetime
from typing import Any

from datastack.contract.api_sources import ApiSource, ApiStream
from datastack.lake.layout import Zone
from datastack.lake.manifest import Written
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_output, manifest_of
from datastack.operators.window import window


class ExtractApiOperator(StreamOperator):
    """Lands an endpoint's pages for the slice, exactly as received. Returns the key of the landing manifest."""

    def execute(self, context: Any) -> str:
        """Land the run's slice."""
        from datastack.lake.parts import LinesParts
        from datastack.source.errors import SourceError

        lake, extracted_at = connections.lake_store(), datetime.now(UTC)
        place = self.place(window(context, self.declared.source.schedule))
        stated: set[int] = set()
        records = 0
        with self._api() as api, LinesParts(lake, place) as out:
            for page in api.pages(self._stream, place.slice):
                out.write(page.body, page.rows)
                records += page.rows
                stated |= {page.total} - {None}
        if self._stream.total and stated != {records}:
            raise SourceError(
                f"{self._stream.path} {place.slice}: pages carried {records} records, but the API states "
                f"{sorted(stated)} in all: the list changed while it was read. Nothing was stored; the retry reads anew"
            )
        written = Written(source_rows=records, parts=tuple(out.parts))
        return self.store(lake, Zone.LANDING, place, manifest_of(self.contract, place, written, extracted_at))

    @property
    def _source(self) -> ApiSource:
        source = self.declared.source
        assert isinstance(source, ApiSource)  # noqa: S101 the pipeline chooses by kind
        return source

    @property
    def _stream(self) -> ApiStream:
        return self._source.streams[self.stream]

    def _api(self) -> Any:
        from datastack.source.rest_api import RestApi

        conn = connections.connection(self._source.connection)
        return RestApi(self._source, conn.host or "", conn.login or "", conn.password or "")

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The endpoint, and the stream in the landing zone."""
        endpoint = datasets.api_name(connections.connection(self._source.connection).host or "", self._stream.path)
        return [datasets.read_from(endpoint)], [lake_output(self, Zone.LANDING)]
