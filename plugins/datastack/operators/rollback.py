"""Takes a publication back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators import connections
from datastack.operators.stream import run_ref

if TYPE_CHECKING:
    from datastack.warehouse.rollback import Rollback


class PlanRollbackOperator(BaseOperator):
    """Tells which publication of a domain a rollback takes back, mart by mart. Returns the publication's id.

    :param domain: the mart domain.
    """

    template_fields: Sequence[str] = ("domain",)

    def __init__(self, *, domain: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain

    def execute(self, context: Any) -> int:
        """Look into the ledger."""
        from datastack.warehouse.rollback import planned_rollback

        found = planned_rollback(connections.postgres_uri(connections.TRANSFORMER), self.domain)
        told = (found.publication_id, self.domain, found.published_at.isoformat(), found.previous_id)
        self.log.info("publication %d of %s, published at %s, is to be taken back; %d stands then", *told)
        _tell(self, found)
        return found.publication_id


class RollBackOperator(BaseOperator):
    """Lets readers see again what they saw before a domain's last publication, and puts the domain on hold.

    Skipped if the run's param ``dry_run`` is set. Returns the id of the publication that readers see then; nothing, if
    an earlier try of the run has taken one back.

    :param domain: the mart domain.
    :param publication_id: what the plan task returned.
    """

    template_fields: Sequence[str] = ("domain", "publication_id")

    def __init__(self, *, domain: str, publication_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.publication_id = publication_id

    def execute(self, context: Any) -> int | None:
        """Roll back."""
        from datastack.warehouse.rollback import roll_back

        if context["params"].get("dry_run"):
            raise AirflowSkipException("dry_run: nothing was changed; the log of plan says what would be taken back")
        uri = connections.postgres_uri(connections.TRANSFORMER)
        found = roll_back(uri, self.domain, int(self.publication_id), run_ref(context))
        if found is None:
            self.log.info(
                "this run has taken a publication of %s back before; trigger another for one more", self.domain
            )
            return None
        _tell(self, found)
        for warning in found.warnings:
            self.log.warning("%s", warning)
        self.log.warning(
            "publication %d of %s is taken back, %d stands. %s is on hold: transforms are skipped until one is "
            "triggered with force", found.publication_id, self.domain, found.previous_id, self.domain,
        )  # fmt: skip
        return found.previous_id


def _tell(operator: BaseOperator, rollback: "Rollback") -> None:
    """Log what a rollback means for each mart."""
    for each in rollback.marts:
        if each.is_new:
            operator.log.info("%s: dropped, as the publication created it", each.table)
        elif "copy" in each.kept:
            operator.log.info("%s: brought back as it was, its columns too", each.table)
        else:
            counts = (each.table, each.inserted, each.deleted)
            operator.log.info("%s: %d rows that it brought in are taken out, %d brought back", *counts)
