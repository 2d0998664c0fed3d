"""An Airflow with the cases' DAGs, beside a warehouse that a test may stop."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import airflow_env, bootstrap, postgres
from local.airflow_api import AirflowApi
from local.net import HOST, free_ports
from local.process import ServerProcess
from local.run_file import kill_family
from local.settings import PORTS_FILE, REPO, Settings
from local.stack import Stack
from tests.e2e.driver import Driver
from tests.e2e.transform import cases

PROCESSES = ("api-server", "scheduler", "dag-processor")  # nothing here defers: no triggerer


class Airflow(Driver):
    """A running Airflow, its warehouse apart from its own database.

    :param warehouse: the server that dbt works on.
    """

    def __init__(self, settings: Settings, warehouse: postgres.Server) -> None:
        super().__init__(settings, date(2025, 6, 1))
        self.warehouse = warehouse
        self.processes: dict[str, ServerProcess] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Of Airflow's processes: the stack's, but for DAGs, slots and warehouse."""
        connections = airflow_env.connections(self.settings, self.stack.secrets)
        transformer = connections["warehouse_transformer"] | {"port": self.warehouse.port}
        return self.stack.airflow_env | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.settings.state / "dags"),
            "AIRFLOW__CORE__PARALLELISM": "16",
            "AIRFLOW_CONN_WAREHOUSE_TRANSFORMER": json.dumps(transformer),
        }

    def built(self, case: str) -> dict[str, int]:
        """How often each model of a case was built."""
        with self.warehouse.connect("warehouse") as db:
            query = "select model, count(*) from control.built where case_name = %s group by 1"
            return dict(db.execute(query, (case,)).fetchall())

    def trigger(self, case: str) -> str:
        """Start a run; return its id."""
        return self.api("POST", f"/dags/{case}/dagRuns", logical_date=None)["dag_run_id"]

    def tries(self, case: str, task: str) -> int:
        """How often the latest run has tried a task."""
        query = "select try_number from task_instance where (dag_id, task_id) = (%s, %s)"
        return self.rows(query, "airflow", (case, task))[0][0]

    def log(self, case: str, run: str, task: str) -> str:
        """All that the tries of a task have logged."""
        folder = self.settings.airflow_home / "logs" / f"dag_id={case}" / f"run_id={run}" / f"task_id={task}"
        return "".join(file.read_text() for file in sorted(folder.iterdir()))

    def clear(self, case: str, run: str, tasks: list[str] | None = None, *, only_failed: bool = False) -> None:
        """Clear some tasks of a run as the UI does, and no others."""
        chosen = {"task_ids": tasks} if tasks else {}
        self.api(
            "POST", f"/dags/{case}/clearTaskInstances", dry_run=False, dag_run_id=run, only_failed=only_failed, **chosen
        )

    def fix(self, case: str) -> None:
        """Mend the middle model, as a new version of the project does."""
        model = self.settings.state / "projects" / case / "models" / "middle.sql"
        model.write_text(cases.BASE["middle"])

    def kill_dbt(self, case: str, run: str) -> None:
        """Kill the process that runs dbt while it builds the middle model."""
        self._await_slow(case)
        query = "select pid from task_instance where (dag_id, run_id, task_id, state) = (%s, %s, %s, 'running')"
        [(pid,)] = self.rows(query, "airflow", (case, run, "dbt.dbt_producer_watcher"))
        [scheduler] = [self.processes["scheduler"].pid]
        assert scheduler in [parent.pid for parent in psutil.Process(pid).parents()]
        os.kill(pid, signal.SIGKILL)

    def restart_warehouse(self, case: str) -> None:
        """Let the warehouse end all connections and come back while it builds the middle model."""
        self._await_slow(case)
        self.warehouse.restart()

    def _await_slow(self, case: str) -> None:
        def works() -> bool:
            query = "select 1 from pg_stat_activity where state = 'active' and query like %s"
            with self.warehouse.connect("warehouse") as db:
                return bool(db.execute(query, (f'%"{case}"."middle%pg\\_sleep%',)).fetchall())

        self._wait(works, f"{case} to build its middle model", pause=0.2)

    def start(self) -> None:
        """Start Airflow's processes."""
        for name in PROCESSES:
            preload = {} if name == "api-server" else {"DATASTACK_PRELOAD": name}
            process = self.processes[name] = ServerProcess(name, self.settings.state / "logs" / f"{name}.log")
            command = [str(Path(sys.executable).parent / "airflow"), name]
            process.start(command, lambda: True, env=self.environment | preload)

    def stop(self) -> None:
        """End them, with what they started."""
        for process in self.processes.values():
            if pid := process.pid:
                kill_family(pid)
                process.stop()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Start everything, take it down again."""
    names = [line.partition("=")[0] for line in PORTS_FILE.read_text().splitlines() if "_PORT=" in line]
    *ports, warehouse_port = free_ports(len(names) + 1)
    state = tmp_path_factory.mktemp("transform")
    variables: dict[str, Any] = dict(zip(names, map(str, ports), strict=True))
    settings = Settings.load({**variables, "DATASTACK_STATE": str(state)})
    settings.make_folders()
    stack = Stack(settings)
    warehouse = postgres.Server(state / "warehouse", warehouse_port, stack.postgres.password)
    airflow = Airflow(settings, warehouse)
    servers = (stack.postgres, warehouse, stack.object_store)
    try:
        with ThreadPoolExecutor() as pool:
            projects = pool.submit(cases.write, state)
            list(pool.map(lambda server: server.start(), servers))
            for server in (stack.postgres, warehouse):
                bootstrap.create_databases(server, stack.secrets)
            bootstrap.prepare_warehouse(warehouse, stack.secrets)
            bootstrap.create_buckets(stack.object_store)
            _prepare_control(warehouse)
            airflow_env.write_ui_password(settings, stack.secrets)
            migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(migrate, cwd=REPO, env=airflow.environment, check=True, timeout=200, capture_output=True)
            projects.result()
        airflow.start()
        api = AirflowApi(f"http://{HOST}:{settings.port('UI')}", stack.secrets["UI_ADMIN_PASSWORD"])
        airflow._wait(api.is_healthy, "Airflow to be healthy")
        airflow.await_dags(cases.CASES)
        yield airflow
    finally:
        airflow.stop()
        for server in servers:
            server.stop()


@pytest.fixture(scope="session")
def runs(airflow: Airflow) -> dict[str, str]:
    """Start all cases, do harm to those that wait for it, wait for all; return the run of each."""
    started = {case: airflow.trigger(case) for case in cases.CASES}
    killed = ("killed", "killed_for_good")
    for case in killed:
        airflow.kill_dbt(case, started[case])
    for case in set(started).difference(killed, ["restarted"]):
        airflow.finish(case, started[case])  # the restart is not meant for them
    airflow.restart_warehouse("restarted")
    for case, run in started.items():
        airflow.finish(case, run)
    return started


def _prepare_control(warehouse: postgres.Server) -> None:
    """Give dbt its schemas, a list of what was built, and a sequence for each case."""
    with warehouse.connect("warehouse") as db:
        db.execute("create schema control authorization transformer")
        db.execute("create table control.built (case_name text, model text)")
        db.execute("grant insert on control.built to transformer")
        for case in cases.CASES:
            db.execute(f"create schema {case} authorization transformer")
            db.execute(f"create sequence control.{case}; grant usage on sequence control.{case} to transformer")
