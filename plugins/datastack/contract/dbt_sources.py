"""Derives dbt's source declarations from the contracts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from datastack.contract.model import Column, Contract
from datastack.contract.registry import include_dir, load_source
from datastack.contract.sources import Stream, Write
from datastack.contract.sql import sql

_HEADER = "# Generated from include/contracts by `make generate`; edit those instead.\n"

# Columns of our own that models may read.
_LOAD = {"name": "_load_id", "description": "The load that brought the row, of ops.loads", "data_type": "bigint"}
_VERSION = [
    {"name": "_valid_from", "description": "Since when the row is as it is", "data_type": "timestamptz"},
    {"name": "_valid_to", "description": "Until when it was so; null while it is", "data_type": "timestamptz"},
    {"name": "_is_current", "description": "Whether it is so today", "data_type": "boolean"},
]
_DELETED = {
    "name": "_deleted_at",
    "description": "When the source was seen to have the row no more; null while it has it",
    "data_type": "timestamptz",
}


def sources_file(source: str) -> Path:
    """Return where dbt's declaration of a source stands."""
    return include_dir() / "dbt" / "models" / "staging" / source / f"_{source}__sources.yml"


def sources_yaml(source: str) -> str:
    """Text of dbt's declaration of a source: tables, columns and what they mean."""
    declared = load_source(source)
    content = {
        "version": 2,
        "sources": [
            {
                "name": source,
                "description": declared.source.description,
                "schema": f"raw_{source}",
                "tables": [
                    _table(contract, declared.source.streams[name]) for name, contract in declared.contracts.items()
                ],
            }
        ],
    }
    return _HEADER + yaml.dump(content, Dumper=_Indented, sort_keys=False, width=110, allow_unicode=True)


def _table(contract: Contract, stream: Stream) -> dict[str, Any]:
    table: dict[str, Any] = {"name": contract.stream, "description": f"{contract.description}: {contract.grain}."}
    if contract.freshness:
        table["config"] = {"freshness": _freshness(contract.freshness), "loaded_at_query": _loaded_at(contract)}
    ours = [_LOAD, *(_VERSION if stream.write is Write.SCD2 else []), *([_DELETED] if stream.deletes else [])]
    return table | {"columns": [*map(_column, contract.stored), *map(dict, ours)]}  # YAML would refer to a shared one


def _freshness(promised: timedelta) -> dict[str, Any]:
    """A load that is late warns; one that is missing, as twice the time went by, is an error."""
    return {"warn_after": _period(promised), "error_after": _period(2 * promised)}


def _period(time: timedelta) -> dict[str, Any]:
    minutes = max(1, round(time / timedelta(minutes=1)))
    periods = {"day": 24 * 60, "hour": 60, "minute": 1}
    period, length = next((period, length) for period, length in periods.items() if minutes % length == 0)
    return {"count": minutes // length, "period": period}


def _loaded_at(contract: Contract) -> str:
    """The ledger knows when a stream was loaded last; its rows know by which load they came, not when."""
    return sql("ops/loaded_at", source=contract.source, stream=contract.stream).strip()


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "description": column.description, "data_type": column.type}
    if column.privacy:
        found["config"] = {"meta": {"privacy": column.privacy.value}}
    return found


class _Indented(yaml.SafeDumper):
    """Indents lists below their key, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
