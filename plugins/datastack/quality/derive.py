"""Derives a Soda contract from a stream's data contract: what is promised is what is checked."""

from typing import Any

from datastack.contract.model import Column, Contract


def soda_contract(contract: Contract, dataset: str) -> dict[str, Any]:
    """Soda v4 contract for the raw table of a stream.

    :param dataset: Soda's qualified name, ``<data source>/<database>/<schema>/<table>``.
    """
    checks: list[dict[str, Any]] = [
        {"schema": {"allow_extra_columns": True, "allow_other_column_order": True}},  # as a table grows
        {"row_count": {"threshold": {"must_be_greater_than_or_equal": contract.minimum_rows}}},
    ]
    if len(contract.key) > 1:
        checks.append({"duplicate": {"name": f"key {', '.join(contract.key)}", "columns": list(contract.key)}})
    return {
        "dataset": dataset,
        "checks": checks,
        "columns": [_column(column, contract) for column in contract.stored],
    }


def _column(column: Column, contract: Contract) -> dict[str, Any]:
    checks: list[dict[str, Any]] = []
    if column.required:
        checks.append({"missing": None})
    if contract.key == (column.name,):
        checks.append({"duplicate": None})
    if invalid := _invalid(column):
        checks.append({"invalid": invalid})
    return {"name": column.name} | ({"checks": checks} if checks else {})


def _invalid(column: Column) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if column.allowed:
        rules["valid_values"] = list(column.allowed)
    if column.pattern:
        rules["valid_format"] = {"regex": column.pattern, "name": column.pattern}
    if column.minimum is not None:
        rules["valid_min"] = column.minimum
    if column.maximum is not None:
        rules["valid_max"] = column.maximum
    return rules
