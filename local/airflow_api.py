"""The part of Airflow's REST API that starting and watching a load needs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # while an api-server that ended is started again


class AirflowApi:
    """A signed-in client.

    :param url: address of the api-server.
    :param password: password of the user `admin`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._password = password

    def is_healthy(self) -> bool:
        """Tell whether the api-server answers and scheduler and DAG processor have reported to it."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5)
        except httpx.HTTPError:
            return False
        if answer.status_code != 200:
            return False
        parts = answer.json()
        return all(parts[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def health(self) -> dict[str, Any]:
        """Return what the api-server says about each part. Raises httpx.HTTPError."""
        return self._http.get("/api/v2/monitor/health", timeout=5).raise_for_status().json()

    def sign_in(self) -> None:
        """Get a token for what follows."""
        login = {"username": "admin", "password": self._password}
        answer = self._http.post("/auth/token", json=login).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dag_ids(self) -> set[str]:
        """Return the ids of all DAGs that have been parsed."""
        return {dag["dag_id"] for dag in self._get("/dags", limit=100)["dags"]}

    def import_errors(self) -> list[str]:
        """Return the import errors of DAG files, verbatim, each with its file."""
        errors = self._get("/importErrors", limit=100)["import_errors"]
        return [f"{error['filename']}:\n{error['stack_trace']}" for error in errors]

    def count_tasks(self, dag_id: str) -> int:
        """Return the number of tasks in a DAG."""
        return self._get(f"/dags/{dag_id}/tasks")["total_entries"]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run on its schedule, and its queued runs start."""
        self._http.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def due_run(self, dag_id: str) -> dict[str, Any]:
        """Return logical date and data interval of the scheduled run that is due but not created, or nothing."""
        dag = self._get(f"/dags/{dag_id}")
        due = dag["next_dagrun_run_after"]
        if not due or datetime.fromisoformat(due) > datetime.now(UTC):
            return {}
        return {
            "logical_date": dag["next_dagrun_logical_date"],
            "data_interval_start": dag["next_dagrun_data_interval_start"],
            "data_interval_end": dag["next_dagrun_data_interval_end"],
        }

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any], **dates: str) -> None:
        """Create a run, without a logical date unless one is given. Raises RuntimeError with Airflow's reason."""
        body = {"dag_run_id": run_id, "conf": conf, "logical_date": None, **dates}
        answer = self._http.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if answer.is_error:
            raise RuntimeError(f"Airflow refused to run {dag_id}: {answer.status_code} {answer.text}")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return a DAG's latest runs, newest first."""
        return self._get(f"/dags/{dag_id}/dagRuns", limit=50, order_by="-run_after")["dag_runs"]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return self._get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        for patience in (*PAUSES, None):
            try:
                answer = self._http.get(f"/api/v2{path}", params=params)
                if answer.status_code == 401:
                    self.sign_in()
                    answer = self._http.get(f"/api/v2{path}", params=params)
                return answer.raise_for_status().json()
            except httpx.TransportError as error:
                if patience is None:
                    raise RuntimeError(
                        f"Airflow's api-server does not answer: {error} (see the log: make logs)"
                    ) from error
                time.sleep(patience)
        raise AssertionError("not reached")
