"""The transform's DAG on a real Airflow beside a bare `dbt build` of the same project on the same data.

Both run by turns on one stack, in which a year was loaded and published once. Of the DAG, the part
that runs dbt is compared: from the end of ``plan`` to the end of the last of dbt's tasks.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from bench import process, report
from bench.contenders import ROOT
from bench.race import best, say
from bench.report import Result, goal
from datastack.contract.registry import include_dir
from local.airflow_api import AirflowApi
from local.main_job import FINAL_STATES, INGEST_DAGS, TRANSFORM_DAG, WEEKLY, window
from local.net import HOST, free_ports
from local.run_file import RunFile, family
from local.settings import PORTS_FILE, Settings
from local.stack import SERVERS, Stack

DAYS = 366
REPETITIONS = 3
THREADS = 4  # as the DAG's
RUN_SECONDS = 3600
PARSE = "bench.transform_parse"


@dataclass(frozen=True)
class Bench:
    """One stack, loaded."""

    stack: Stack
    folder: Path

    @cached_property
    def api(self) -> AirflowApi:
        """Airflow's API."""
        api = AirflowApi(f"http://{HOST}:{self.stack.settings.port('UI')}", self.stack.secrets["UI_ADMIN_PASSWORD"])
        api.sign_in()
        return api

    def load(self, days: int) -> None:
        """Load the year of purchases and campaigns and the last days of promotions, and have them published."""
        while not self.api.dag_ids() >= {*INGEST_DAGS, TRANSFORM_DAG}:
            time.sleep(1)
        start, end = window(self.stack.anchor, datetime.now(UTC))
        for dag in INGEST_DAGS:
            since = max(start, end - timedelta(days=days)) if dag == WEEKLY else start
            conf = {"window_start": since.isoformat(), "window_end": end.isoformat()}
            # The scheduler is about to create the run of the last interval: ours takes its place.
            self.api.trigger(dag, "bench", conf, **self.api.due_run(dag))
        for dag in INGEST_DAGS:
            self.api.unpause(dag)
        for dag in INGEST_DAGS:
            self._finish(dag, "bench")
        self.api.unpause(TRANSFORM_DAG)
        self.transform("first")

    def transform(self, run_id: str) -> list[dict[str, Any]]:
        """Run the transform over everything; return its tasks."""
        self.api.trigger(TRANSFORM_DAG, run_id, {"force": True, "full_refresh": True})
        self._finish(TRANSFORM_DAG, run_id)
        return self.api.tasks(TRANSFORM_DAG, run_id)

    def dag(self, number: int) -> tuple[Result, Result]:
        """Measure a run: the part that runs dbt, and all of it."""
        cpu = self._cpu()
        tasks = self.transform(f"measured-{number}")
        cpu = self._cpu() - cpu
        dbt = [task for task in tasks if task["task_id"].startswith("dbt.")]
        models = len(dbt) - 2  # the task that runs dbt, and the one that Cosmos puts behind it
        [planned] = [task["end_date"] for task in tasks if task["task_id"] == "plan"]
        part = _seconds(planned, max(task["end_date"] for task in dbt))
        whole = _seconds(min(task["start_date"] for task in tasks), max(task["end_date"] for task in tasks))
        note = f"{models} models, {cpu / models:.2f} CPU-s a model"
        return (
            _result("our DAG, its dbt part", part, models, note="from the end of plan to the end of dbt's last task"),
            replace(_result("our DAG, whole", whole, models, note=note), cpu_seconds=round(cpu, 1)),
        )

    def bare(self, models: int) -> Result:
        """Measure `dbt build` in a process of its own; like the DAG it parses what has changed since the last time."""
        connection = json.loads(self.stack.airflow_env["AIRFLOW_CONN_WAREHOUSE_TRANSFORMER"])
        names = {"HOST": "host", "PORT": "port", "DATABASE": "schema", "USER": "login", "PASSWORD": "password"}
        env = {f"DATASTACK_WAREHOUSE_{name}": str(connection[field]) for name, field in names.items()}
        project = str(include_dir() / "dbt")
        command = [str(Path(sys.executable).with_name("dbt")), "build", "--threads", str(THREADS), "--full-refresh"]
        command += ["--project-dir", project, "--profiles-dir", project, "--exclude", "resource_type:exposure"]
        command += ["--target-path", str(self.folder / "target")]
        measured = process.run(command, env, self.folder / "dbt.log")
        result = _result("bare dbt build", measured.seconds, models, note=f"{THREADS} threads")
        return replace(result, cpu_seconds=round(measured.cpu_seconds, 1), peak_rss_mb=round(measured.peak_rss_mb, 1))

    def _finish(self, dag: str, run_id: str) -> None:
        deadline = time.monotonic() + RUN_SECONDS
        while (state := self.api.run_state(dag, run_id)) not in FINAL_STATES:
            if time.monotonic() > deadline:
                raise process.ContenderError(f"{dag} {run_id} is {state} after {RUN_SECONDS} s")
            time.sleep(0.5)
        if state != "success":
            states = {task["task_id"]: task["state"] for task in self.api.tasks(dag, run_id)}
            raise process.ContenderError(f"{dag} {run_id} ended as {state}: {states}")

    def _cpu(self) -> float:
        """CPU seconds of Airflow's processes with all that they have started, also what has ended."""
        spent = 0.0
        for name, leader in RunFile(self.stack.settings.state).processes().items():
            if name in SERVERS or leader is None:
                continue
            for each in family(leader.pid):
                with suppress(psutil.NoSuchProcess):
                    spent += sum(each.cpu_times()[:4])
        return spent


@contextmanager
def _stack(folder: Path) -> Iterator[Stack]:
    names = [line.partition("=")[0] for line in PORTS_FILE.read_text().splitlines() if "_PORT=" in line]
    ports = {name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
    environment = {**os.environ, **ports, "DATASTACK_STATE": str(folder / "state"), "DEMO_REPLAY_CHANGES": "0"}
    command = [sys.executable, "-m", "local"]
    try:
        subprocess.run([*command, "up", "--no-load"], cwd=ROOT, env=environment, check=True)
        yield Stack(Settings.load(environment))
    finally:
        subprocess.run([*command, "down"], cwd=ROOT, env=environment, check=True)


def parse_seconds(folder: Path) -> dict[str, float]:
    """Seconds to parse the DAG's file in a fresh process, apart from importing libraries; best of three."""
    found = []
    for _ in range(REPETITIONS):
        env = {**os.environ, "AIRFLOW_HOME": str(folder / "home")}
        done = subprocess.run([sys.executable, "-m", PARSE], cwd=ROOT, env=env, check=True, capture_output=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return dict(min(found, key=lambda each: each["file"]))


def main(options: argparse.Namespace) -> int:
    """Measure; return 0."""
    say(
        f"Starts a stack, loads a year ({options.days} days of promotions), runs the transform and dbt by turns: "
        "about 10 minutes; leave the machine alone."
    )
    with tempfile.TemporaryDirectory(prefix="bench-transform-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres runs as another user when we are root
        parsed = parse_seconds(folder)
        say(f"parsing the DAG's file: {parsed}")
        with _stack(folder) as stack:
            bench = Bench(stack, folder)
            bench.load(options.days)
            results = _race(bench)
    bare, part, whole = results
    results = [replace(each, ratio_to_floor=round((each.seconds or 0) / (bare.seconds or 1), 2)) for each in results]
    met = [
        goal("the DAG's dbt part against bare dbt build, at most 2.5 x", results[1].ratio_to_floor or 0, 2.5),
        goal("seconds to parse the DAG's file, at most 0.5", parsed["file"], 0.5),
        goal("times that parsing reads the manifest, at most 1", parsed["manifest_reads"], 1),
    ]
    cpu = {"dag": round((whole.cpu_seconds or 0) / part.rows, 2), "bare": round((bare.cpu_seconds or 0) / part.rows, 2)}
    output = options.output or report.RESULTS / ("transform.json" if options.days == DAYS else "transform.partial.tmp")
    about = {"days": options.days, "threads": THREADS, "cpu_seconds_per_model": cpu, "parse": parsed, "goals": met}
    report.write(output, {"contenders": results}, about)
    say(report.page(results, [], met, "models"))
    say(f"\nWritten to {output}")
    return 0


def _race(bench: Bench) -> list[Result]:
    runs: list[list[Result]] = []
    for number in range(REPETITIONS):
        part, whole = bench.dag(number)
        bare = bench.bare(part.rows)
        runs.append([bare, part, whole])
        say("; ".join(f"{each.name}: {each.seconds} s" for each in runs[-1]))
    return [best([run[place] for run in runs]) for place in range(3)]


def _result(name: str, seconds: float, models: int, note: str) -> Result:
    return Result(name=name, seconds=round(seconds, 2), rows=models, runs=[round(seconds, 2)], verified="-", note=note)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
