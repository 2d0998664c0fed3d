"""Reads tables as tasks do."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.contract.conform import Conformer
from datastack.contract.model import Column, Contract
from datastack.contract.privacy import Pseudonymiser
from datastack.source.database import Scan, SourceColumn, open_table

Values = list[Any]
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def read(kind: str, url: str, scan: Scan, rows: int = 1_000_000) -> list[pa.RecordBatch]:
    """All batches of all chunks, counted."""
    batches = []
    with open_table(kind, url, scan) as table:
        for chunk in table.chunks(rows):
            with table.read(chunk) as found:
                part = list(found.batches)
                assert found.rows == sum(batch.num_rows for batch in part)
                batches += part
    return batches


def values(batches: list[pa.RecordBatch], column: str) -> Values:
    return [value for batch in batches for value in batch.column(column).to_pylist()]


def conformed(
    kind: str, url: str, table: str, types: dict[str, str], zone: ZoneInfo | None = None
) -> tuple[dict, dict]:
    """A table by its contract: accepted values by ``id`` and column, and reasons by ``id``."""
    columns = tuple(Column(name=name.lower(), type=type_, description="…", path=name) for name, type_ in types.items())
    contract = Contract(
        source="shop", stream="t", version="1.0.0", description="…", grain="…", owner="…", columns=columns,
        minimum_rows=1, file=Path("t"),
    )  # fmt: skip
    conformer = Conformer(contract, Pseudonymiser(b"k" * 32))
    wanted = tuple(SourceColumn(name, type_) for name, type_ in types.items())
    accepted, rejected = {}, {}
    for batch in read(kind, url, Scan(table, wanted, ("id",), timezone=zone)):
        done = conformer.batch(batch)
        accepted |= {row["id"]: row for row in done.accepted.to_pylist()}
        rejected |= {json.loads(row["row"])["id"]: row["reason"] for row in done.rejected.to_pylist()}
    return accepted, {int(key): reason for key, reason in rejected.items()}
