"""The main job: load the whole year from all sources, transform it, publish it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

from local.airflow_api import AirflowApi
from local.demo.dataset import YEAR_START, mondays, shift_weeks
from local.progress import Progress
from local.stack import Stack

WEEKLY = "ingest_promotions"
INGEST_DAGS = ("ingest_retail_db", "ingest_marketing_api", WEEKLY, "ingest_leaflets")  # what the transform reads
TRANSFORM_DAG = "transform_retail"
RUN_PREFIX = "initial__"
POLL_SECONDS = 1.0
FINAL_STATES = ("success", "failed")
SHOWN_STATES = {"running": "now", "up_for_retry": "waiting to try again:"}
PUBLISHED = """
    select count(*) > 0 and bool_and(exists (
        select from ops.publication_loads where publication_loads.load_id = loads.load_id))
    from ops.loads where dag_id = any(%s) and run_id = any(%s)"""
DAYS_OF_DATA = 366  # the last purchase is early on the day after the year
PARSE_SECONDS = 180
# A transform that should follow a load but does not come.
TRANSFORM_SECONDS = 120
# No task has begun or ended for so long: tasks wait for one another, or for a process that is gone.
STALL_SECONDS = 900


class JobError(RuntimeError):
    """The main job failed; the message says what and where to look."""


def window(anchor: date, now: datetime) -> tuple[datetime, datetime]:
    """Return the initial load's half-open window: from the first day of the data to today, or to their end."""
    start = YEAR_START + timedelta(weeks=shift_weeks(anchor))
    end = start + timedelta(days=DAYS_OF_DATA)
    return start, min(end, _midnight(now.astimezone(UTC).date()))


def weeks(anchor: date, now: datetime) -> tuple[datetime, datetime]:
    """Return the window of all weeks that are over, of those that the partner tells of."""
    known, today = mondays(shift_weeks(anchor)), now.astimezone(UTC).date()
    end = min(known[-1] + timedelta(weeks=1), today - timedelta(days=today.weekday()))
    return _midnight(known[0]), _midnight(end)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, clock(), UTC)


@dataclass
class MainJob:
    """Starts or joins the initial load and waits for its publication."""

    stack: Stack
    api: AirflowApi
    progress: Progress
    _seen: str = field(default="", init=False)
    _moved_at: float = field(default_factory=time.monotonic, init=False)

    def run(self) -> bool:
        """Make sure that the year is loaded and published; False when it had been before. Raises JobError."""
        self._wait_for_dags()
        joined = {dag: self._under_way(dag) for dag in INGEST_DAGS}
        runs = {dag: run or self._start(dag) for dag, run in joined.items()}
        fresh = not all(joined.values())
        for dag in (*INGEST_DAGS, TRANSFORM_DAG):
            self.api.unpause(dag)
        if not fresh and self._published(list(runs.values())):
            return False
        # A transform that failed before is history: what follows is waited for, and asked for when nothing does.
        past = {run["dag_run_id"] for run in self.api.runs(TRANSFORM_DAG) if run["state"] in FINAL_STATES}
        loaded = self._wait_for_loads(runs, self.api.count_tasks(TRANSFORM_DAG))
        if not fresh and past and len(past) == len(self.api.runs(TRANSFORM_DAG)):
            self.api.trigger(TRANSFORM_DAG, _run_id(), {})
        self._wait_for_publication(list(runs.values()), past, loaded)
        return True

    def _wait_for_dags(self) -> None:
        expected = {*INGEST_DAGS, TRANSFORM_DAG}
        deadline = time.monotonic() + PARSE_SECONDS
        while missing := expected - self.api.dag_ids():
            if errors := self.api.import_errors():
                raise JobError("DAG files do not import:\n\n" + "\n".join(errors))
            if time.monotonic() > deadline:
                names = ", ".join(sorted(missing))
                raise JobError(f"Airflow has not parsed {names} in {PARSE_SECONDS} s: look into the log (make logs).")
            self.progress.show("parsing DAGs", f"{len(expected - missing)} of {len(expected)}")
            time.sleep(POLL_SECONDS)

    def _under_way(self, dag: str) -> str | None:
        """Return the id of a DAG's initial run that has succeeded or may still."""
        for run in self.api.runs(dag):
            if run["dag_run_id"].startswith(RUN_PREFIX) and run["state"] != "failed":
                return run["dag_run_id"]
        return None

    def _start(self, dag: str) -> str:
        start, end = (weeks if dag == WEEKLY else window)(self.stack.anchor, datetime.now(UTC))
        run = _run_id()
        conf = {"window_start": start.isoformat(), "window_end": end.isoformat()}
        # The scheduler is about to create the run of the last complete interval. The initial load covers that
        # interval, and takes its place.
        self.api.trigger(dag, run, conf, **self.api.due_run(dag))
        return run

    def _wait_for_loads(self, runs: dict[str, str], ahead: int) -> int:
        """Wait until all runs have succeeded; return the number of their tasks. Raises JobError."""
        while True:
            states = {dag: self.api.run_state(dag, run) for dag, run in runs.items()}
            tasks = {dag: self.api.tasks(dag, run) for dag, run in runs.items()}
            everything = [task for of_run in tasks.values() for task in of_run]
            self._show("loading", everything, 0, ahead)
            for dag, state in states.items():
                if state == "failed":
                    raise JobError(self._explain(dag, runs[dag], tasks[dag]))
            if set(states.values()) == {"success"}:
                return len(everything)
            time.sleep(POLL_SECONDS)

    def _wait_for_publication(self, runs: list[str], past: set[str], loaded: int) -> None:
        deadline = time.monotonic() + TRANSFORM_SECONDS
        while not self._published(runs):
            latest = next((run for run in self.api.runs(TRANSFORM_DAG) if run["dag_run_id"] not in past), None)
            if latest:
                tasks = self.api.tasks(TRANSFORM_DAG, latest["dag_run_id"])
                self._show("transforming, checking, publishing", tasks, loaded, 0)
                if latest["state"] == "failed":
                    raise JobError(self._explain(TRANSFORM_DAG, latest["dag_run_id"], tasks))
                if latest["state"] not in FINAL_STATES:
                    deadline = time.monotonic() + TRANSFORM_SECONDS
            if time.monotonic() > deadline:
                raise JobError(f"All is loaded, but {TRANSFORM_DAG} does not publish it: look at its runs in the UI.")
            time.sleep(POLL_SECONDS)

    def _published(self, runs: list[str]) -> bool:
        with self.stack.postgres.connect("warehouse") as connection:
            return bool(connection.execute(PUBLISHED, (list(INGEST_DAGS), runs)).fetchone()[0])

    def _show(self, stage: str, tasks: list[dict[str, Any]], before: int, ahead: int) -> None:
        names = {state: [task["task_id"] for task in tasks if task["state"] == state] for state in SHOWN_STATES}
        done = before + sum(task["state"] in ("success", "skipped") for task in tasks)
        parts = [f"{done} of {before + len(tasks) + ahead} tasks"]
        parts += [f"{word} {', '.join(names[state])}" for state, word in SHOWN_STATES.items() if names[state]]
        self.progress.show(stage, ", ".join(parts))
        self._refuse_stall(" ".join(parts))

    def _refuse_stall(self, seen: str) -> None:
        if seen != self._seen:
            self._seen, self._moved_at = seen, time.monotonic()
        elif time.monotonic() - self._moved_at > STALL_SECONDS:
            raise JobError(f"Nothing has moved for {STALL_SECONDS // 60} minutes ({seen}): look at the runs in the UI.")

    def _explain(self, dag: str, run: str, tasks: list[dict[str, Any]]) -> str:
        home = self.stack.settings.airflow_home
        failed = [
            f"  {task['task_id']}: {_log_of(home, dag, run, task)}" for task in tasks if task["state"] == "failed"
        ]
        return "\n".join([f"{dag} failed in run {run}. Logs of the tasks that failed:", *failed])


def _run_id() -> str:
    return f"{RUN_PREFIX}{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"


def _log_of(home: Path, dag: str, run: str, task: dict[str, Any]) -> Path:
    folder = home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task['task_id']}"
    mapped = folder / f"map_index={task['map_index']}" if task.get("map_index", -1) >= 0 else folder
    return mapped / f"attempt={task['try_number']}.log"
