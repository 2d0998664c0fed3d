"""Reads a landed file by its declared format."""

from collections.abc import Callable, Iterator

from datastack.contract.file_formats import Csv, Excel, Json, JsonLines, Parquet
from datastack.contract.file_sources import FileStream
from datastack.contract.model import Contract
from datastack.contract.received import Received
from datastack.source.formats.stream import Stream
from datastack.source.formats.unpack import Limits, unpacked


def read_file(name: str, read: Callable[[int], bytes], stream: FileStream, contract: Contract) -> Iterator[Received]:
    """Yield what is in a file, in bounded memory.

    :param name: of the file, for errors.
    :param read: returns up to so many bytes, and none at the end.
    :raises FormatError: if it is not what it is declared to be, or not whole; the rows before count for nothing.
    """
    limits = Limits(stream.max_unpacked_bytes, stream.member, isinstance(stream.format, Excel))
    for content in unpacked(Stream(name, read), limits):
        yield from _rows(content, stream, contract)


def _rows(content: Stream, stream: FileStream, contract: Contract) -> Iterator[Received]:
    match stream.format:
        case Csv():
            from datastack.source.formats.delimited import read_csv

            return read_csv(content, stream.format, contract)
        case Json():
            from datastack.source.formats.json_text import read_json

            return read_json(content, stream.format.records)
        case JsonLines():
            from datastack.source.formats.json_text import read_json_lines

            return read_json_lines(content)
        case Parquet():
            from datastack.source.formats.parquet import read_parquet

            return read_parquet(content, contract, stream.max_unpacked_bytes)
        case Excel():
            from datastack.source.formats.excel import read_excel

            return read_excel(content, stream.format, contract)
