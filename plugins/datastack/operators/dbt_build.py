"""Runs dbt once for a whole project, and tells each model's task what became of its model.

Cosmos' producer of its WATCHER mode does not run dbt again when it is retried or cleared
(https://github.com/astronomer/astronomer-cosmos/issues/1978), and reports a model as failed at once, so that the tries
of the model's task burn out while dbt could still be tried again
(https://github.com/astronomer/astronomer-cosmos/issues/3001). This one does, and does not.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException
from cosmos.constants import _PRODUCER_CMD_FLAGS_XCOM_KEY  # by which a model that is built alone gets --full-refresh
from cosmos.operators.local import AbstractDbtLocalBase, DbtLocalBaseOperator
from cosmos.operators.watcher import DbtProducerWatcherOperator

from datastack.operators import connections
from datastack.operators.dbt_lineage import LineageWithFailures
from datastack.operators.dbt_verdicts import Verdict, Verdicts, verdict_key

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

CLEARS_KEY = "clears"
WAREHOUSE_SECONDS = 120  # how long a warehouse may take to come back before dbt is tried again
PAUSE_SECONDS = 2.0


class DbtBuildOperator(LineageWithFailures, DbtProducerWatcherOperator):
    """Runs `dbt build`; nodes that ended by an error are built once more, when the warehouse answers.

    That heals a lost connection, a deadlock, a restart: dbt builds each model in a transaction. What a test finds is
    final, and so is an error that comes twice: the task fails without another try. When dbt itself ends, or is killed,
    Airflow's retry builds everything again, while the models' tasks wait.
    """

    def execute(self, context: Any, **kwargs: Any) -> Any:
        """Build the project.

        :raises AirflowFailException: naming the models and tests that are not good.
        """
        self.log_format = None  # for people: the verdicts come from dbt's events, not from its output
        task_instance, clears = context["ti"], context["dag_run"].clear_number

        def tell(model: str, verdict: Verdict) -> None:
            task_instance.xcom_push(key=verdict_key(model), value=verdict.as_xcom())

        self._verdicts = Verdicts(self.tests_per_model, clears, tell)
        task_instance.xcom_push(key=CLEARS_KEY, value=clears)
        task_instance.xcom_push(key=_PRODUCER_CMD_FLAGS_XCOM_KEY, value=self.add_cmd_flags())
        return DbtLocalBaseOperator.execute(self, context, **kwargs)

    def run_dbt_runner(self, command: list[str], env: dict[str, str], cwd: str, **kwargs: Any) -> "dbtRunnerResult":
        """Run the command, and what ended by an error once more."""
        self._dbt_runner_callbacks = [lambda event: self._on_event(event, cwd)]
        result = self._invoke(command, env, cwd)
        if result.exception or self._verdicts.broken():
            self.log.warning("dbt is tried once more after:\n%s", result.exception or self._not_good())
            self._await_warehouse()
            if (Path(cwd) / "target" / "run_results.json").exists():
                self.calculate_openlineage_events_completes(dict(env), Path(cwd), command)
                command = [*command[: command.index("build")], "retry", *command[command.index("--project-dir") :]]
            result = self._invoke(command, env, cwd)
        return result

    def _invoke(self, command: list[str], env: dict[str, str], cwd: str) -> "dbtRunnerResult":
        result = AbstractDbtLocalBase.run_dbt_runner(self, command, env, cwd)
        for each in getattr(result.result, "results", ()):  # all of them, also those that dbt skipped
            self._verdicts.node_finished(each.node.unique_id, str(each.status), each.message or "")
        return result

    def handle_exception_dbt_runner(self, result: "dbtRunnerResult") -> None:
        """Tell the verdicts that are left, unless dbt ended early: then Airflow's retry builds everything again."""
        if result.exception:
            super().handle_exception_dbt_runner(result)
        self._verdicts.finish()
        if not result.success or self._verdicts.not_good():
            raise AirflowFailException(
                f"dbt did not build everything; consumers keep what they had:\n{self._not_good()}"
            )

    def _not_good(self) -> str:
        return "\n".join(self._verdicts.not_good())

    def _on_event(self, event: Any, cwd: str) -> None:
        if event.info.name == "NodeFinished":
            node = event.data.node_info
            path = Path(cwd, "target", "compiled", node.unique_id.split(".")[1], "models", node.node_path)
            sql = path.read_text() if node.resource_type == "model" and path.is_file() else None
            self._verdicts.node_finished(node.unique_id, node.node_status, event.data.run_result.message, sql)

    def _await_warehouse(self) -> None:
        """Wait until the warehouse takes connections; let dbt say so if it does not for too long."""
        import psycopg

        address = connections.postgres_uri(self.profile_config.profile_mapping.conn_id)
        deadline = time.monotonic() + WAREHOUSE_SECONDS
        while True:
            time.sleep(PAUSE_SECONDS)
            try:
                psycopg.connect(address, connect_timeout=10).close()
                return
            except psycopg.OperationalError as error:
                self.log.warning("the warehouse does not answer: %s", error)
                if time.monotonic() > deadline:
                    return
