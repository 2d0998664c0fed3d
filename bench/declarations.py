"""Declares the bench's tables to the engine, as include/ declares the product's: one source, a contract a stream."""

import json
from pathlib import Path
from typing import Any

from bench.tables import Table

SOURCE = "bench"
CONNECTION = "bench_source"
WINDOW = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
ROOT = Path(__file__).parents[1]
_LOGICAL = {
    "bigint": "integer",
    "integer": "integer",
    "smallint": "integer",
    "boolean": "boolean",
    "timestamptz": "timestamp",
    "date": "date",
    "jsonb": "object",
    "text": "string",
}


def write(folder: Path, streams: dict[str, Table]) -> None:
    """Write a source file and contracts into an include folder, which takes the product's SQL.

    :param streams: the table of each stream.
    """
    contracts = folder / "contracts" / SOURCE
    for path in (folder / "sources", contracts):
        path.mkdir(parents=True)
    (folder / "sql").symlink_to(ROOT / "include" / "sql")
    # JSON is YAML.
    (folder / "sources" / f"{SOURCE}.yml").write_text(json.dumps(_source(streams)))
    for name, table in streams.items():
        (contracts / f"{name}.odcs.yaml").write_text(json.dumps(_contract(name, table)))


def _source(streams: dict[str, Table]) -> dict[str, Any]:
    return {
        "name": SOURCE,
        "description": "Rows to measure with",
        "kind": "postgres",
        "connection": CONNECTION,
        "owner": "bench",
        "domain": "bench",
        "tier": 3,
        "schedule": "0 0 1 1 *",
        "start_date": "2025-01-01",
        "streams": {name: {"table": table.path, "write": "replace"} for name, table in streams.items()},
    }


def _contract(stream: str, table: Table) -> dict[str, Any]:
    schema = {
        "name": stream,
        "logicalType": "object",
        "physicalName": f"raw_{SOURCE}.{stream}",
        "dataGranularityDescription": "one row",
        "quality": [{"metric": "rowCount", "mustBeGreaterOrEqualTo": 1}],
        "properties": [_column(table, *column) for column in table.columns],
    }
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"{SOURCE}.{stream}",
        "name": stream,
        "version": "1.0.0",
        "status": "active",
        "domain": "bench",
        "description": {"purpose": "Rows to measure with"},
        "team": {"name": "bench"},
        "schema": [schema],
    }


def _column(table: Table, name: str, kind: str, nullable: bool) -> dict[str, Any]:
    column = {
        "name": name,
        "logicalType": _LOGICAL.get(kind, "number"),
        "physicalType": kind,
        "description": name,
        "required": not nullable,
    }
    if name in table.key:
        column |= {"primaryKey": True, "primaryKeyPosition": table.key.index(name) + 1}
    return column
