"""Reads a sheet of a workbook; every value is text, numbers and dates in the form that types are read from."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from datastack.contract.file_formats import Excel
from datastack.contract.model import Contract
from datastack.contract.received import Received
from datastack.source.formats.columns import check_columns, named
from datastack.source.formats.stream import BLOCK, Stream, spooled
from datastack.source.formats.texts import Texts

_WORKBOOK_BYTES = 256 * BLOCK  # a workbook is read as a whole
_ROWS = 16 * 1024


def read_excel(stream: Stream, form: Excel, contract: Contract) -> Iterator[Received]:
    """Yield rows as text; rows without any value are passed over, and of merged cells only the first has the value.

    :raises FormatError: if it is no workbook, is encrypted, has no such sheet, or lacks a required column.
    """
    with spooled(stream, _WORKBOOK_BYTES, "a workbook") as file:
        rows = ((number, row) for number, row in enumerate(_sheet(stream, form, file), 1) if number > form.skip_rows)
        filled = ((number, row) for number, row in rows if any(cell is not None for cell in row))
        _, header = next(filled, (0, None))
        if header is None:
            raise stream.fail("has no header: its sheet is empty. Nothing was taken of it")
        width = max(place for place, cell in enumerate(header, 1) if cell is not None)
        names = named(stream, [cell or "" for cell in header[:width]])
        check_columns(stream, names, contract)
        texts = Texts(form, contract)
        while some := list(islice(filled, _ROWS)):
            batch = _batch(stream, names, some, form.nulls)
            found, bad = texts.fit(batch, some[0][0])
            yield Received(found, "texts", tuple(bad), first=some[0][0])


def _batch(
    stream: Stream, names: list[str], rows: list[tuple[int, list[str | None]]], nulls: tuple[str, ...]
) -> pa.RecordBatch:
    for number, row in rows:
        if any(cell is not None for cell in row[len(names) :]):
            raise stream.fail(f"has values in row {number} beyond its last named column, {names[-1]!r}")
    columns = [
        pa.array([row[place] if place < len(row) and row[place] not in nulls else None for _, row in rows], pa.string())
        for place in range(len(names))
    ]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _sheet(stream: Stream, form: Excel, file: IO[bytes]) -> Iterator[list[str | None]]:
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(file)
        name = form.sheet or workbook.sheet_names[0]
        if name not in workbook.sheet_names:
            raise stream.fail(f"has no sheet {name!r}, only {', '.join(map(repr, workbook.sheet_names[:10]))}")
        for row in workbook.get_sheet_by_name(name).iter_rows():
            yield [_text(cell) for cell in row]
    except python_calamine.PasswordError as error:
        raise stream.fail("is encrypted. Ask for a file without a password, over a channel that is closed") from error
    except python_calamine.CalamineError as error:
        raise stream.half_written(f"workbook: {error}") from error


def _text(cell: Any) -> str | None:
    """Value of a cell; numbers in the fewest digits that give them back exactly."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return str(cell)
