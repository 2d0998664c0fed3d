"""Lineage of dbt commands run by Cosmos, with what failed.

Cosmos keeps the events of models and tests that passed, and drops those that failed
(`calculate_openlineage_events_completes` in cosmos/operators/local.py): a consumer of lineage would never see a failing
assertion.
"""

from pathlib import Path
from typing import Any

from cosmos.operators.local import AbstractDbtLocalBase


class LineageWithFailures(AbstractDbtLocalBase):
    """Mixin for Cosmos' operators: failing tests and models reach OpenLineage too, of every dbt command of the task."""

    openlineage_events_completes: list[Any]  # as Cosmos declares it, by a name that is imported for types only

    @staticmethod
    def _get_dbt_local_artifact_processor() -> Any:
        from openlineage.common.provider.dbt.local import DbtLocalArtifactProcessor

        class Processor(DbtLocalArtifactProcessor):
            def parse(self) -> Any:
                events = super().parse()
                events.completes.extend(events.fails)
                return events

        return Processor

    def calculate_openlineage_events_completes(
        self, env: dict[str, Any], project_dir: Path, dbt_command_line: list[str] | None = None
    ) -> bool:
        """Add the events of one more dbt command, read from its artifacts."""
        earlier = list(self.openlineage_events_completes)
        self.openlineage_events_completes = []
        available: bool = super().calculate_openlineage_events_completes(env, project_dir, dbt_command_line)
        self.openlineage_events_completes = [*earlier, *self.openlineage_events_completes]
        return available
