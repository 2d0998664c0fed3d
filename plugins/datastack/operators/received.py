"""Reads back what was received, from landing or from quarantine, as rows to be conformed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from datastack.codec.ahead import ahead
from datastack.contract.api_sources import ApiSource, ApiStream, ChildTable
from datastack.contract.conform import Conformed, Conformer
from datastack.contract.file_sources import FileSource
from datastack.contract.model import Contract
from datastack.contract.received import Received, Records
from datastack.contract.registry import Declared
from datastack.lake.manifest import Manifest
from datastack.lake.parts import read_line_batches
from datastack.lake.store import LakeStore

if TYPE_CHECKING:
    from datastack.contract.file_sources import DocumentStream, FileStream

PARENT, PAGE = "parent", "page"  # of a page of a child endpoint, as it is landed


def received(lake: LakeStore, landed: Manifest, declared: Declared, stream: str) -> Iterator[Received]:
    """Yield what a landing manifest names, for a stream of its source: the one that was landed, or a child table of it.

    :raises ManifestError: if a part is missing or not what the manifest says.
    """
    source = declared.source
    if isinstance(source, ApiSource):
        records = records_of(source, stream)
        for part, first, lines in read_line_batches(lake, landed.parts):
            batch = pa.RecordBatch.from_arrays([lines], names=["document"])
            yield Received(batch, "documents", records=records, object=part.key, first=first)
    elif isinstance(source, FileSource):
        yield from _of_files(lake, landed, source.streams[stream], declared.contracts[stream])
    else:
        raise TypeError(f"{source.name} is read from a database: nothing of it is landed")


def records_of(source: ApiSource, name: str) -> Records:
    """Where the records of a stream stand in the lines that its pages were landed as."""
    stream = source.streams[name]
    if isinstance(stream, ChildTable):
        outer = source.streams[stream.of]
        assert isinstance(outer, ApiStream)  # noqa: S101 the declaration was checked
        return Records(stream.records, within=_page(outer) or "")
    assert isinstance(stream, ApiStream)  # noqa: S101 there is no third kind
    if stream.parent is None:
        return Records(stream.records)
    return Records(_page(stream), within="", above=PARENT)


def _page(stream: ApiStream) -> str | None:
    """Path of a stream's records in a landed line."""
    if stream.parent is None:
        return stream.records
    return f"{PAGE}.{stream.records}" if stream.records else PAGE


def _of_files(
    lake: LakeStore, landed: Manifest, stream: "FileStream | DocumentStream", contract: Contract
) -> Iterator[Received]:
    """Rows of files that were landed untouched; each is compared with its manifest when it is read to its end."""
    from datastack.contract.file_sources import FileStream
    from datastack.source.formats.reader import read_file

    assert isinstance(stream, FileStream)  # noqa: S101 documents are not read
    for part in landed.parts:
        name = part.delivered.key if part.delivered else part.key
        with lake.stream_part(part) as file:
            for each in read_file(name, file.read, stream, contract):
                yield replace(each, object=part.key)


@contextmanager
def conformed(conformer: Conformer, rows: Iterable[Received]) -> Iterator[Iterator[Conformed]]:
    """Conform rows in two threads, somewhat ahead of whoever stores them: kernels keep more than one core busy."""
    halves = (taken for each in rows for taken in conformer.taken(each))
    with ahead(halves, items=2) as taken, ahead(map(conformer.fit, taken), items=2) as batches:
        yield batches
