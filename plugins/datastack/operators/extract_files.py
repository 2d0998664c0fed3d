"""Lands files that others deliver."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from datastack.contract.file_sources import Delivery, FileSource
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import StreamOperator, lake_output
from datastack.operators.window import given, window

if TYPE_CHECKING:
    from datastack.operators.arrivals import Reach
    from datastack.operators.file_landing import Landed


class FilesOperator(StreamOperator):
    """Base of operators that look into a store of files."""

    @property
    def file_source(self) -> FileSource:
        """The store, as it is declared."""
        source = self.declared.source
        assert isinstance(source, FileSource)  # noqa: S101 the pipeline chooses by kind
        return source

    @property
    def delivery(self) -> Delivery:
        """Which files the stream takes."""
        return self.file_source.streams[self.stream]

    def reach(self, context: Any) -> "Reach":
        """Which windows the run looks at."""
        from datastack.operators.arrivals import Reach

        return Reach(window(context, self.file_source.schedule), given=given(context) is not None)

    @contextmanager
    def explained(self, context: Any) -> Iterator[None]:
        """Say in every error what was being taken and what is kept."""
        from datastack.source.errors import SourceError

        what = f"{self.source}.{self.stream} {window(context, self.file_source.schedule)}"
        try:
            yield
        except (SourceError, OSError) as error:
            kind = SourceError if isinstance(error, SourceError) else OSError
            kept = "files that have landed are kept: the next try does not copy them again"
            raise kind(f"{what}: {error}. Nothing was loaded; {kept}") from error

    def told(self, landed: "Landed") -> "Landed":
        """Log what came of a file."""
        self._manifests = (*self._manifests, landed.manifest)
        [part] = landed.manifest.parts
        how = "landed" if landed.is_new else "had landed before"
        delivered = part.delivered.key if part.delivered else part.key
        self.log.info("%s for %s %s: %d bytes, %s", delivered, landed.manifest.slice, how, part.bytes, part.key)
        return landed

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The folder, and the stream in the landing zone."""
        return [datasets.read_from(self.folder_dataset())], [lake_output(self, Zone.LANDING)]

    def folder_dataset(self) -> tuple[str, str]:
        """Lineage name of the source's folder."""
        return connections.folder_name(self.file_source)


class ExtractFilesOperator(FilesOperator):
    """Lands the files that are new, each untouched. Returns a list of keys of landing manifests, one a file.

    A run takes files of its window and earlier ones; with ``window_start`` and ``window_end`` given, those of that
    window only. With the param ``reload``, files that are loaded are taken again. If there is nothing new, the task is
    skipped, and so is what follows it.
    """

    def execute(self, context: Any) -> list[str]:
        """Land what the run takes."""
        from datastack.operators.arrivals import listed, taken
        from datastack.operators.file_landing import FileLanding
        from datastack.source.errors import SourceError
        from datastack.warehouse.ledger import loaded_objects

        source, stream, reach = self.file_source, self.delivery, self.reach(context)
        uri, again = connections.postgres_uri(connections.LOADER), bool(context["params"].get("reload"))
        known = {} if again else loaded_objects(uri, self.source, self.stream)
        with self.explained(context), connections.file_store(source) as store:
            found = listed(store, source, stream, reach)
            if again and len(found) > stream.max_files:
                raise SourceError(
                    f"reload would take {len(found)} files, and a run takes max_files, {stream.max_files}, at most. "
                    "Give a smaller window by window_start and window_end"
                )
            files = taken(store, source, stream, found, known)
            landing = FileLanding(connections.lake_store(), self.contract, store, known)
            keys = [self.told(landed).key for landed in landing.land(files)]
        if not keys:
            raise AirflowSkipException(f"{self.source}.{self.stream} {reach.window}: nothing new in {source.folder}")
        return keys
