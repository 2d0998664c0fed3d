"""Describes documents that have landed, a row each."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from datastack.contract.conform import Conformer
from datastack.contract.documents import DOCUMENT_COLUMNS
from datastack.contract.model import Contract
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.received import Received
from datastack.lake.layout import Place
from datastack.lake.manifest import Manifest, Part, manifest_of
from datastack.lake.store import LakeStore
from datastack.operators.conforming import store_conformed
from datastack.operators.file_landing import Landed
from datastack.source.errors import SourceError
from datastack.source.files.store import FileStore

_TYPES = {"text": pa.string(), "jsonb": pa.string(), "bigint": pa.int64(), "timestamptz": pa.timestamp("us", "UTC")}
_ROWS = 10_000


@dataclass(frozen=True)
class DocumentRows:
    """Writes the rows of an attempt, and the keys of all documents that there are.

    :param place: of the attempt.
    """

    lake: LakeStore
    contract: Contract
    pseudonymiser: Pseudonymiser
    place: Place

    def write(self, store: FileStore, landed: Sequence[Landed], keys: Sequence[str] | None) -> Manifest:
        """Describe documents and return the manifest, which is yet to be stored.

        :param keys: of all documents that the store has; None if deleted ones are not looked for.
        """
        listed_at = datetime.now(UTC)
        with ThreadPoolExecutor(store.readers, thread_name_prefix="describe") as pool:
            rows = list(pool.map(lambda each: self._row(store, each), landed))
        conformer = Conformer(self.contract, self.pseudonymiser)
        conformed = (done for each in self._received(rows) for done in conformer.received(each))
        written = store_conformed(self.lake, self.place, conformer, conformed)
        found = () if keys is None else self._keys(keys)
        return manifest_of(self.contract, self.place, written, listed_at, keys=found)

    def _row(self, store: FileStore, landed: Landed) -> dict[str, Any]:
        from datastack.source.formats.sniff import HEAD, media_type

        [part] = landed.manifest.parts
        assert part.delivered  # noqa: S101 a file was landed
        description = store.describe(part.delivered)
        return {
            "key": part.delivered.key,
            "media_type": media_type(self.lake.head(part.key, HEAD)),
            "media_type_claimed": description.media_type,
            "bytes": part.bytes,
            "sha256": part.sha256,
            "etag": part.delivered.etag,
            "modified_at": part.delivered.modified_at,
            "lake_key": part.key,
            "metadata": json.dumps(description.metadata, ensure_ascii=False),
        }

    def _received(self, rows: list[dict[str, Any]]) -> Iterator[Received]:
        names = [column.name for column in self.contract.columns]
        for start in range(0, max(len(rows), 1), _ROWS):
            some = rows[start : start + _ROWS]
            columns = [pa.array([row[name] for row in some], _TYPES[DOCUMENT_COLUMNS[name]]) for name in names]
            yield Received(pa.RecordBatch.from_arrays(columns, names=names), "typed")

    def _keys(self, keys: Sequence[str]) -> tuple[Part, ...]:
        """Store the keys of all documents, as the rows have them."""
        keyed = tuple(column for column in self.contract.columns if column.name == "key")
        conformer = Conformer(self.contract.model_copy(update={"columns": keyed}), self.pseudonymiser)
        batch = pa.RecordBatch.from_arrays([pa.array(keys, pa.string())], names=["key"])
        written = store_conformed(
            self.lake, self.place, conformer, conformer.received(Received(batch, "typed")), "keys"
        )
        if written.rows != len(keys):
            raise SourceError(f"{len(keys) - written.rows} keys don't fit {self.contract.file.name}")
        return written.parts
