"""Applies retention to the lake, and to the results of gates."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators import connections


class PlanRetentionOperator(BaseOperator):
    """Stores and logs what may go from the lake and of the results of gates.

    Returns the plan's key, and the attempts, objects, bytes, gate_samples and gate_results in it.
    """

    def execute(self, context: Any) -> dict[str, Any]:
        """Look through the lake and the ledger."""
        from datastack.operators.retention import Planner, declared_retention

        uri = connections.postgres_uri(connections.LOADER)
        inventory, lake = connections.lake_inventory(), connections.lake_store()
        plan = Planner(inventory, uri, declared_retention(), datetime.now(UTC)).plan()
        key = plan.key(context["ti"].run_id)
        lake.write(key, plan.model_dump_json(indent=1).encode())
        for line in plan.lines():
            self.log.info(line)
        for stream, folders in sorted(plan.undeclared.items()):
            self.log.warning("%s is not declared any more: its %d attempts in the lake are kept", stream, folders)
        if not plan.is_complete:
            self.log.warning("there is more that may go than one plan names: the next run goes on")
        self.log.info("%d objects, %s bytes may go: %s", plan.objects, f"{plan.bytes:,}", lake.uri(key))
        rows = {"gate_samples": plan.gate_samples, "gate_results": plan.gate_results}
        return {"plan": key, "attempts": len(plan.entries), "objects": plan.objects, "bytes": plan.bytes} | rows


class DeleteExpiredOperator(BaseOperator):
    """Deletes what a plan names, unless param ``dry_run`` is set. Returns what went, counted as in the plan.

    :param plan: what the plan task returned.
    """

    template_fields: Sequence[str] = ("plan",)

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    def execute(self, context: Any) -> dict[str, int]:
        """Carry out the plan."""
        from datastack.operators.expiry import carry_out
        from datastack.operators.retention import RetentionPlan

        lake, key = connections.lake_store(), self.plan["plan"]
        if context["params"].get("dry_run"):
            raise AirflowSkipException(f"dry run: nothing was deleted; {lake.uri(key)} says what would be")
        plan = RetentionPlan.model_validate_json(lake.read(key))
        done = carry_out(plan, connections.lake_inventory(), connections.postgres_uri(connections.LOADER))
        self.log.info(
            "%d attempts deleted (%d objects, %s bytes), %d were gone before, %d are kept",
            done.deleted,
            done.objects,
            f"{done.bytes:,}",
            done.gone_before,
            done.kept,
        )
        self.log.info("%d samples and %d results of gates deleted", done.gate_samples, done.gate_results)
        rows = {"gate_samples": done.gate_samples, "gate_results": done.gate_results}
        return {"attempts": done.deleted, "objects": done.objects, "bytes": done.bytes} | rows
