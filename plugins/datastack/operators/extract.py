"""Moves a slice from its source to the lake."""

from typing import Any

from datastack.contract.conform import Conformer
from datastack.contract.slice import Slice
from datastack.contract.sources import ApiSource, ApiStream, DatabaseStream, Write
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, Written, lake_output
from datastack.operators.window import window


class ExtractDatabaseOperator(StreamOperator):
    """Reads a table's slice from one snapshot and writes it, conformed, as Parquet.

    Returns the key of the manifest. A retry writes a new attempt; what an unfinished one left is named nowhere.
    """

    def execute(self, context: Any) -> str:
        """Extract the run's slice."""
        from datastack.source.postgres import read_table

        stream = self._stream
        lake, written = connections.lake_store(), Written()
        place = self.place(window(context, self.declared.source.schedule))
        paths = [column.path for column in self.contract.columns]
        uri = connections.postgres_uri(self.declared.source.connection)
        with read_table(uri, stream.table, paths, _condition(stream, place.slice)) as read:
            written.source_rows = read.rows
            self.conform(lake, place, written, read.batches, Conformer.batch)
        return self.store(lake, Zone.CONFORMED, place, written)

    @property
    def _stream(self) -> DatabaseStream:
        stream = self.declared.source.streams[self.stream]
        assert isinstance(stream, DatabaseStream)  # noqa: S101 the pipeline chooses by kind
        return stream

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The table, and the stream in the lake."""
        conn_id, schema = self.declared.source.connection, self.contract.arrow_schema
        table = connections.postgres_table(conn_id, *self._stream.table.split("."))
        return [datasets.read_from(table, schema)], [lake_output(self, Zone.CONFORMED, schema, table)]


def _condition(stream: DatabaseStream, window: Slice) -> str | None:
    """Which rows a slice stands for.

    A row that is merged leaves its slice when it changes again, so a merging slice reads from its start on, without
    an end: the newest version wins whichever slice brings it, and none falls between an old slice and a new one.
    """
    from datastack.source.postgres import between

    if stream.cursor is None or stream.write is Write.REPLACE:
        return None
    return between(stream.cursor, window.start, None if stream.write is Write.MERGE else window.end)


class ExtractApiOperator(StreamOperator):
    """Lands an endpoint's pages for the slice, exactly as received. Returns the key of the landing manifest."""

    def execute(self, context: Any) -> str:
        """Land the run's slice."""
        from datastack.lake.parts import LinesParts
        from datastack.source.errors import SourceError

        lake, written = connections.lake_store(), Written()
        place = self.place(window(context, self.declared.source.schedule))
        stated: set[int] = set()
        with self._api() as api, LinesParts(lake, place) as out:
            for page in api.pages(self._stream, place.slice):
                out.write(page.body, page.rows)
                written.source_rows += page.rows
                stated |= {page.total} - {None}
        if self._stream.total and stated != {written.source_rows}:
            raise SourceError(
                f"{self._stream.path} {place.slice}: pages carried {written.source_rows} records, but the API states "
                f"{sorted(stated)} in all: the list changed while it was read. Nothing was stored; the retry reads anew"
            )
        written.parts = out.parts
        return self.store(lake, Zone.LANDING, place, written)

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
