"""Lets data pass, or not."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir, load_source
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import run_ref
from datastack.warehouse.load import WarehouseError, raw_schema
from datastack.warehouse.marts import build_schema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from datastack.operators.gating import Gate
    from datastack.quality.outcomes import GateReport


class GateOperator(BaseOperator):
    """Runs Soda contracts; fails unless every check of every one was evaluated and passed, warned or is waived.

    All of them run and are recorded in ``ops.gate_results`` before the task fails.

    :param conn_id: warehouse connection, of a role that reads the data and writes results.
    """

    def __init__(self, *, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._reports: list[GateReport] = []

    def gates(self, place: str, today: date) -> "Iterator[Gate]":
        """Gates to run.

        :param place: Soda's name of the warehouse's database.
        :param today: the day, in UTC, that waivers are judged on.
        """
        raise NotImplementedError

    def execute(self, context: Any) -> dict[str, int]:
        """Run the gates; return how many checks had which outcome."""
        from datastack.operators import gating
        from datastack.quality.gate import DATA_SOURCE
        from datastack.quality.outcomes import unchecked

        self._reports = []
        warehouse, uri = connections.soda_warehouse(self.conn_id), connections.postgres_uri(self.conn_id)
        today = datetime.now(UTC).date()
        try:
            for gate in self.gates(f"{DATA_SOURCE}/{warehouse.database}", today):
                self._reports.append(gating.run(uri, gate, warehouse, self.task_id, run_ref(context), today))
        except WarehouseError as error:
            self._reports.append(unchecked(self.dataset, str(error)))
        self._require_open()
        outcomes: dict[str, int] = {}
        for result in (result for report in self._reports for result in report.results):
            outcomes[result.outcome] = outcomes.get(result.outcome, 0) + 1
        return outcomes

    @property
    def dataset(self) -> str:
        """What the gate is on, ``<schema>/<table>`` or a schema."""
        raise NotImplementedError

    def _require_open(self) -> None:
        from datastack.quality.outcomes import GateError

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

        inputs = []
        for report in self._reports:
            schema, _, table = report.dataset.partition("/")
            inputs.append(datasets.checked(connections.postgres_table(self.conn_id, schema, table), report.results))
        return OperatorLineage(inputs=inputs)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> "OperatorLineage":
        """Attach them when the gate is closed, too."""
        return self.get_openlineage_facets_on_complete(task_instance)


class GateStreamOperator(GateOperator):
    """Gate on a stream's raw table: its contract follows from the stream's data contract.

    Rows are looked at that no gate has let pass yet, whatever run brought them.
    """

    template_fields: Sequence[str] = ("source", "stream")

    def __init__(self, *, source: str, stream: str, conn_id: str = connections.LOADER, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.source = source
        self.stream = stream

    @property
    def dataset(self) -> str:
        """The raw table."""
        return f"{raw_schema(self.source)}/{self.stream}"

    def gates(self, place: str, today: date) -> "Iterator[Gate]":
        """Derive the one contract of the stream."""
        from datastack.operators.gating import stream_gate

        declared = load_source(self.source)
        contract, stream = declared.contracts[self.stream], declared.source.streams[self.stream]
        uri = connections.postgres_uri(self.conn_id)
        yield stream_gate(uri, contract, stream, f"{place}/{self.dataset}", today)


class GateMartsOperator(GateOperator):
    """Gate on a domain's built marts: the contracts in include/soda/<domain>, one for each mart, or it is closed."""

    template_fields: Sequence[str] = ("domain",)

    def __init__(self, *, domain: str, conn_id: str = connections.TRANSFORMER, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.domain = domain

    @property
    def dataset(self) -> str:
        """The schema of the built marts."""
        return build_schema(self.domain)

    def gates(self, place: str, today: date) -> "Iterator[Gate]":
        """Read the domain's mart contracts, pointed at where dbt built them."""
        from datastack.operators.gating import Gate
        from datastack.quality.mart_waivers import mart_notes
        from datastack.quality.soda_contract import mart_contract_files, read_mart_contract
        from datastack.warehouse.gate_results import planned_loads

        found = {file.stem: read_mart_contract(file) for file in mart_contract_files(self.domain)}
        self._require_contracts(found)
        notes = mart_notes(self.domain, found)
        planned = planned_loads(connections.postgres_uri(self.conn_id), self.domain)
        for mart, content in found.items():
            contract = content | {"dataset": f"{place}/{self.dataset}/{mart}"}
            yield Gate(contract, notes[mart], partial(self._readable, mart), load_ids=planned)

    def _require_contracts(self, marts: Iterable[str]) -> None:
        """A mart without a contract would be published unchecked.

        :raises DeclarationError: naming those that have none.
        """
        from datastack.transform.manifest import read_project

        missing = sorted({model.alias for model in read_project().marts(self.domain)}.difference(marts))
        if missing:
            folder, problem = include_dir() / "soda" / self.domain, f"holds no contract of {', '.join(missing)}"
            raise DeclarationError(folder, "(folder)", problem, "Add <mart>.yml: what is not checked is not published.")

    def _readable(self, mart: str) -> list[str]:
        """Columns that the dbt model has without a privacy rule."""
        from datastack.transform.manifest import read_project

        marts = [model for model in read_project().marts(self.domain) if model.alias == mart]
        return [column.name for model in marts for column in model.columns if column.privacy is None]
