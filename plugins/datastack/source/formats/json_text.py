"""Reads JSON: a document a file, or one a line. Whether it can be parsed shows when it is conformed."""

import codecs
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from datastack.contract.received import Received, Records
from datastack.source.formats.stream import BLOCK, Stream

_DOCUMENT_BYTES = 256 * BLOCK  # in memory, and several times that when parsed
_LINE_BYTES = 64 * BLOCK
_LINES_BYTES = 4 * BLOCK  # of lines at once
_COLUMN = "document"


def read_json(stream: Stream, records: str | None) -> Iterator[Received]:
    """Yield the document.

    :raises FormatError: if it is empty, or too large to be read at once.
    """
    out = io.BytesIO()
    while block := stream.read(BLOCK):
        out.write(block)
        if stream.count > _DOCUMENT_BYTES:
            raise stream.fail(
                f"is one JSON document of more than {_DOCUMENT_BYTES} bytes, which can't be read at once. Ask for JSON "
                "lines, or smaller files"
            )
    content = _utf8(out.getvalue())
    if not content.strip():
        raise stream.half_written("it is empty, which is no JSON")
    yield _documents(content, np.array([0, len(content)], np.int32), 1, Records(records))


def read_json_lines(stream: Stream) -> Iterator[Received]:
    """Yield the lines that are not blank, a document each; an empty file has none.

    :raises FormatError: if a line is too long.
    """
    held, first = b"", 1
    if stream.peek(3) == codecs.BOM_UTF8:
        stream.read(3)
    while block := stream.read(_LINES_BYTES):
        block = held + block
        end = block.rfind(b"\n") + 1
        held = block[end:]
        if len(held) > _LINE_BYTES:
            raise stream.fail(f"has a line of more than {_LINE_BYTES} bytes. Is it JSON lines?")
        if end:
            lines = _lines(block[:end], first)
            first += lines.batch.num_rows
            yield lines
    if held:
        yield _lines(held, first)


def _lines(content: bytes, first: int) -> Received:
    """Take lines apart without a copy; line breaks stay at their ends, where they mean nothing."""
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n")) + 1
    if not content.endswith(b"\n"):
        ends = np.append(ends, len(content))
    return _documents(content, np.concatenate([[0], ends]).astype(np.int32), first, Records())


def _documents(content: bytes, offsets: "np.ndarray", first: int, records: Records) -> Received:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    texts = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
    return Received(pa.RecordBatch.from_arrays([texts], names=[_COLUMN]), "documents", records=records, first=first)


def _utf8(content: bytes) -> bytes:
    """JSON is UTF-8; what has the mark of UTF-16 is recoded, as some exports are in it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").encode()
    return content.removeprefix(codecs.BOM_UTF8)
