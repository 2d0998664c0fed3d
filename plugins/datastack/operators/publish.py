"""Publishes what a transform built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.stream import run_ref
from datastack.warehouse.marts import MARTS, Mart, MartSlices, Published, build_schema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from datastack.transform.manifest import Model


class PublishOperator(BaseOperator):
    """Brings a domain's gated marts to their readers in one transaction. Returns rows by mart.

    Skipped if rows were loaded since the plan that no gate has let pass.

    :param domain: the mart domain; its marts are the dbt models that are built in its schema.
    :param streams: the (source, stream) pairs that it reads.
    """

    template_fields: Sequence[str] = ("domain", "streams")

    def __init__(self, *, domain: str, streams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.streams = streams

    def execute(self, context: Any) -> dict[str, int]:
        """Publish all marts of the domain."""
        from datastack.transform.manifest import read_project
        from datastack.warehouse.plan import NewlyUngatedError
        from datastack.warehouse.publish import Release, publish

        project = read_project()
        checksums = {model.unique_id: model.checksum for model in project.models}
        release = Release(checksums, project.dbt_version, project.version)
        marts = [_mart(model) for model in project.marts(self.domain)]
        uri = connections.postgres_uri(connections.TRANSFORMER)
        streams = [(source, stream) for source, stream in self.streams]
        try:
            done = publish(uri, self.domain, marts, streams, release, run_ref(context))
        except NewlyUngatedError as ungated:
            raise AirflowSkipException(str(ungated)) from ungated
        self._published = done.marts
        if not done.is_new:
            self.log.warning(
                "an earlier try of this run has published already: nothing was published now. To publish what was "
                "built since, clear plan and what follows it"
            )
        self.log.info("publication %d of %s:", done.publication_id, self.domain)
        for each in done.marts:
            told = (each.table, each.how, each.rows, each.deleted, each.inserted)
            self.log.info("%s, %s: %d rows, %d taken out, %d brought in", *told)
        for table in done.left:
            self.log.warning(
                "marts.%s is of no model any more: readers keep it as it was published last. Once nobody needs it, as "
                "transformer: drop table marts.%s", table, table,
            )  # fmt: skip
        for warning in done.warnings:
            self.log.warning("%s", warning)
        return {each.table: each.rows for each in done.marts}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> "OperatorLineage":
        """Connect each built mart with the published one."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        published: tuple[Published, ...] = getattr(self, "_published", ())
        schema = build_schema(self.domain)
        return OperatorLineage(
            inputs=[datasets.read_from(self._name(schema, each.table)) for each in published],
            outputs=[datasets.written_to(self._name(MARTS, each.table), each.rows) for each in published],
        )

    def _name(self, schema: str, table: str) -> tuple[str, str]:
        return connections.postgres_table(connections.TRANSFORMER, schema, table)


def _mart(model: "Model") -> Mart:
    found = model.slices
    slices = MartSlices(found.source, found.stream, found.column) if found else None
    return Mart(model.alias, model.is_restricted, slices)
