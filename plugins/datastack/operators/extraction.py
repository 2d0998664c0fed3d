"""Brings a slice of a table into the lake, chunk by chunk; what an interrupted attempt has read is not read again."""

import os
import uuid
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from datastack.codec.ahead import End, Handover
from datastack.codec.checksum import MODULUS
from datastack.contract.conform import Conformer
from datastack.contract.database_sources import DatabaseStream, Incremental
from datastack.contract.model import Contract
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.slice import Slice
from datastack.lake.checkpoint import Checkpoint, Plan, PlannedChunk, ReadChunk
from datastack.lake.layout import Place
from datastack.lake.manifest import Manifest, ManifestError, Part, Written, manifest_of
from datastack.lake.store import LakeStore
from datastack.operators.conforming import store_conformed
from datastack.source.database import Chunk, OpenTable
from datastack.source.errors import SourceError

# One core reads the source and writes the lake, another loads the warehouse; more readers need more of both.
READERS = max(1, min(2, (os.cpu_count() or 1) // 2))
BATCHES_AHEAD = 2  # of who takes the rows


@dataclass
class Extraction:
    """One attempt at a slice of a table.

    :param plan: that of the checkpoint.
    :param extracted_at: as of when the rows are.

    ``read`` has the chunks that are in the lake, by number. ``columns`` maps the columns of what has been read so far
    to contract types, ``evolved`` those of them that the contract has not; both are empty before the first rows.
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
    _handover: Handover[pa.RecordBatch] = field(default_factory=lambda: Handover(BATCHES_AHEAD))
    _kept: dict[str, str] = field(default_factory=dict)  # columns of chunks that earlier tries have read

    @property
    def place(self) -> Place:
        """Where the attempt stands in the lake."""
        return Place(self.contract.source, self.contract.stream, self.contract.major, self.window, self.plan.attempt)

    def keep(self, table: OpenTable, only: Sequence[int] = ()) -> list[Part]:
        """Find what interrupted tries have brought into the lake and still holds; return the parts of it.

        A chunk that was read in another snapshot counts only if none of its rows has changed since, so that all
        chunks are as one snapshot has them.

        :param only: numbers of the chunks to look at; all unless given.
        :raises ManifestError: if they were read with different columns.
        """
        done = self.checkpoint.chunks()
        for chunk in self._missing(only):
            if (found := done.get(chunk.number)) and _still_so(table, chunk, found):
                self.read[chunk.number] = found
                if found.written.rows:
                    self._see_columns(found.written.columns)
                    self._kept = self.columns = found.written.columns
                    self.evolved |= found.written.evolved
        return [part for found in self.read.values() for part in found.written.parts]

    def batches(self, table: OpenTable, only: Sequence[int] = ()) -> Generator[pa.RecordBatch]:
        """Read the chunks that are missing into the lake; yield their rows on the way there.

        Rows may be yielded before their part stands in the lake. All do when the last one was taken.

        :param only: numbers of the chunks to read; all unless given.
        :raises SourceError: if the source fails.
        :raises DriftError: if it lacks a field that is required, or has one more that the contract does not let pass.
        :raises ManifestError: if it has other columns than when the chunks that were kept were read.
        :raises OSError: if the lake fails.
        """
        with ThreadPoolExecutor(READERS, thread_name_prefix="read-chunk") as pool:
            reading = self._missing(only)
            for chunk in reading:
                pool.submit(self._handover.work, partial(self._read, table, chunk))
            try:
                yield from self._handed(len(reading))
            finally:
                self._handover.leave()
                pool.shutdown(cancel_futures=True)

    def read_all(self, table: OpenTable, only: Sequence[int] = ()) -> int:
        """Bring what is missing into the lake; return how many rows of the chunks are there.

        Raises what :meth:`keep` and :meth:`batches` raise.

        :param only: numbers of the chunks; all unless given.
        """
        self.keep(table, only)
        for _ in self.batches(table, only):
            pass
        return sum(done.written.rows for done in self.read.values())

    def finish(self, table: OpenTable) -> Manifest:
        """Describe what all chunks brought; counts are reconciled on the way.

        :raises ManifestError: if a part does not stand in the lake.
        """
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
        self.lake.require([*whole.parts, *whole.quarantine])
        keys = self._keys(table) if self.stream.deletes and self.stream.deletes.by == "key" else ()
        high = self._cursor_high(table)
        return manifest_of(self.contract, self.place, whole, self.extracted_at, keys=keys, cursor_high=high)

    def _missing(self, only: Sequence[int]) -> list[Chunk]:
        return [
            Chunk(**planned.model_dump())
            for planned in self.plan.chunks
            if planned.number not in self.read and (not only or planned.number in only)
        ]

    def _handed(self, chunks: int) -> Iterator[pa.RecordBatch]:
        """Rows of chunks that are being read, until all are."""
        while chunks:
            found = self._handover.take()
            if isinstance(found, End):
                found.check()
                chunks -= 1
            else:
                yield found

    def _read(self, table: OpenTable, chunk: Chunk) -> None:
        conformer = Conformer(self.contract, self.pseudonymiser)
        stem = f"chunk-{chunk.number:05d}-{uuid.uuid4().hex[:6]}"

        def accepted(batch: pa.RecordBatch, columns: dict[str, str]) -> None:
            self._handover.check()
            if batch.num_rows:
                self._see_columns(columns)
                self.columns, self.evolved = columns, self.evolved | conformer.evolved
                self._handover.put(batch)

        with table.read(chunk) as read:
            received = map(conformer.batch, read.batches)
            written = store_conformed(self.lake, self.place, conformer, received, stem, accepted)
        done = ReadChunk(
            number=chunk.number,
            snapshot=table.snapshot,
            written=written.model_copy(update={"source_rows": read.rows}),
        )
        self.checkpoint.add(done)
        self.read[chunk.number] = done

    def _see_columns(self, columns: dict[str, str]) -> None:
        """See that columns are those of the chunks that were kept; :raises ManifestError: if they are not."""
        if self._kept and list(self._kept.items()) != list(columns.items()):
            changed = ", ".join(sorted({name for name, _ in self._kept.items() ^ columns.items()})) or "their order"
            raise ManifestError(f"the columns changed since chunks were read by an earlier try ({changed})")

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
