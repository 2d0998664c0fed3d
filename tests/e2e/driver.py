"""What a data engineer does with a running Airflow: trigger, backfill, clear, wait, and look at the tables."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import cached_property
from typing import Any

import httpx

from local.demo import dataset
from local.demo.partner import Partner
from local.settings import REPO, Settings
from local.stack import Stack

RUN_SECONDS = 300
INGEST = ("ingest_retail_db", "ingest_marketing_api")
PROMOTIONS, LEAFLETS = "ingest_promotions", "ingest_leaflets"
TRANSFORM = "transform_retail"
DAGS = (*INGEST, PROMOTIONS, LEAFLETS, TRANSFORM)
DROPS = "partner-drops"
# Everything but what says when and by which attempt a row came.
BUSINESS_COLUMNS = """
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped and attname not like E'\\\\_%%'"""


class Driver:
    """Drives one stack over REST, the command line and SQL."""

    def __init__(self, settings: Settings, anchor: date) -> None:
        self.settings = settings
        self.anchor = anchor
        self.stack = Stack(settings)
        self.url = f"http://127.0.0.1:{settings.port('UI')}"

    @cached_property
    def http(self) -> httpx.Client:
        """Client with a token."""
        login = {"username": "admin", "password": self.stack.secrets["UI_ADMIN_PASSWORD"]}
        client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def api(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Call Airflow's API."""
        answer = self.http.request(method, f"/api/v2{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else {}

    def await_dags(self, expected: Iterable[str] = DAGS) -> None:
        """Wait until all DAGs are parsed: Airflow is healthy before that."""

        def parsed() -> bool:
            known = {dag["dag_id"] for dag in self.api("GET", "/dags?limit=100")["dags"]}
            return known >= set(expected)

        self._wait(parsed, "every DAG to be parsed")

    def unpause(self) -> None:
        """Let all DAGs run."""
        for dag in DAGS:
            self.api("PATCH", f"/dags/{dag}", is_paused=False)

    def load(self, dag: str, start: datetime, end: datetime, **dates: str) -> str:
        """Trigger a run over a window; return its id."""
        conf = {"window_start": start.isoformat(), "window_end": end.isoformat()}
        body = {"logical_date": None, "conf": conf, **dates}
        return self.api("POST", f"/dags/{dag}/dagRuns", **body)["dag_run_id"]

    def airflow(self, *arguments: str) -> str:
        """Run Airflow's command line as an operator would; return what it prints."""
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(
            command, cwd=REPO, env=dict(self.stack.airflow_env), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @cached_property
    def partner(self) -> Partner:
        """The partner, to deliver files as it would."""
        store = self.stack.object_store
        return Partner(store.client(store.identities["partner"]), dataset.shift_weeks(self.anchor))

    @cached_property
    def objects(self) -> Any:
        """S3 client of the object store's administrator."""
        return self.stack.object_store.client()

    def succeed(self, dag: str, run_id: str) -> None:
        """Wait for a run to succeed."""
        state = self.finish(dag, run_id)
        assert state == "success", f"{dag} {run_id}: {self.states(dag, run_id)}"

    def finish(self, dag: str, run_id: str) -> str:
        """Wait for a run to end; return its state."""
        return self._wait(lambda: self._final(dag, run_id), f"{dag} {run_id}")

    def kill(self, dag: str, run_id: str, task_id: str) -> None:
        """Kill the process of a task, as the kernel does when memory runs out, once it is at work."""
        query = "select pid from task_instance where (dag_id, run_id, task_id, state) = (%s, %s, %s, 'running')"
        work = "select 1 from pg_stat_activity where usename = 'transformer' and application_name = 'dbt'"
        self._wait(lambda: self.rows(work), f"{task_id} to work", pause=0.1)
        [(pid,)] = self.rows(query, "airflow", (dag, run_id, task_id))
        os.kill(pid, signal.SIGKILL)

    def states(self, dag: str, run_id: str) -> dict[str, str]:
        """State of each task of a run."""
        tasks = self.api("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances?limit=200")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """All runs of a DAG, oldest first."""
        return self.api("GET", f"/dags/{dag}/dagRuns?limit=100&order_by=run_after")["dag_runs"]

    def settle(self) -> None:
        """Wait until no run is under way and every load is published."""

        def quiet() -> bool:
            busy = [run for dag in DAGS for run in self.runs(dag) if run["state"] in ("queued", "running")]
            failed = [(run["dag_id"], run["dag_run_id"]) for run in self.runs(TRANSFORM) if run["state"] == "failed"]
            assert not failed, {run: self.states(*run) for run in failed}
            unpublished = (
                "select count(*) from ops.loads where load_id not in (select load_id from ops.publication_loads)"
            )
            return not busy and self.rows(unpublished) == [(0,)]

        self._wait(quiet, "every load to be published")

    def rows(self, query: str, database: str = "warehouse", parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Query a database as its administrator."""
        with self.stack.postgres.connect(database) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def promotions(self) -> set[tuple[Any, ...]]:
        """Sums of promotions by week, as `expected.promotion_sums` has them."""
        return set(
            self.rows("""
            select week, week_start, count(*), count(distinct product_id), count(distinct store_id),
                sum(product_id)::bigint, count(*) filter (where display_location <> '0'),
                count(*) filter (where mailer_location <> '0')
            from raw_promotions.promotions group by week, week_start""")
        )

    def checksums(self) -> dict[str, tuple[int, str]]:
        """Rows and an order-independent checksum of every raw table and mart."""
        tables = self.rows(
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where (schemaname like 'raw%' or schemaname = 'marts') and not starts_with(tablename, '_') order by 1"
        )
        return {name: self._checksum(name) for (name,) in tables}

    def _checksum(self, name: str) -> tuple[int, str]:
        [(columns,)] = self.rows(BUSINESS_COLUMNS, parameters=(name,))
        query = f"select count(*), sum(hashtextextended(row({columns})::text, 0)::numeric)::text from {name}"
        return self.rows(query)[0]

    def _final(self, dag: str, run_id: str) -> str | None:
        state = self.api("GET", f"/dags/{dag}/dagRuns/{run_id}")["state"]
        return state if state in ("success", "failed") else None

    @staticmethod
    def _wait(condition: Callable[[], Any], what: str, pause: float = 1) -> Any:
        deadline = time.monotonic() + RUN_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {RUN_SECONDS} s for {what}"
            time.sleep(pause)
        return found
