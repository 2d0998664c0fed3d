"""Runs a Soda contract as a gate that fails closed.

Soda reports a refused connection, a missing table or bad SQL as a log record, not as an exception, and says
``is_ok`` when it evaluated nothing. So a gate here passes only if every declared check was evaluated, none failed,
and nothing was logged as an error.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from datastack.quality.soda_contract import declared_checks, lint

DATA_SOURCE = "warehouse"
PASSING = frozenset({"PASSED", "WARN"})


class GateError(RuntimeError):
    """A gate is closed: data failed a check, or a check could not be evaluated."""


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


@dataclass(frozen=True)
class CheckResult:
    """What one check measured. ``outcome`` is PASSED, WARN, FAILED, NOT_EVALUATED or EXCLUDED."""

    name: str
    type: str
    column: str | None
    outcome: str
    measured: dict[str, Any]
    threshold: str | None


@dataclass(frozen=True)
class GateReport:
    """All results of one contract, and the reasons why its gate is closed (none: it is open)."""

    dataset: str
    results: tuple[CheckResult, ...]
    closed_because: tuple[str, ...]

    def require_open(self) -> None:
        """Pass, or say why not.

        :raises GateError: if the gate is closed.
        """
        if self.closed_because:
            reasons = "\n  ".join(self.closed_because)
            raise GateError(f"the gate on {self.dataset} is closed; consumers keep what they had:\n  {reasons}")


def run_gate(contract: dict[str, Any], warehouse: Warehouse) -> GateReport:
    """Verify a Soda contract and judge the answer.

    :param contract: the contract's content; its ``dataset`` names schema and table in ``warehouse``.
    :raises DeclarationError: if the contract is not valid.
    """
    os.environ.setdefault("SODA_CORE_TELEMETRY_ENABLED", "false")  # else its import replaces the OpenTelemetry provider
    dataset = "/".join(str(contract["dataset"]).split("/")[-2:])
    lint(Path(f"{dataset}.yml"), contract)
    session = _verify(contract, warehouse)
    results = tuple(_result(item) for one in session.contract_verification_results for item in one.check_results)
    return GateReport(dataset, results, tuple(_objections(contract, results, session)))


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


def _result(item: Any) -> CheckResult:
    threshold = item.check.threshold
    return CheckResult(
        name=item.check.name or item.check.type,
        type=item.check.type,
        column=item.check.column_name,
        outcome=item.outcome.name,
        measured=dict(item.diagnostic_metric_values or {}),
        threshold=None if threshold is None else str(threshold),
    )


def _objections(contract: dict[str, Any], results: tuple[CheckResult, ...], session: Any) -> list[str]:
    objections = [
        f"{result.column or 'table'}: {result.name}: {result.outcome}, measured {result.measured}"
        for result in results
        if result.outcome not in PASSING
    ]
    declared = declared_checks(contract)
    if len(results) != declared:
        objections.append(f"{len(results)} checks were evaluated, {declared} are declared")
    if session.has_errors:
        objections.append(f"Soda reports errors: {session.get_errors_str()[:1000]}")
    return objections
