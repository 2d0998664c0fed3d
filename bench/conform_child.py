"""Contenders that make typed Parquet of landed JSON lines: run as ``python -m bench.conform_child NAME FOLDER PARTS``.

``PARTS`` is a file with the landed parts. Each reports its seconds, rows, and the files that it wrote.
"""

import hmac
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import zstandard

from bench.child import timed
from bench.documents import CONTRACT, KEY, folders, lake
from datastack.codec.warm import compile_kernels
from datastack.contract.conform import Conformer
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.received import Received, Records
from datastack.lake.layout import Zone
from datastack.lake.manifest import Part
from datastack.lake.parts import ParquetParts, read_line_batches, read_lines
from datastack.lake.store import LakeStore
from datastack.operators.conforming import store_conformed
from datastack.operators.received import conformed


def ours(store: LakeStore, folder: Path, parts: list[Part]) -> dict[str, Any]:
    """The engine, as its operator calls it."""
    conformer = Conformer(CONTRACT, Pseudonymiser(KEY))
    received = (
        Received(pa.RecordBatch.from_arrays([lines], names=["page"]), "documents", (), Records("data"), part.key, first)
        for part, first, lines in read_line_batches(store, parts)
    )
    with conformed(conformer, received) as rows:
        written = store_conformed(store, folders(folder, "ours"), conformer, rows)
    if written.quarantine:
        raise ValueError(f"rows were rejected: {written.reasons}")
    return {"rows": written.rows, "keys": [part.key for part in written.parts]}


def loop(store: LakeStore, folder: Path, parts: list[Part]) -> dict[str, Any]:
    """A Python loop over rows, as one writes it: exact, with what does not fit set aside and unknown fields counted."""
    known = {column.path.split(".")[0] for column in CONTRACT.columns}
    discarded: dict[str, int] = {}
    rejected: list[tuple[str, Any]] = []
    with ParquetParts(store, folders(folder, "loop"), Zone.CONFORMED) as out:
        for page in read_lines(store, parts):
            rows = []
            for record in json.loads(page, parse_float=Decimal)["data"]:
                for field in record.keys() - known:
                    discarded[field] = discarded.get(field, 0) + 1
                try:
                    rows.append(_row(record))
                except (KeyError, TypeError, ValueError, ArithmeticError) as error:
                    rejected.append((str(error), record))
            out.write(pa.RecordBatch.from_pylist(rows, schema=CONTRACT.arrow_schema))
    return {"rows": sum(part.rows for part in out.parts), "keys": [part.key for part in out.parts]}


def _row(record: dict[str, Any]) -> dict[str, Any]:
    order = record.get("order") or {}
    household = record.get("household_id")
    return {
        "id": _whole(record["id"]),
        "number": _text(order.get("number")),
        "placed_at": _moment(order.get("placed_at")),
        "channel": _text(order.get("channel")),
        "household_id": None if household is None else _hashed(household),
        "amount": _decimal(record.get("amount")),
        "discount": _decimal(record.get("discount")),
        "quantity": _whole(record.get("quantity")),
        "is_gift": _truth(record.get("is_gift")),
        "score": None if record.get("score") is None else float(record["score"]),
        "shipped_on": None if record.get("shipped_on") is None else date.fromisoformat(record["shipped_on"]),
        "note": _text(record.get("note")),
        "tags": None if record.get("tags") is None else [_text(tag) for tag in record["tags"]],
        "extra": None if record.get("extra") is None else json.dumps(record["extra"], default=float),
    }


def _whole(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or int(value) != value):
        raise ValueError(f"{value!r} is no whole number")
    return value if value is None else int(value)


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _truth(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{value!r} is no boolean")
    return value


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _moment(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).astimezone(UTC)


def _hashed(value: Any) -> str:
    return hmac.digest(KEY, str(value).encode(), "sha256")[:16].hex()


def arrow(store: LakeStore, folder: Path, parts: list[Part]) -> dict[str, Any]:
    """The JSON reader of pyarrow: decimals become doubles, nothing is hashed, a value of another type fails a part."""
    rows = 0
    for number, part in enumerate(parts):
        content = zstandard.ZstdDecompressor().stream_reader(store.read_part(part)).read()
        options = pj.ReadOptions(block_size=max(len(content), 1))
        records = pj.read_json(io.BytesIO(content), options).column("data").combine_chunks().flatten()
        table = pa.Table.from_struct_array(records)
        pq.write_table(table, folder / f"arrow-{number}.parquet", compression="zstd")
        rows += table.num_rows
    return {"rows": rows, "keys": []}


def main(name: str, folder: str, listed: str) -> None:
    """Run a contender. Modules and kernels are loaded before the clock starts, as when a task begins."""
    parts = [Part.model_validate(each) for each in json.loads(Path(listed).read_text())]
    compile_kernels()
    with timed() as report:
        report |= {"ours": ours, "loop": loop, "arrow": arrow}[name](lake(Path(folder)), Path(folder), parts)


def rows_of(store: LakeStore, keys: list[str]) -> Iterator[dict[str, Any]]:
    """Rows that a contender wrote, JSON parsed."""
    for key in keys:
        for row in pq.read_table(pa.BufferReader(store.read(key))).to_pylist():
            yield row | {"extra": json.loads(row["extra"])}


if __name__ == "__main__":
    main(*sys.argv[1:])
