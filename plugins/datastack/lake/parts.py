"""Writes rows and records into parts of a good size, and reads them back in bounded memory."""

import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from datastack.codec.ahead import ahead
from datastack.lake.layout import PART, Place, Zone
from datastack.lake.manifest import Part
from datastack.lake.store import HashingStream, LakeStore

# Loading from the lake holds one part in memory; Redshift wants between 1 MB and 1 GB:
# https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html
PART_BYTES = 4 * 1024 * 1024
ROW_GROUP_BYTES = 4 * 1024 * 1024  # in memory: bounds what a part needs there, however wide its rows are
DICTIONARY_BYTES = 128 * 1024  # of a column in a row group; beyond it, values repeat too rarely to gain by it
BATCH_ROWS = 64 * 1024
LINES_BYTES = 4 * 1024 * 1024  # of lines that are read at once
PART_SECONDS = 60.0  # after which a part of lines lands as it is: what is lost if a worker dies while an API is slow

Landed = Callable[[Part], None]


class _Parts:
    """Opens a part when there is something to write and closes it when it is large enough.

    Use as a context manager, then read ``parts``; each is also told to ``landed`` as soon as it is there. After an
    error, what is half written is named by no manifest.
    """

    suffix: str

    def __init__(
        self, lake: LakeStore, place: Place, zone: Zone, stem: str, part_bytes: int, landed: Landed = lambda part: None
    ) -> None:
        self._landed = landed
        self._lake, self._place, self._zone, self._stem, self._part_bytes = lake, place, zone, stem, part_bytes
        self._open: ExitStack | None = None
        self._rows = 0
        self.parts: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self._flush()
            self._close()
        elif self._open:
            self._open.pop_all()

    def _start(self, stack: ExitStack, stream: HashingStream) -> None:
        """Put an encoder onto the part's stream."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Write what is held back."""

    def _ready(self) -> None:
        """Make sure that a part is open."""
        if self._open is None:
            self._open, self._rows = ExitStack(), 0
            self._key = self._place.part(self._zone, self._stem, len(self.parts) + 1, self.suffix)
            self._stream = self._open.enter_context(self._lake.open_part(self._key))
            self._start(self._open, self._stream)

    def _wrote(self, rows: int) -> None:
        self._rows += rows
        if self._stream.count >= self._part_bytes:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            stack, self._open = self._open, None
            stack.close()
            part = self._stream.part(self._key, self._rows)
            self.parts.append(part)
            self._landed(part)


class ParquetParts(_Parts):
    """Writes record batches of one schema as Parquet.

    zstd 1, delta encoding for whole numbers and times, dictionaries for text only: half the CPU and 40 % fewer
    bytes than the defaults on operational tables.
    """

    suffix = "parquet"

    def __init__(
        self,
        lake: LakeStore,
        place: Place,
        zone: Zone,
        stem: str = PART,
        part_bytes: int = PART_BYTES,
    ) -> None:
        super().__init__(lake, place, zone, stem, part_bytes)
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; small batches are gathered into row groups."""
        if not batch.num_rows:
            return
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _start(self, stack: ExitStack, stream: HashingStream) -> None:
        schema = self._held[0].schema
        self._writer = stack.enter_context(pq.ParquetWriter(stream, schema, **_encoding(schema)))

    def _flush(self) -> None:
        if self._held:
            self._ready()
            table = pa.Table.from_batches(self._held)
            self._held, self._held_bytes = [], 0
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
            self._wrote(table.num_rows)


def _encoding(schema: pa.Schema) -> dict[str, object]:
    text = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_binary(f.type)]
    delta = [f.name for f in schema if pa.types.is_integer(f.type) or pa.types.is_timestamp(f.type)]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": text,
        "dictionary_pagesize_limit": DICTIONARY_BYTES,
        "column_encoding": dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
        "store_schema": True,
    }


def read_batches(lake: LakeStore, parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
    """Yield the parts' rows, while the next part is fetched.

    :raises ManifestError: if a part is missing or not what the manifest says.
    """
    with ahead((lake.read_part(part) for part in parts), items=1) as contents:
        for content in contents:
            file = pq.ParquetFile(pa.BufferReader(content))
            for group in range(file.num_row_groups):  # one by one: a batch would gather several
                yield from file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], use_threads=False)


class LinesParts(_Parts):
    """Writes bodies as received, one a line, compressed with zstd."""

    suffix = "jsonl.zst"

    def __init__(
        self,
        lake: LakeStore,
        place: Place,
        stem: str = PART,
        part_bytes: int = PART_BYTES,
        landed: Landed = lambda part: None,
        before: Sequence[Part] = (),
    ) -> None:
        """Go on after the parts that have landed ``before``."""
        super().__init__(lake, place, Zone.LANDING, stem, part_bytes, landed)
        self.parts += before

    def write(self, body: bytes, rows: int) -> None:
        """Add one JSON body of ``rows`` records; line breaks, which JSON has between values only, become spaces."""
        self._ready()
        self._compressed.write(body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n")
        self._wrote(rows)

    def land_old(self, seconds: float) -> None:
        """Land what was written, if the first of it was so long ago."""
        if self._open is not None and time.monotonic() - self._begun >= seconds:
            self._close()

    def _start(self, stack: ExitStack, stream: HashingStream) -> None:
        self._begun = time.monotonic()
        compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)  # 3 takes three times as long for nothing
        # The lake closes the stream itself.
        self._compressed = stack.enter_context(compressor.stream_writer(cast("IO[bytes]", stream), closefd=False))


def read_lines(lake: LakeStore, parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the bodies that :class:`LinesParts` wrote.

    :raises ManifestError: if a part is missing or not what the manifest says.
    """
    for part in parts:
        reader = zstandard.ZstdDecompressor().stream_reader(lake.read_part(part))
        yield from io.BufferedReader(reader, 1 << 20)


def read_line_batches(lake: LakeStore, parts: Sequence[Part]) -> Iterator[tuple[Part, int, pa.Array]]:
    """Yield the bodies that :class:`LinesParts` wrote, many at a time.

    These are the part, the number of the first body in it from 1 on, and the bodies as bytes with their line breaks.

    :raises ManifestError: if a part is missing or not what the manifest says.
    """
    with ahead((lake.read_part(part) for part in parts), items=1) as contents:
        for part, content in zip(parts, contents, strict=True):
            first, held = 1, b""
            reader = zstandard.ZstdDecompressor().stream_reader(content)
            while block := reader.read(LINES_BYTES):
                block = held + block
                ends = [0, *_line_ends(block)]
                held = block[ends[-1] :]
                if len(ends) > 1:
                    buffers = [None, pa.py_buffer(np.array(ends, np.int32)), pa.py_buffer(block)]
                    yield part, first, pa.Array.from_buffers(pa.binary(), len(ends) - 1, buffers)
                    first += len(ends) - 1


def _line_ends(block: bytes) -> Iterator[int]:
    at = block.find(b"\n") + 1
    while at:
        yield at
        at = block.find(b"\n", at) + 1
