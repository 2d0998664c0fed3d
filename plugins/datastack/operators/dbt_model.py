"""Shows what dbt made of one model as a task, and builds that model when it alone is cleared.

Cosmos' sensor waits for ever for a model that a successful dbt never built, ends as skipped for one that dbt skipped
(https://github.com/astronomer/astronomer-cosmos/issues/2698), which lets a run end green, and starts a dbt of its own
for each model when a run is cleared. This one does not.
"""

import time
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from cosmos.operators._watcher.state import is_producer_task_terminated
from cosmos.operators.watcher import DbtConsumerWatcherSensor

from datastack.operators.dbt_build import CLEARS_KEY
from datastack.operators.dbt_lineage import LineageWithFailures
from datastack.operators.dbt_verdicts import Verdict, verdict_key

YIELD_SECONDS = 30  # of waiting for a dbt that does not run


class DbtModelOperator(LineageWithFailures, DbtConsumerWatcherSensor):
    """Succeeds when dbt has built the model, and all of its tests have passed or warned.

    It fails for good when they have not. It fails and is tried again when the task that runs dbt waits for a slot:
    tasks that wait must not hold all of them. When it was cleared without that task, it builds its model itself.
    """

    base_cmd = ["build"]  # noqa: RUF012 - as Cosmos declares it

    def poke(self, context: Any) -> bool:
        """Look for the verdict.

        :raises AirflowFailException: with dbt's words, if it is not good, or dbt ended without one.
        """
        if verdict := self._verdict(context):
            return self._accept(verdict, context)
        if not is_producer_task_terminated(state := self._get_producer_task_status(context)):
            self._yield_slot(state)
            return False
        if verdict := self._verdict(context):  # it came between the two looks
            return self._accept(verdict, context)
        clears = context["ti"].xcom_pull(task_ids=self.producer_task_id, key=CLEARS_KEY)
        if clears is None or clears == context["dag_run"].clear_number:
            raise AirflowFailException(
                f"{self.producer_task_id} ended ({state}) and did not build {self.model_unique_id}. Its log says why. "
                "Clear the failed tasks of this run together: dbt then builds everything again."
            )
        return bool(self._fallback_to_non_watcher_run(context["ti"].try_number, context))

    def _verdict(self, context: Any) -> Verdict | None:
        pulled = context["ti"].xcom_pull(task_ids=self.producer_task_id, key=verdict_key(self.model_unique_id))
        return Verdict.of(pulled, context["dag_run"].clear_number)

    def _accept(self, verdict: Verdict, context: Any) -> bool:
        if not verdict.good:
            raise AirflowFailException(
                f"{verdict.message}\nAfter a fix, clear the failed tasks of this run together: dbt then builds "
                "everything again."
            )
        self.log.info("%s: %s", self.model_unique_id, verdict.message)
        if verdict.sql:
            self.compiled_sql = verdict.sql
            self._override_rtif(context)
        return True

    def _yield_slot(self, producer_state: str | None) -> None:
        if producer_state == "running":
            self._waits_since = None
            return
        self._waits_since = getattr(self, "_waits_since", None) or time.monotonic()
        if time.monotonic() - self._waits_since > YIELD_SECONDS:
            raise AirflowException(
                f"{self.producer_task_id} is {producer_state or 'not queued'} for {YIELD_SECONDS} s: this task gives "
                "its slot back, and is tried again."
            )
