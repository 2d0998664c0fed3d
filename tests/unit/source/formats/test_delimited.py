"""CSV as partners write it."""

import codecs
from itertools import pairwise
from typing import Any

import pytest

from datastack.source.formats.stream import FormatError
from tests.unit.source.formats.reading import SALES, contract, read, rows, stream, unreadable

AB = contract(a="text", b="text")


def ab(content: bytes, **form: Any) -> list[tuple[Any, ...]]:
    """Rows of a file with columns a and b."""
    return [tuple(row.values()) for row in rows(read(content, stream("csv", **form), AB))]


@pytest.mark.parametrize(("content", "form", "found"), [
    (b"a,b\n1,2\n3,4", {}, [("1", "2"), ("3", "4")]),  # no line break at the end
    (b"a,b\r\n1,2\r\n\r\n3,4\r\n", {}, [("1", "2"), ("3", "4")]),
    (b"a,b\r1,2\r3,4\r", {}, [("1", "2"), ("3", "4")]),
    (b"a;b\n1;2,5\n", {"delimiter": ";"}, [("1", "2,5")]),
    (b"a\tb\n1\t2\n", {"delimiter": "\t"}, [("1", "2")]),
    (b'a,b\n"1,\n ""x""",2\n', {}, [('1,\n "x"', "2")]),
    (b"a,b\n'1,2',3\n", {"quote": "'"}, [("1,2", "3")]),
    (b'a,b\n"1,"2\n', {"quote": None}, [('"1', '"2')]),
    (b'a,b\n"1\\"2",3\n', {"escape": "\\"}, [('1"2', "3")]),
    (b"a,b\n1\\,2,3\n", {"quote": None, "escape": "\\"}, [("1,2", "3")]),
    (b'a,b\n"",\n', {}, [("", None)]),  # quoted and empty is text, empty is no value
    (b'a,b\nNULL,"NULL"\n\\N,x\n', {"nulls": ["NULL", "\\N"]}, [(None, "NULL"), (None, "x")]),
    (b"a,b\n1,\n", {"nulls": []}, [("1", "")]),
    (b"b,c,a\n2,3,1\n", {}, [("2", "3", "1")]),  # by name, not by place; unknown ones are the contract's matter
    (b" a , b\n1,2\n", {}, [("1", "2")]),
    (b"\n\na,b\n1,2\n", {}, [("1", "2")]),
    (b"Export, of today\n\na,b\n1,2\n", {"skip_rows": 1}, [("1", "2")]),
    (b'"a\n",b\n1,2\n', {}, [("1", "2")]),  # a header over two lines
    (b"1,2\n", {"columns": ["a", "b"]}, [("1", "2")]),
    (b"x\n1,2\n", {"columns": ["a", "b"], "skip_rows": 1}, [("1", "2")]),
    (b"", {"columns": ["a", "b"]}, []),
    (b"a,b", {}, []),
    (b"a,b\r\n", {}, []),
    (b"a,b\n0,1e5\n007,true\n", {}, [("0", "1e5"), ("007", "true")]),  # nothing is guessed
])  # fmt: skip
def test_dialects(content: bytes, form: dict[str, Any], found: list[tuple[Any, ...]]):
    assert ab(content, **form) == found


@pytest.mark.parametrize(("content", "encoding"), [
    ("a,b\né,€\n".encode(), "utf-8"),
    (codecs.BOM_UTF8 + "a,b\né,€\n".encode(), "utf-8"),
    ("a,b\né,€\n".encode("windows-1252"), "windows-1252"),
    ("a,b\né,€\n".encode("utf-16"), "utf-16"),
    ("a,b\né,€\n".encode("utf-16"), "utf-8"),  # a byte order mark goes before what is declared
    (codecs.BOM_UTF16_BE + "a,b\né,€\n".encode("utf-16-be"), "utf-8"),
    (codecs.BOM_UTF8 + "a,b\né,€\n".encode(), "windows-1252"),
    ("a,b\né,€\n".encode("utf-32"), "utf-8"),
])  # fmt: skip
def test_encodings(content: bytes, encoding: str):
    assert ab(content, encoding=encoding) == [("é", "€")]
    in_pieces = read(content, stream("csv", encoding=encoding), AB, block=3)
    assert [tuple(row.values()) for row in rows(in_pieces)] == [("é", "€")]


def test_rows_that_are_no_rows_are_kept_with_reason_and_number():
    received = read(b'a,b\n1,2\n3\n4,5,6\n7,8\n"9\n,x"\n', stream("csv"), AB)
    assert rows(received) == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    assert [tuple(bad) for bad in unreadable(received)] == [
        ("1 fields, but 2 columns", "3", 3),
        ("3 fields, but 2 columns", "4,5,6", 4),
        ("1 fields, but 2 columns", '"9\n,x"', 6),
    ]


def test_a_file_of_nothing_but_ragged_rows_gives_them():
    received = read(b"a,b\n1\n", stream("csv"), AB)
    assert rows(received) == []
    assert [bad.raw for bad in unreadable(received)] == ["1"]


def test_ragged_rows_that_are_not_utf8():
    received = read(b"a,b\n\xff\n1,2\n", stream("csv"), AB)
    assert rows(received) == [{"a": "1", "b": "2"}]
    assert [tuple(bad) for bad in unreadable(received)] == [("1 fields, but 2 columns", "\ufffd", 2)]


@pytest.mark.parametrize(("content", "encoding"), [
    (b"a,b\nx\xff,1\n\xc3\xa9,2\n", "utf-8"),
    (b"a,b\nx\x81,1\n\xe9,2\n", "windows-1252"),
])  # fmt: skip
def test_text_in_another_encoding_is_a_row_that_can_not_be_read(content: bytes, encoding: str):
    received = read(content, stream("csv", encoding=encoding), AB)
    assert rows(received) == [{"a": "é", "b": "2"}]
    [bad] = unreadable(received)
    assert bad.reason == "a: not in the encoding that is declared"
    assert bad.raw == '{"a": "x\ufffd", "b": "1"}'
    assert bad.number == 2


@pytest.mark.parametrize("ending", [b'"a', b'"a,b\n1,2\n', b'a",b\n"x,1\n'])
def test_a_file_that_is_cut_off_within_quotes_of_another_field(ending: bytes):
    with pytest.raises(FormatError, match=r"cut short or damaged \(it ends within quotes"):
        read(b"a,b\n0,0\n" + ending, stream("csv"), AB)


def test_a_ragged_row_with_a_stray_quote_before_the_end():
    received = read(b'a,b\n5"\n1,2\n', stream("csv"), AB)
    assert rows(received) == [{"a": "1", "b": "2"}]
    assert [bad.raw for bad in unreadable(received)] == ['5"']


@pytest.mark.parametrize("ending", [b'"x', b'"x\n', b'"x\ny,3', b'"', b'"x""y', b'"' + b"long " * 50_000])
def test_a_file_that_is_cut_off_within_quotes_is_refused(ending: bytes):
    with pytest.raises(FormatError, match=r"cut short or damaged \(it ends within quotes"):
        read(b"a,b\n0,0\n1," + ending, stream("csv"), AB)


@pytest.mark.parametrize("ending", [b'"x"', b'"x"\n', b'"x\n"', b'""', b'"""x"""', b'""""', b'x"', b"x", b"", b'5" "'])
def test_a_file_that_ends_well_is_not(ending: bytes):
    assert len(ab(b"a,b\n0,0\n1," + ending)) == 2


@pytest.mark.parametrize(("content", "says"), [
    (b"a,b,a\n1,2,3\n", "names column 'a' more than once"),
    (b"b,c\n1,2\n", "has no column 'a', which sales.odcs.yaml requires. It has 'b', 'c'"),
    (b"\n\n", "is empty: not even a header"),
    (b'"' + b"x" * 200_000 + b'"\n1\n', "has no header that can be read: field larger"),
    (bytes(range(256)), "has no column 'a'|no header that can be read"),
    (b"<html><body>Login</body></html>", "has no column 'a'.*It has '<html>"),
])  # fmt: skip
def test_headers_that_are_refused(content: bytes, says: str):
    with pytest.raises(FormatError, match=says) as refused:
        read(content, stream("csv"), AB)
    assert "in/sales.csv" in str(refused.value)


def test_a_column_without_a_name_is_named_for_its_place():
    assert rows(read(b"a,b,,\n1,2,,\n", stream("csv"), AB)) == [
        {"a": "1", "b": "2", "column_3": None, "column_4": None}
    ]


def test_numbers_with_a_decimal_comma():
    content = b"id;name;price\n1;1,5;1.234,50\n2;x;-0,5\n3;x;12\n4;x;1.5\n5;x;\n"
    received = read(content, stream("csv", delimiter=";", decimal=","), SALES)
    assert [(row["name"], row["price"]) for row in rows(received)] == [
        ("1,5", "1234.50"), ("x", "-0.5"), ("x", "12"), ("x", None),
    ]  # fmt: skip
    [bad] = unreadable(received)
    assert (bad.reason, bad.number) == ("price: no number with a decimal comma", 5)


def test_dates_and_times_in_a_declared_format():
    by = contract(id="bigint", sold="date", at="timestamptz")
    form = stream("csv", dates="%d-%m-%Y", timestamps="%d/%m/%Y %H:%M")
    received = read(b"id,sold,at\n1,31-01-2026,01/02/2026 13:05\n2,,\n3,31-02-2026,\n4,2026-01-31,\n", form, by)
    assert rows(received) == [
        {"id": "1", "sold": "2026-01-31", "at": "2026-02-01T13:05:00"},
        {"id": "2", "sold": None, "at": None},
    ]
    assert [bad.reason for bad in unreadable(received)] == ["sold: no date like %d-%m-%Y"] * 2


def test_a_row_that_is_longer_than_a_block_is_refused():
    with pytest.raises(FormatError, match=r"in/sales.csv has a row of more than 2097152 bytes"):
        read(b"a,b\n1," + b"x" * 20_000_000 + b"\n2,3\n", stream("csv"), AB)


def test_a_row_of_a_megabyte_is_read():
    [row] = ab(b"a,b\n1," + b"x" * 1_000_000 + b"\n")
    assert len(row[1]) == 1_000_000


def test_rows_are_numbered_over_blocks():
    count = 600_000
    content = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(count - 1)) + b"1\n"
    received = read(content, stream("csv"), AB)
    assert len(received) > 1
    firsts = [(each.first, each.batch.num_rows) for each in received]
    assert all(one[0] + one[1] == other[0] for one, other in pairwise(firsts))
    assert unreadable(received)[0].number == count + 1


@pytest.mark.parametrize("wrong", [
    {"encoding": "utf-9"}, {"delimiter": ";;"}, {"delimiter": '"'}, {"delimiter": "é"}, {"decimal": ";"},
    {"delimter": ","}, {"columns": []},
])  # fmt: skip
def test_wrong_dialects_are_refused_when_declared(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="validation error"):
        stream("csv", **wrong)
