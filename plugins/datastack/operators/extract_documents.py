"""Keeps documents as they are, and a row on each."""

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from datastack.contract.file_sources import DocumentStream
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.extract_files import FilesOperator
from datastack.operators.stream import lake_dataset, lake_output
from datastack.operators.window import window

if TYPE_CHECKING:
    from datastack.operators.arrivals import Arrived


class ExtractDocumentsOperator(FilesOperator):
    """Lists all documents, lands those that are new or changed, each untouched, and writes a row on each of them.

    Returns the key of the conformed manifest: the rows, and the keys of all documents, by which deleted ones are found.
    If nothing is new, changed or deleted, the task is skipped, and so is what follows it.
    """

    def execute(self, context: Any) -> str:
        """Land what is new."""
        from datastack.operators.arrivals import everything, taken
        from datastack.operators.document_rows import DocumentRows
        from datastack.operators.file_landing import FileLanding
        from datastack.warehouse.known_documents import known_documents

        source, stream, lake = self.file_source, self._stream, connections.lake_store()
        place = self.place(window(context, source.schedule))
        known = known_documents(connections.postgres_uri(connections.LOADER), self.source, self.stream)
        with self.explained(context), connections.file_store(source) as store:
            found = everything(store, stream)
            self._see_any(found, known)
            there = {} if context["params"].get("reload") else known
            files = taken(store, source, stream, found, there)
            keys = [each.delivered.key for each in found] if stream.deletes else None
            if not files and (keys is None or set(keys) == set(known)):
                raise AirflowSkipException(f"{self.source}.{self.stream}: nothing new in {source.folder}")
            landed = [self.told(each) for each in FileLanding(lake, self.contract, store, there).land(files)]
            rows = DocumentRows(lake, self.contract, connections.pseudonymiser(), place)
            manifest = rows.write(store, landed, keys)
        self._manifests = ()  # rows count from here on
        return self.store(lake, Zone.CONFORMED, place, manifest)

    def _see_any(self, found: "list[Arrived]", known: dict[str, str]) -> None:
        """Refuse to take an empty listing for the truth: more often the folder is another one, or was not mounted."""
        from datastack.source.errors import SourceError

        if not found and known and self._stream.deletes and not self._stream.allow_empty:
            raise SourceError(
                f"there is no document like {self._stream.files!r} in {self.file_source.folder} any more, and "
                f"{len(known)} are known: all would count as deleted. If they are, declare allow_empty: true"
            )

    @property
    def _stream(self) -> DocumentStream:
        stream = self.delivery
        assert isinstance(stream, DocumentStream)  # noqa: S101 the pipeline chooses by format
        return stream

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The folder, its copy in the landing zone, and the rows on it."""
        schema = self.contract.arrow_schema
        landing = datasets.written_to(lake_dataset(self, Zone.LANDING), 0)
        return [datasets.read_from(self.folder_dataset())], [landing, lake_output(self, Zone.CONFORMED, schema)]
