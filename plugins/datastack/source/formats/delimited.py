"""Reads delimited text, block by block; every column is text, as the file has it."""

import csv
import io
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import csv as arrow_csv

from datastack.contract.file_formats import Csv
from datastack.contract.model import Contract
from datastack.contract.received import Received, Unreadable
from datastack.source.formats.columns import check_columns, named
from datastack.source.formats.encodings import Utf8, without_marks
from datastack.source.formats.stream import BLOCK, Stream
from datastack.source.formats.texts import Texts

_BLOCK = 2 * BLOCK  # read at once, up to 33 of them ahead; no row may be longer
_TAIL = 64 * 1024


def read_csv(stream: Stream, form: Csv, contract: Contract) -> Iterator[Received]:
    """Yield rows as text. A row with more or fewer fields than the header is unreadable.

    :raises FormatError: if there is no header, it repeats a name or lacks a required column, or the file is cut off
        within quotes.
    """
    text = Utf8(stream, form.encoding)
    first, names = _header(text, form)
    check_columns(stream, names, contract)
    texts, tail, last = Texts(form, contract), _Tail(text), None
    unreadable: list[Unreadable] = []
    for batch in _batches(tail, form, names, first, unreadable):
        found, bad = texts.fit(batch, first, text.marked)
        rows = batch.num_rows
        ragged: list[Unreadable] = []  # they are known ahead of the batches
        while unreadable and (unreadable[0].number or 0) < first + rows + len(ragged):
            ragged.append(unreadable.pop(0))
        yield Received(found, "texts", (*ragged, *bad), first=first)
        first += rows + len(ragged)
        if rows:
            last = batch.column(batch.num_columns - 1)[-1].as_py()
    if unreadable:
        yield Received(texts.nothing(names), "texts", tuple(unreadable), first=first)
    if form.quote and tail.ends_within_quotes(last, form.quote):
        raise stream.half_written("it ends within quotes")


def _batches(
    text: "_Tail", form: Csv, names: list[str], first: int, unreadable: list[Unreadable]
) -> Iterator[pa.RecordBatch]:
    """Rows of text columns; those with more or fewer fields are added to ``unreadable``."""

    def ragged(row: arrow_csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields, but {row.expected_columns} columns"
        unreadable.append(Unreadable(reason, without_marks(row.text), first - 1 + row.number))
        text.last_ragged = row.text
        return "skip"

    if not text.stream.peek(1):
        return
    try:
        with arrow_csv.open_csv(
            pa.PythonFile(text, "r"),
            # One thread: several would not know the numbers of rows.
            arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
            arrow_csv.ParseOptions(
                delimiter=form.delimiter,
                quote_char=form.quote or False,
                escape_char=form.escape or False,
                newlines_in_values=bool(form.quote or form.escape),
                invalid_row_handler=ragged,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(form.nulls),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                check_utf8=False,  # it was made of text
            ),
        ) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        if "block size" not in str(error):
            raise text.stream.fail(f"can't be read as CSV: {error}") from error
        raise text.stream.fail(
            f"has a row of more than {_BLOCK} bytes, or quotes that are not closed. Are quote and escape right?"
        ) from error


def _header(text: Utf8, form: Csv) -> tuple[int, list[str]]:
    """Pass over everything up to the first row; return that one's number, and the columns' names."""
    start = text.peek(BLOCK)
    lines = start.splitlines(keepends=True)
    rows = csv.reader(
        (line.decode(errors="replace") for line in lines[form.skip_rows :]),
        delimiter=form.delimiter,
        quotechar=form.quote,
        escapechar=form.escape,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
    )
    try:
        header = None if form.columns else next((row for row in rows if row), None)
    except csv.Error as error:
        raise text.fail(f"has no header that can be read: {error}") from error
    passed = form.skip_rows + rows.line_num
    if form.columns or header:
        text.read(sum(len(line) for line in lines[:passed]))
        return passed + 1, list(form.columns or named(text, header or ()))
    raise text.fail("is empty: not even a header. Nothing was taken of it")


class _Tail(io.RawIOBase):
    """Passes a stream on, and keeps its end: text that was cut off within quotes looks like a row."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream, self._end, self.last_ragged = stream, b"", ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self._end = (self._end + block[-_TAIL:])[-_TAIL:]
        return block

    def ends_within_quotes(self, last: str | None, quote: str) -> bool:
        """Whether quotes were opened and not closed: by the last field, ``last``, or in a ragged row at the end."""
        ragged = self.last_ragged.encode()[-_TAIL:]
        if ragged and self.last_ragged.count(quote) % 2 and self._end.rstrip(b"\r\n").endswith(ragged.rstrip(b"\r\n")):
            return True
        opened = f"{quote}{(last or '').replace(quote, quote * 2)}".encode()[-_TAIL:]
        return last is not None and self._end.endswith(opened) and not self._end.endswith(opened + quote.encode())
