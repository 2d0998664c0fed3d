"""Waits for what is on its way, so that it is transformed in one run."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator

_PATIENCE = timedelta(minutes=30)
_POKE_SECONDS = 15.0
_ACTIVE = ["scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule"]


class SettleOperator(BaseSensorOperator):
    """Waits while runs of a domain's ingest DAGs are queued or at work; holds no worker meanwhile.

    A run that only waits for files, in deferred tasks, is not waited for: that may take days. After half an hour the
    transform goes on with what is loaded; what comes later starts another one.

    :param dag_ids: the DAGs that load what the domain reads.
    """

    template_fields: Sequence[str] = ("dag_ids",)

    def __init__(self, *, dag_ids: list[str], **kwargs: Any) -> None:
        # The sensor's own time limit fails, so it comes later than ours.
        timeout = (2 * _PATIENCE).total_seconds()
        super().__init__(mode="reschedule", poke_interval=_POKE_SECONDS, timeout=timeout, **kwargs)
        self.dag_ids = dag_ids

    def poke(self, context: Any) -> bool:
        """Look whether all is quiet, or it is time to go on."""
        ti = context["ti"]
        busy = [said for dag_id in self.dag_ids if (said := _work(ti, dag_id))]
        if not busy:
            return True
        since = ti.get_first_reschedule_date(context)
        waited = datetime.now(UTC) - since if since else timedelta(0)
        if waited >= _PATIENCE:
            self.log.warning(
                "still loading after %s: %s. The transform takes what is loaded; the rest starts another", waited,
                "; ".join(busy),
            )  # fmt: skip
            return True
        self.log.info("loading, waited for %s: %s", waited, "; ".join(busy))
        return False


def _work(ti: Any, dag_id: str) -> str | None:
    """What a DAG has to do now; None if it rests, or only waits for files."""
    queued = ti.get_dr_count(dag_id=dag_id, states=["queued"])
    active = ti.get_ti_count(dag_id=dag_id, states=_ACTIVE)
    if queued or active:
        return f"{dag_id} has {queued} queued runs and {active} active tasks"
    # Between two tasks none is active.
    if ti.get_dr_count(dag_id=dag_id, states=["running"]) and not ti.get_ti_count(dag_id=dag_id, states=["deferred"]):
        return f"{dag_id} has a running run"
    return None
