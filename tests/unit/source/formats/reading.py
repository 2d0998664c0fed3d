"""Files of every kind, and a stream to read them by."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from datastack.contract.file_sources import FileStream
from datastack.contract.model import Column, Contract
from datastack.contract.received import Received, Unreadable
from datastack.source.formats.reader import read_file

NAME = "in/sales.csv"


def contract(**types: str) -> Contract:
    """Contract with columns of these types; the first one is required."""
    columns = tuple(
        Column(name=name, type=kind, description="x", path=name, required=place == 0)
        for place, (name, kind) in enumerate(types.items())
    )
    return Contract(
        source="partner",
        stream="sales",
        version="1.0.0",
        description="x",
        grain="x",
        owner="x",
        columns=columns,
        minimum_rows=1,
        file=Path("sales.odcs.yaml"),
    )


SALES = contract(id="bigint", name="text", price="numeric(10,2)", sold="date")


def stream(kind: str, more: dict[str, Any] | None = None, **form: Any) -> FileStream:
    """Stream of files in a format."""
    declared = {"write": "append", "files": "*", "format": {"kind": kind} | form}
    return FileStream.model_validate(declared | (more or {}))


def read(content: bytes, by: FileStream, contract: Contract = SALES, block: int | None = None) -> list[Received]:
    """Read a file.

    :param block: how many bytes its source gives at most.
    """
    source = io.BytesIO(content)
    return list(read_file(NAME, lambda size: source.read(min(size, block or size)), by, contract))


def rows(received: list[Received]) -> list[dict[str, Any]]:
    """Rows that could be read."""
    return [row for each in received for row in each.batch.to_pylist()]


def unreadable(received: list[Received]) -> list[Unreadable]:
    """What could not be read."""
    return [bad for each in received for bad in each.unreadable]


def zipped(**members: bytes) -> bytes:
    """Zip archive; a double underscore in a name stands for a point."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


PACKINGS = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "gzip of two members": lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]),
    "zstd": lambda content: zstandard.ZstdCompressor().compress(content),
    "zstd of two frames": lambda content: (
        zstandard.ZstdCompressor().compress(content[:7]) + zstandard.ZstdCompressor().compress(content[7:])
    ),
    "zip": lambda content: zipped(file__bin=content),
}


def in_csv(table: list[dict[str, Any]]) -> bytes:
    """CSV of some rows; of none, only its header."""
    lines = ["id,name,price,sold"] + [",".join(str(value) for value in row.values()) for row in table]
    return ("\n".join(lines) + "\n").encode()


def in_json(table: list[dict[str, Any]]) -> bytes:
    """One document."""
    return json.dumps({"data": table}).encode()


def in_json_lines(table: list[dict[str, Any]]) -> bytes:
    """One document a line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in table)


def in_parquet(table: list[dict[str, Any]]) -> bytes:
    """Parquet, in several row groups."""
    schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("price", pa.string()), ("sold", pa.string())])
    return parquet_of(pa.Table.from_pylist(table, schema=schema))


def in_excel(table: list[dict[str, Any]]) -> bytes:
    """Workbook."""
    return workbook([["id", "name", "price", "sold"], *(list(row.values()) for row in table)])


def parquet_of(table: pa.Table) -> bytes:
    """Parquet of a table."""
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=1000)
    return out.getvalue()


def workbook(cells: list[list[Any]]) -> bytes:
    """Workbook with one sheet."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in cells:
        sheet.append(row)
    book.save(out)
    return out.getvalue()


FORMATS = {
    "csv": (in_csv, stream("csv")),
    "json": (in_json, stream("json", records="data")),
    "jsonl": (in_json_lines, stream("jsonl")),
    "parquet": (in_parquet, stream("parquet")),
    "excel": (in_excel, stream("excel")),
}
