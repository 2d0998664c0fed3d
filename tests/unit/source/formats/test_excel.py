"""Workbooks: what a person sees in a cell, in the form that types are read from."""

import io
from datetime import date, datetime, time

import openpyxl
import pytest

from datastack.source.formats.stream import FormatError
from tests.unit.source.formats.reading import contract, read, rows, stream, workbook

AB = contract(a="text", b="text")


def values(*cells: object) -> list[str | None]:
    found = rows(read(workbook([["a", "b"], *([cell, "x"] for cell in cells)]), stream("excel"), AB))
    return [row["a"] for row in found]


def test_values():
    assert values(1, 1.5, 0.1, 12345678901, 1e21, True, "007", "x", None, -0.5, 1e-7) == [
        "1", "1.5", "0.1", "12345678901", "1000000000000000000000", "true", "007", "x", None, "-0.5", "0.0000001",
    ]  # fmt: skip


def test_dates_and_times():
    assert values(date(2026, 1, 31), datetime(2026, 1, 31, 13, 5), datetime(2026, 1, 31), time(13, 5)) == [
        "2026-01-31", "2026-01-31T13:05:00", "2026-01-31", "13:05:00",
    ]  # fmt: skip


def test_empty_rows_are_passed_over_and_merged_cells_have_one_value():
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [[None], ["Sales of January"], [], ["a", "b"], ["x", 1], [], [None, 2], ["y", None]]:
        sheet.append(row)
    sheet.merge_cells("A5:A7")
    out = io.BytesIO()
    book.save(out)
    [received] = read(out.getvalue(), stream("excel", skip_rows=2), AB)
    assert rows([received]) == [{"a": "x", "b": "1"}, {"a": None, "b": "2"}, {"a": "y", "b": None}]
    assert received.first == 5


def test_the_sheet_is_chosen_by_name():
    book = openpyxl.Workbook()
    for name in ("first", "second"):
        sheet = book.create_sheet(name)
        sheet.append(["a"])
        sheet.append([name])
    del book["Sheet"]
    out = io.BytesIO()
    book.save(out)
    assert rows(read(out.getvalue(), stream("excel"), AB)) == [{"a": "first"}]
    assert rows(read(out.getvalue(), stream("excel", sheet="second"), AB)) == [{"a": "second"}]
    with pytest.raises(FormatError, match="has no sheet 'third', only 'first', 'second'"):
        read(out.getvalue(), stream("excel", sheet="third"), AB)


def test_values_beyond_the_header_are_refused():
    with pytest.raises(FormatError, match="has values in row 3 beyond its last named column, 'b'"):
        read(workbook([["a", "b"], [1, 2], [1, 2, 3]]), stream("excel"), AB)


@pytest.mark.parametrize(("content", "says"), [
    (b"<html></html>", "cut short or damaged"),
    (workbook([]), "its sheet is empty"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "cut short or damaged"),
])  # fmt: skip
def test_what_is_no_workbook_is_refused(content: bytes, says: str):
    with pytest.raises(FormatError, match=says):
        read(content, stream("excel"), AB)
