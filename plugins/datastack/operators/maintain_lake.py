"""Applies retention to the lake."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators import connections


class PlanRetentionOperator(BaseOperator):
    """Stores and logs what may go from the lake. Returns the plan's key, and attempts, objects and bytes in it."""

    def execute(self, context: Any) -> dict[str, Any]:
        """Look through the lake."""
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
        return {"plan": key, "attempts": len(plan.entries), "objects": plan.objects, "bytes": plan.bytes}


class DeleteExpiredOperator(BaseOperator):
    """Deletes what a plan names, unless param ``dry_run`` is set. Returns attempts, objects and bytes.

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
        return {"attempts": done.deleted, "objects": done.objects, "bytes": done.bytes}
