"""Every format, in every packing, with no rows, one, and many; and what is refused."""

import json
from typing import Any

import pyarrow as pa
import pytest

from datastack.contract.received import Received
from datastack.source.formats.reader import read_file
from datastack.source.formats.stream import FormatError
from tests.unit.source.formats.reading import FORMATS, PACKINGS, SALES, parquet_of, read, rows, stream, workbook


def table(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"n {number}", "price": "1.50", "sold": "2026-01-31"} for number in range(count)]


def records(received: list[Received]) -> list[dict[str, Any]]:
    """Rows of any kind, with ids as numbers."""
    found = []
    for each in received:
        if each.kind == "documents":
            documents = [json.loads(text) for text in each.batch.column(0).to_pylist()]
            found += [row for each_one in documents for row in (each_one["data"] if each.records.path else [each_one])]
        else:
            found += [row | {"id": int(row["id"])} for row in each.batch.to_pylist()]
    return found


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("count", [0, 1, 5000])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_row_comes_through(kind: str, count: int, packing: str):
    write, stream = FORMATS[kind]
    received = read(PACKINGS[packing](write(table(count))), stream)
    assert records(received) == table(count)
    assert all(each.kind == received[0].kind and not each.unreadable for each in received)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_source_may_give_few_bytes_at_a_time(kind: str):
    write, stream = FORMATS[kind]
    assert records(read(PACKINGS["gzip"](write(table(300))), stream, block=7)) == table(300)


@pytest.mark.parametrize("packing", ["plain", "gzip", "zip"])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("csv", "not even a header"),
        ("json", "is empty, which is no JSON"),
        ("parquet", "cut short or damaged"),
        ("excel", "cut short or damaged"),
    ],
)
def test_an_empty_file_is_refused_where_the_format_has_none(kind: str, says: str, packing: str):
    with pytest.raises(FormatError, match=says) as refused:
        read(PACKINGS[packing](b""), FORMATS[kind][1])
    assert "in/sales.csv" in str(refused.value)


def test_an_empty_file_of_json_lines_has_no_lines():
    assert read(b"", FORMATS["jsonl"][1]) == []


SAYS_NOT_WHERE_IT_ENDS = [("csv", "plain"), ("json", "plain"), ("jsonl", "plain")]
CUT = [(kind, packing) for kind in FORMATS for packing in PACKINGS if (kind, packing) not in SAYS_NOT_WHERE_IT_ENDS]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize(("kind", "packing"), CUT)
def test_what_is_cut_short_is_refused(kind: str, packing: str, share: float):
    write, stream = FORMATS[kind]
    content = PACKINGS[packing](write(table(5000)))
    with pytest.raises(FormatError, match=r"in/sales.csv.* is cut short or damaged"):
        read(content[: max(30, int(len(content) * share))], stream)


FEW_COLUMNS = {
    "csv": b"name,price\nx,1\n",
    "parquet": parquet_of(pa.table({"name": ["x"], "price": ["1"]})),
    "excel": workbook([["name", "price"]]),
}


@pytest.mark.parametrize("kind", FEW_COLUMNS)
def test_a_missing_required_column_is_named(kind: str):
    with pytest.raises(
        FormatError, match=r"in/sales.csv has no column 'id', which sales.odcs.yaml requires. It has 'name'"
    ):
        read(FEW_COLUMNS[kind], FORMATS[kind][1])


def test_rows_are_yielded_while_the_file_is_read():
    """Memory does not depend on a file's length: what is not yet taken is not yet read."""
    given = 0

    def endless(size: int) -> bytes:
        nonlocal given
        given += size
        return (b"1,x,1,2026-01-01\n" * (size // 17 + 1))[: size - size % 17] or b"\n"

    header = iter([b"id,name,price,sold\n"])
    found = read_file("endless", lambda size: next(header, None) or endless(size), FORMATS["csv"][1], SALES)
    for _, received in zip(range(10), found, strict=False):
        assert received.batch.num_rows > 50_000
    found.close()
    assert given < 100 * 1024 * 1024


def test_columns_that_may_be_missing_are():
    names = pa.array(["x", None]).dictionary_encode()
    [received] = read(parquet_of(pa.table({"id": [1, 2], "name": names})), FORMATS["parquet"][1])
    assert rows([received]) == [
        {"id": 1, "name": "x", "price": None, "sold": None},
        {"id": 2, "name": None, "price": None, "sold": None},
    ]
    assert received.batch.schema.field("name").type == pa.string()


def test_parquet_that_unpacks_to_too_much_is_refused():
    """A million equal rows take a few bytes."""
    content = parquet_of(pa.table({"id": pa.array([7], pa.int64()).take(pa.array([0] * 1_000_000))}))
    assert len(content) < 300_000
    with pytest.raises(FormatError, match="unpacks to more than 1000000 bytes"):
        read(content, stream("parquet", {"max_unpacked_bytes": 1_000_000}))
