"""Lands what an API answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from datastack.contract.api_sources import ApiSource, Endpoint
from datastack.contract.registry import source_function
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_output
from datastack.operators.window import window

if TYPE_CHECKING:
    from datastack.contract.slice import Slice


class ExtractApiOperator(StreamOperator):
    """Lands a stream's pages for the slice, exactly as received. Returns the key of the landing manifest.

    :param parent_manifest_key: what the extract task of the parent returned, for a child endpoint.
    """

    template_fields: Sequence[str] = (*StreamOperator.template_fields, "parent_manifest_key")

    def __init__(self, *, parent_manifest_key: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parent_manifest_key = parent_manifest_key

    def execute(self, context: Any) -> str:
        """Land the run's slice."""
        from datastack.lake.checkpoint import PagesCheckpoint
        from datastack.operators.landing import Landing
        from datastack.source.rest.api import RestApi

        lake, ti = connections.lake_store(), context["ti"]
        slice_ = window(context, self._source.schedule)
        checkpoint = PagesCheckpoint(lake, self.source, self.stream, slice_, f"{ti.dag_id}/{ti.run_id}")
        address, credentials = connections.api(self._source.connection)
        landing = Landing(
            lake=lake,
            contract=self.contract,
            source=self._source,
            address=address,
            window=slice_,
            checkpoint=checkpoint,
            file=source_function(self.source),
            parent_manifest=self.parent_manifest_key,
        )
        with self._explained(slice_), RestApi(self._source, address, credentials) as api:
            manifest = landing.land(api)
        place = self.attempt_place(slice_, manifest.attempt)
        key = self.store(lake, Zone.LANDING, place, manifest)
        checkpoint.end()
        return key

    @contextmanager
    def _explained(self, slice_: "Slice") -> Iterator[None]:
        """Say in every error what was being read and what is kept."""
        from datastack.source.errors import SourceError
        from datastack.source.rest.errors import ContradictionError

        what = f"{self.source}.{self.stream} {slice_}"
        try:
            yield
        except ContradictionError as error:
            raise SourceError(f"{what}: {error}. Nothing was loaded; the next try reads the slice anew") from error
        except (SourceError, OSError) as error:
            kind = SourceError if isinstance(error, SourceError) else OSError
            kept = "pages that have landed are kept: the next try goes on from there, if it can"
            raise kind(f"{what}: {error}. Nothing was loaded; {kept}") from error

    @property
    def _source(self) -> ApiSource:
        source = self.declared.source
        assert isinstance(source, ApiSource)  # noqa: S101 the pipeline chooses by kind
        return source

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The endpoint, what its parent has landed, and the stream in the landing zone."""
        stream = self._source.endpoints[self.stream]
        path = stream.path if isinstance(stream, Endpoint) else f"/{self.stream}"
        address, _ = connections.api(self._source.connection)
        inputs = [datasets.read_from(datasets.api_name(address, path))]
        if stream.parent:
            bucket, parent = connections.lake_bucket(Zone.LANDING), stream.parent.stream
            major = self.declared.contracts[parent].major
            name = datasets.lake_name(bucket, Zone.LANDING, self.source, parent, major)
            inputs.append(datasets.read_from(name))
        return inputs, [lake_output(self, Zone.LANDING)]
