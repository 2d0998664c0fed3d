"""Brings a slice of a table into the lake, chunk by chunk; what an interrupted attempt has read is not read again."""

import os
import queue
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from datastack.codec.checksum import MODULUS
from datastack.contract.conform import Conformer
from datastack.contract.database_sources import DatabaseStream, Incremental
from datastack.contract.model import Contract
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.slice import Slice
from datastack.lake.checkpoint import Checkpoint, Plan, PlannedChunk, ReadChunk
from datastack.lake.layout import Place
from datastack.lake.manifest import Manifest, Part, Written, manifest_of
from datastack.lake.store import LakeStore
from datastack.operators.conforming import store_conformed
from datastack.source.database import Chunk, OpenTable
from datastack.source.errors import SourceError

# One core reads the source and writes the lake, another loads the warehouse; more readers need more of both.
READERS = max(1, min(2, (os.cpu_count() or 1) // 2))


class StoppedError(Exception):
    """Reading was given up because another chunk failed."""


@dataclass
class Extraction:
    """One attempt at a slice of a table.

    :param plan: that of the checkpoint.
    :param extracted_at: as of when the rows are.

    ``columns`` maps the columns of what has been read so far to contract types, ``evolved`` those of them that the
    contract has not; both are empty before the first part.
    """

    lake: LakeStore
    contract: Contract
    stream: DatabaseStream
    window: Slice
    pseudonymiser: Pseudonymiser
    checkpoint: Checkpoint
    plan: Plan
    extracted_at: datetime
    read: dict[int, ReadChunk] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    evolved: dict[str, str] = field(default_factory=dict)
    _landing: "queue.SimpleQueue[Part | Future[None]]" = field(default_factory=queue.SimpleQueue)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def place(self) -> Place:
        """Where the attempt stands in the lake."""
        return Place(self.contract.source, self.contract.stream, self.contract.major, self.window, self.plan.attempt)

    def parts(self, table: OpenTable, only: Sequence[int] = ()) -> Iterator[Part]:
        """Bring what is missing into the lake; yield parts as they are there, those of interrupted tries first.

        A chunk that was read in another snapshot counts only if none of its rows has changed since, so that all
        chunks are as one snapshot has them.

        :param only: numbers of the chunks to read; all unless given.
        """
        chunks = [Chunk(**planned.model_dump()) for planned in self.plan.chunks if not only or planned.number in only]
        done = self.checkpoint.chunks()
        kept = [chunk for chunk in chunks if chunk.number in done and _still_so(table, chunk, done[chunk.number])]
        for chunk in kept:
            self.read[chunk.number] = done[chunk.number]
            self.columns = done[chunk.number].written.columns or self.columns
            self.evolved |= done[chunk.number].written.evolved
            yield from done[chunk.number].written.parts
        with ThreadPoolExecutor(READERS, thread_name_prefix="read-chunk") as pool:
            reading = [pool.submit(self._read, table, chunk) for chunk in chunks if chunk not in kept]
            try:
                yield from self._landed(reading)
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)

    def finish(self, table: OpenTable) -> Manifest:
        """Describe what all chunks brought; counts are reconciled on the way."""
        written = [self.read[planned.number].written for planned in self.plan.chunks]
        whole = Written(
            source_rows=sum(each.source_rows for each in written),
            parts=tuple(part for each in written for part in each.parts),
            quarantine=tuple(part for each in written for part in each.quarantine),
            checksum=sum(each.checksum or 0 for each in written) % MODULUS,
            columns=self.columns,
            evolved=self.evolved,
            discarded=_sum(each.discarded for each in written),
            reasons=_sum(each.reasons for each in written),
        )
        keys = self._keys(table) if self.stream.deletes and self.stream.deletes.by == "key" else ()
        high = self._cursor_high(table)
        return manifest_of(self.contract, self.place, whole, self.extracted_at, keys=keys, cursor_high=high)

    def _landed(self, reading: list[Future[None]]) -> Iterator[Part]:
        """Parts of chunks that are being read, until all are."""
        for future in reading:
            future.add_done_callback(self._landing.put)
        left = len(reading)
        while left:
            found = self._landing.get()
            if isinstance(found, Part):
                yield found
            else:
                found.result()
                left -= 1

    def _read(self, table: OpenTable, chunk: Chunk) -> None:
        conformer = Conformer(self.contract, self.pseudonymiser)
        stem = f"chunk-{chunk.number:05d}-{uuid.uuid4().hex[:6]}"

        def landed(part: Part, columns: dict[str, str]) -> None:
            self.columns, self.evolved = columns, self.evolved | conformer.evolved
            self._landing.put(part)

        with table.read(chunk) as read:
            received = (conformer.batch(batch) for batch in self._until_stopped(read.batches))
            written = store_conformed(self.lake, self.place, conformer, received, stem, landed)
        done = ReadChunk(
            number=chunk.number,
            snapshot=table.snapshot,
            written=written.model_copy(update={"source_rows": read.rows}),
        )
        self.checkpoint.add(done)
        self.read[chunk.number] = done

    def _until_stopped(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if self._stop.is_set():
                raise StoppedError
            yield batch

    def _keys(self, table: OpenTable) -> tuple[Part, ...]:
        """Store the keys of all rows that the source has."""
        keyed = tuple(column for column in self.contract.columns if column.name in self.contract.key)
        contract = self.contract.model_copy(update={"columns": keyed})
        conformer = Conformer(contract, self.pseudonymiser)
        with table.keys() as read:
            received = (conformer.batch(batch) for batch in read.batches)
            written = store_conformed(self.lake, self.place, conformer, received, "keys")
        if written.rows != read.rows:
            raise SourceError(
                f"{self.contract.source}.{self.contract.stream} {self.window}: {read.rows - written.rows} keys don't "
                f"fit {self.contract.file.name}, so deleted rows can't be told. Nothing was loaded; correct the keys "
                "or the contract, and clear this task"
            )
        return written.parts

    def _cursor_high(self, table: OpenTable) -> str | None:
        if self.stream.incremental is not Incremental.WATERMARK or self.stream.cursor is None:
            return None
        high = table.highest(self.contract.path_of(self.stream.cursor))
        if high is None:
            return None
        return high.isoformat() if isinstance(high, datetime) else str(high)


def new_plan(contract: Contract, chunks: Sequence[Chunk], range_start: str | None) -> Plan:
    """Plan a new attempt."""
    return Plan(
        attempt=uuid.uuid4().hex[:12],
        contract_version=contract.version,
        begun_at=datetime.now(UTC),
        range_start=range_start,
        chunks=tuple(PlannedChunk(number=each.number, after=each.after, until=each.until) for each in chunks),
    )


def _still_so(table: OpenTable, chunk: Chunk, done: ReadChunk) -> bool:
    return table.snapshot == done.snapshot or table.unchanged(chunk, done.snapshot, done.written.source_rows)


def _sum(counts: "Iterator[dict[str, int]]") -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
