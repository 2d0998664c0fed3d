"""Derives dbt's source declarations from the contracts."""

from pathlib import Path
from typing import Any

import yaml

from datastack.contract.model import Column, Contract
from datastack.contract.registry import include_dir, load_source

_HEADER = "# Generated from include/contracts by `make generate`; edit those instead.\n"


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
                "tables": [_table(contract) for contract in declared.contracts.values()],
            }
        ],
    }
    return _HEADER + yaml.dump(content, Dumper=_Indented, sort_keys=False, width=110, allow_unicode=True)


def _table(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.stream,
        "description": f"{contract.description}: {contract.grain}.",
        "columns": [_column(column) for column in contract.stored],
    }


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "description": column.description, "data_type": column.type}
    if column.privacy:
        found["config"] = {"meta": {"privacy": column.privacy.value}}
    return found


class _Indented(yaml.SafeDumper):
    """Indents lists below their key, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
