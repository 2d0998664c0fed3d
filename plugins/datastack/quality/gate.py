"""Runs a Soda contract as a gate that fails closed.

Soda reports a refused connection, a missing table or bad SQL as a log record, not as an exception, and says
``is_ok`` when it evaluated nothing. So a gate here passes only if every declared check was evaluated, none failed,
and nothing was logged as an error.
"""

import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from datastack.quality.failing_rows import collecting
from datastack.quality.outcomes import PASSING, CheckResult, GateReport, Note, judged, objection
from datastack.quality.soda_contract import check_paths, lint

DATA_SOURCE = "warehouse"


@dataclass(frozen=True)
class Warehouse:
    """Where Soda connects to."""

    host: str
    port: int
    database: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Warehouse({self.user}@{self.host}:{self.port}/{self.database})"


def run_gate(
    contract: dict[str, Any], warehouse: Warehouse, today: date, notes: Mapping[str, Note] | None = None
) -> GateReport:
    """Verify a Soda contract and judge the answer.

    :param contract: the contract's content; its ``dataset`` names schema and table in ``warehouse``.
    :param today: the day, in UTC, that waivers are judged on.
    :param notes: on checks, by the path that Soda knows them by.
    :raises DeclarationError: if the contract is not valid.
    """
    os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")  # else its import replaces the OpenTelemetry provider
    dataset = "/".join(str(contract["dataset"]).split("/")[-2:])
    lint(Path(f"{dataset}.yml"), contract)
    with collecting() as failing:
        try:
            session = _verify(contract, warehouse)
        except Exception as error:  # whatever it is, the gate is closed, is recorded so, and says so
            text = str(error).replace(warehouse.password, "***") if warehouse.password else str(error)
            return _report(dataset, (), [f"Soda stopped: {type(error).__name__}: {text}"[:1000]])
    found = [item for one in session.contract_verification_results for item in one.check_results]
    results = tuple(judged(_result(item, notes or {}, failing), today) for item in found)
    return _report(dataset, results, _objections(contract, results, session))


def _report(dataset: str, results: tuple[CheckResult, ...], objections: list[str]) -> GateReport:
    """Report in which each objection is a result too, so that it is recorded."""
    closed = [str(result) for result in results if result.outcome not in PASSING]
    return GateReport(dataset, (*results, *map(objection, objections)), (*closed, *objections))


def _verify(contract: dict[str, Any], warehouse: Warehouse) -> Any:
    from soda_core.contracts import verify_contract_locally
    from soda_postgres.common.data_sources.postgres_data_source import PostgresDataSourceImpl
    from soda_postgres.common.data_sources.postgres_data_source_connection import PostgresDataSource

    connection = {
        "host": warehouse.host,
        "port": warehouse.port,
        "database": warehouse.database,
        "user": warehouse.user,
        "password": warehouse.password,
    }
    model = PostgresDataSource.model_validate({"type": "postgres", "name": DATA_SOURCE, "connection": connection})
    source = PostgresDataSourceImpl(data_source_model=model)
    with tempfile.TemporaryDirectory() as folder, source:
        file = Path(folder) / "contract.yml"
        file.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
        return verify_contract_locally(data_sources=[source], contract_file_path=str(file))


def _result(item: Any, notes: Mapping[str, Note], failing: Mapping[str, str]) -> CheckResult:
    check = item.check
    note = notes.get(check.relative_path, Note())
    low, high = _bounds(check.threshold)
    return CheckResult(
        name=check.name or check.type,
        type=check.type,
        column=check.column_name or note.column,
        outcome=item.outcome.name,
        level="fail" if check.threshold is None else check.threshold.level,
        value=None if item.threshold_value is None else float(item.threshold_value),
        low=low,
        high=high,
        threshold=None if check.threshold is None else " ".join(str(check.threshold).split("\n")[1:]) or None,
        measured={name: _finite(value) for name, value in (item.diagnostic_metric_values or {}).items()},
        detail=note.detail,
        waiver=note.waiver,
        failing=failing.get(check.identity),
    )


def _finite(value: Any) -> Any:
    """A value as JSON can hold it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _bounds(threshold: Any) -> tuple[float | None, float | None]:
    """Where a value must lie; without what says that it must be another than one."""
    if threshold is None:
        return None, None
    lows = (threshold.must_be, threshold.must_be_greater_than, threshold.must_be_greater_than_or_equal)
    highs = (threshold.must_be, threshold.must_be_less_than, threshold.must_be_less_than_or_equal)
    return next(map(float, _given(lows)), None), next(map(float, _given(highs)), None)


def _given(values: tuple[Any, ...]) -> Any:
    return (value for value in values if isinstance(value, int | float))


def _objections(contract: dict[str, Any], results: tuple[CheckResult, ...], session: Any) -> list[str]:
    objections = []
    declared = len(check_paths(contract))
    if len(results) != declared:
        objections.append(f"{len(results)} checks were evaluated, {declared} are declared")
    if session.has_errors:
        objections.append(f"Soda reports errors: {session.get_errors_str()[:1000]}")
    return objections
