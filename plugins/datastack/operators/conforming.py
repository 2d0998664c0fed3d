"""Puts conformed rows into the lake: those that fit into one zone, the others into another."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from datastack.codec.checksum import MODULUS, checksum
from datastack.contract.conform import Conformed, Conformer
from datastack.contract.received import Received, Records, Unreadable
from datastack.contract.rejected import KIND
from datastack.lake.layout import PART, Place, Zone
from datastack.lake.manifest import Part, Written
from datastack.lake.parts import ParquetParts
from datastack.lake.store import LakeStore
from datastack.operators.received import PAGE, PARENT

MOST_REASONS = 1000  # that a manifest has; as they show values, there may be as many as rows
ORIGIN = b"datastack"  # metadata of a quarantined part: where its rows came from, as JSON


def store_conformed(
    lake: LakeStore,
    place: Place,
    conformer: Conformer,
    received: Iterable[Conformed],
    stem: str = PART,
    accepted: Callable[[pa.RecordBatch, dict[str, str]], None] = lambda batch, columns: None,
    landing: str | None = None,
) -> Written:
    """Write accepted and rejected rows; return what was written. The source's count is that of the rows received.

    :param stem: what the parts' names begin with.
    :param accepted: is told each batch of accepted rows, and the contract types of its columns.
    :param landing: key of the manifest of what was received, if that was kept.
    """
    total = rows = 0
    reasons: Counter[str] = Counter()
    columns: dict[str, str] = {}
    known = {column.name: column.type for column in conformer.contract.stored}
    with (
        ParquetParts(lake, place, Zone.CONFORMED, stem) as good,
        _Quarantine(lake, place, stem, _origin(place, conformer, landing)) as bad,
    ):
        for each in received:
            rows += each.rows
            if each.accepted.num_rows or not columns:
                types = known | conformer.evolved
                columns = {name: types.get(name, "jsonb") for name in each.accepted.schema.names}
            total += checksum(each.accepted, list(columns.values())) if each.accepted.num_rows else 0
            good.write(each.accepted)
            bad.write(each.rejected)
            reasons.update(each.rejected.column("reason").to_pylist())
            accepted(each.accepted, columns)
    return Written(
        source_rows=rows,
        parts=tuple(good.parts),
        quarantine=bad.parts,
        checksum=total % MODULUS,
        columns=columns,
        evolved=conformer.evolved,
        discarded=conformer.discarded,
        reasons=dict(reasons.most_common(MOST_REASONS)),
    )


def _origin(place: Place, conformer: Conformer, landing: str | None) -> bytes:
    about = {
        "source": place.source,
        "stream": place.stream,
        "contract_version": conformer.contract.version,
        "slice_start": place.slice.start.isoformat(),
        "slice_end": place.slice.end.isoformat(),
        "attempt": place.attempt,
        "landing": landing,
    }
    return json.dumps(about).encode()


class _Quarantine:
    """Writes rejected rows; those of another schema, as they came in other columns, go into other parts."""

    def __init__(self, lake: LakeStore, place: Place, stem: str, origin: bytes) -> None:
        self._lake, self._place, self._stem, self._origin = lake, place, stem, origin
        self._open, self._writers = ExitStack(), dict[tuple[bytes, str], ParquetParts]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        self._open.__exit__(*failed)  # type: ignore[arg-type]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that was written."""
        return tuple(part for writer in self._writers.values() for part in writer.parts)

    def write(self, rejected: pa.RecordBatch) -> None:
        """Add rows."""
        if not rejected.num_rows:
            return
        metadata = (rejected.schema.metadata or {}) | {ORIGIN: self._origin}
        rows = rejected.replace_schema_metadata(metadata)
        like = (metadata.get(KIND, b""), str(rows.schema.remove_metadata()))
        if like not in self._writers:
            stem = f"{self._stem}-{len(self._writers) + 1}" if self._writers else self._stem
            parts = ParquetParts(self._lake, self._place, Zone.QUARANTINE, stem)
            self._writers[like] = self._open.enter_context(parts)
        self._writers[like].write(rows)


def quarantined(lake: LakeStore, key: str) -> Iterator[Received]:
    """Yield the rows of a quarantined part as they were received, to be conformed once more.

    :raises ManifestError: if the part is missing.
    """
    file = pq.ParquetFile(pa.BufferReader(lake.read(key)))
    kind = (file.schema_arrow.metadata or {}).get(KIND, b"").decode()
    first = 1
    for batch in file.iter_batches():
        numbered = _columns(batch, key, first) if kind == "typed" else _texts(batch, kind, key, first)
        yield from numbered
        first += batch.num_rows


def _columns(batch: pa.RecordBatch, key: str, first: int) -> Iterator[Received]:
    rows = batch.column("received")
    columns = dict(zip([field.name for field in rows.type], rows.flatten(), strict=True))
    yield Received(pa.RecordBatch.from_pydict(columns), "typed", object=key, first=first)


def _texts(batch: pa.RecordBatch, kind: str, key: str, first: int) -> Iterator[Received]:
    rows = batch.select(["reason", "row", "raw", "above", "records"]).to_pylist()
    if kind == "unreadable":
        lost = tuple(Unreadable(row["reason"], _raw(row), first + at) for at, row in enumerate(rows))
        yield Received(_documents([]), "documents", lost, object=key)
        return
    for (records, is_enclosed), alike in groupby(rows, lambda row: (row["records"], row["above"] is not None)):
        texts = [_enclosed(row) if is_enclosed else _raw(row) for row in alike]
        where = Records(**json.loads(records)) if records else Records()
        where = Records(PAGE, within="", above=PARENT) if is_enclosed else where
        yield Received(_documents(texts), "documents", records=where, object=key, first=first)
        first += len(texts)


def _raw(row: dict[str, Any]) -> bytes:
    raw: bytes = row["raw"] or row["row"].encode()
    return raw


def _documents(rows: list[bytes]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(rows, pa.binary())], names=["document"])


def _enclosed(row: dict[str, Any]) -> bytes:
    """A record with the fields of what enclosed it, in the form of a landed page."""
    return b'{"%s": %s, "%s": %s}' % (PARENT.encode(), row["above"].encode(), PAGE.encode(), _raw(row))
