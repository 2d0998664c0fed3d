"""Plans a transform by the ledger."""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators import connections
from datastack.operators.stream import run_ref


class PlanOperator(BaseOperator):
    """Writes into the ledger which loads the run takes: all that no standing publication holds.

    Skips the run when there is nothing to do, while a stream of the domain was never loaded, while rows are loaded that
    no gate has let pass, or while the domain is on hold. Returns the number of ``loads``, whether the plan is
    ``whole``, and whether dbt is to make a ``full_refresh``. A run's params may have ``force`` and ``full_refresh``.

    :param domain: the mart domain.
    :param streams: the (source, stream) pairs that it reads.
    """

    template_fields: Sequence[str] = ("domain", "streams")

    def __init__(self, *, domain: str, streams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.streams = streams

    def execute(self, context: Any) -> dict[str, Any]:
        """Look into the ledger, and write the plan."""
        from datastack.transform.manifest import read_project
        from datastack.warehouse.plan import Code, NothingToPlanError, Wish, make_plan

        models = read_project().models
        incremental = (model.unique_id for model in models if model.materialized == "incremental")
        code = Code({model.unique_id: model.checksum for model in models}, frozenset(incremental))
        params = context["params"]
        wish = Wish(force=bool(params.get("force")), full_refresh=bool(params.get("full_refresh")))
        uri = connections.postgres_uri(connections.TRANSFORMER)
        streams = [(source, stream) for source, stream in self.streams]
        try:
            plan = make_plan(uri, self.domain, streams, code, wish, run_ref(context))
        except NothingToPlanError as nothing:
            raise AirflowSkipException(str(nothing)) from nothing
        scope = "everything is built anew" if plan.whole else "incremental models take the slices of new loads"
        level = logging.WARNING if plan.ungated else logging.INFO
        self.log.log(level, "%d loads to publish; %s, as %s", plan.loads, scope, plan.reason)
        # What a whole plan follows from may have left tables that don't fit the models: dbt makes them anew.
        return {"loads": plan.loads, "whole": plan.whole, "full_refresh": plan.whole}
