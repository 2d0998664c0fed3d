"""Lets data pass, or not."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from datastack.contract.registry import load_source
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import run_ref
from datastack.warehouse.gate_results import record_gate
from datastack.warehouse.load import raw_schema
from datastack.warehouse.publish import build_schema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from datastack.quality.gate import GateReport, Warehouse


class GateOperator(BaseOperator):
    """Runs Soda contracts; fails unless every check of every one was evaluated and passed or warned.

    All of them run and are recorded in ``ops.gate_results`` before the task fails.

    :param conn_id: warehouse connection, of a role that reads the data and writes results.
    """

    def __init__(self, *, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def contracts(self, database: str) -> list[dict[str, Any]]:
        """Soda contracts to run, their datasets in ``database``."""
        raise NotImplementedError

    def execute(self, context: Any) -> dict[str, int]:
        """Run the contracts; return how many checks had which outcome."""
        warehouse = connections.soda_warehouse(self.conn_id)
        self._reports = [self._run(contract, warehouse, context) for contract in self.contracts(warehouse.database)]
        outcomes: dict[str, int] = {}
        for result in (result for report in self._reports for result in report.results):
            outcomes[result.outcome] = outcomes.get(result.outcome, 0) + 1
            if result.outcome == "WARN":
                self.log.warning("%s: %s, measured %s", result.name, result.outcome, result.measured)
        self._require_open()
        return outcomes

    def _run(self, contract: dict[str, Any], warehouse: "Warehouse", context: Any) -> "GateReport":
        from datastack.quality.gate import run_gate

        report = run_gate(contract, warehouse)
        results = [asdict(result) for result in report.results]
        uri = connections.postgres_uri(self.conn_id)
        record_gate(uri, self.task_id, report.dataset, results, run_ref(context))
        return report

    def _require_open(self) -> None:
        from datastack.quality.gate import GateError

        closed = []
        for report in self._reports:
            try:
                report.require_open()
            except GateError as error:
                closed.append(str(error))
        if closed:
            raise GateError("\n".join(closed))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> "OperatorLineage":
        """Attach each check to its dataset as an assertion."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        reports: list[GateReport] = getattr(self, "_reports", [])
        names = [connections.postgres_table(self.conn_id, *report.dataset.split("/")) for report in reports]
        inputs = [datasets.checked(name, report.results) for name, report in zip(names, reports, strict=True)]
        return OperatorLineage(inputs=inputs)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> "OperatorLineage":
        """Attach them when the gate is closed, too."""
        return self.get_openlineage_facets_on_complete(task_instance)


class GateStreamOperator(GateOperator):
    """Gate on a stream's raw table: its contract follows from the stream's data contract."""

    template_fields: Sequence[str] = ("source", "stream")

    def __init__(self, *, source: str, stream: str, conn_id: str = connections.LOADER, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.source = source
        self.stream = stream

    def contracts(self, database: str) -> list[dict[str, Any]]:
        """Derive the one contract of the stream."""
        from datastack.quality.derive import soda_contract
        from datastack.quality.gate import DATA_SOURCE

        dataset = "/".join((DATA_SOURCE, database, raw_schema(self.source), self.stream))
        return [soda_contract(load_source(self.source).contracts[self.stream], dataset)]


class GateMartsOperator(GateOperator):
    """Gate on a domain's built marts: the contracts in include/soda/<domain>."""

    template_fields: Sequence[str] = ("domain",)

    def __init__(self, *, domain: str, conn_id: str = connections.TRANSFORMER, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.domain = domain

    def contracts(self, database: str) -> list[dict[str, Any]]:
        """Read the domain's mart contracts, pointed at where dbt built them."""
        from datastack.quality.gate import DATA_SOURCE
        from datastack.quality.soda_contract import mart_contract_files, read_mart_contract

        place = "/".join((DATA_SOURCE, database, build_schema(self.domain)))
        files = mart_contract_files(self.domain)
        return [read_mart_contract(file) | {"dataset": f"{place}/{file.stem}"} for file in files]
