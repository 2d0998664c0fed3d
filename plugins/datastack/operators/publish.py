"""Plans a transform by the ledger, and publishes what it built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import run_ref
from datastack.warehouse.publish import MARTS, Published, build_schema, pending_loads, publish

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class PlanOperator(BaseOperator):
    """Asks the ledger which loads are not published yet, and returns their ids.

    Skips the run when there are none, or while a stream of the domain was never loaded.

    :param domain: the mart domain.
    :param streams: the (source, stream) pairs that it reads.
    """

    template_fields: Sequence[str] = ("domain", "streams")

    def __init__(self, *, domain: str, streams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.streams = streams

    def execute(self, context: Any) -> list[int]:
        """Look into the ledger."""
        streams = [(source, stream) for source, stream in self.streams]
        pending = pending_loads(connections.postgres_uri(connections.TRANSFORMER), self.domain, streams)
        if pending.awaited:
            raise AirflowSkipException(
                f"not loaded yet: {', '.join(pending.awaited)}; the run that loads them starts this DAG again"
            )
        if not pending.load_ids and not context["params"].get("force"):
            raise AirflowSkipException("every load is published already; trigger with force to build all the same")
        self.log.info("%d loads to publish: %s", len(pending.load_ids), pending.load_ids)
        return list(pending.load_ids)


class PublishOperator(BaseOperator):
    """Brings a domain's gated marts to their readers in one transaction. Returns rows by mart.

    :param domain: the mart domain; its marts are those with a contract in include/soda/<domain>.
    :param load_ids: what the plan task returned.
    """

    template_fields: Sequence[str] = ("domain", "load_ids")

    def __init__(self, *, domain: str, load_ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.load_ids = load_ids

    def execute(self, context: Any) -> dict[str, int]:
        """Publish all marts of the domain."""
        from datastack.quality.soda_contract import mart_contract_files

        tables = [file.stem for file in mart_contract_files(self.domain)]
        uri = connections.postgres_uri(connections.TRANSFORMER)
        self._published = publish(uri, self.domain, tables, self.load_ids, run_ref(context))
        for each in self._published:
            self.log.info(
                "%s: %d rows, %d taken out, %d brought in", each.table, each.rows, each.deleted, each.inserted
            )
        return {each.table: each.rows for each in self._published}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> "OperatorLineage":
        """Connect each built mart with the published one."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        published: list[Published] = getattr(self, "_published", [])
        schema = build_schema(self.domain)
        return OperatorLineage(
            inputs=[datasets.read_from(self._name(schema, each.table)) for each in published],
            outputs=[datasets.written_to(self._name(MARTS, each.table), each.rows) for each in published],
        )

    def _name(self, schema: str, table: str) -> tuple[str, str]:
        return connections.postgres_table(connections.TRANSFORMER, schema, table)
