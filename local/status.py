"""What runs: processes, their memory, their health; and the latest DAG runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from local.airflow_api import AirflowApi
from local.main_job import INGEST_DAGS, TRANSFORM_DAG
from local.net import HOST, is_open
from local.run_file import RunFile, family
from local.stack import PROCFILE, Stack

PORTS = {"postgres": "POSTGRES", "s3": "S3", "marketing_api": "MARKETING_API", "api-server": "UI"}
HEALTH_NAMES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


def status(stack: Stack) -> int:
    """Print the state of every process and the latest runs; return 0 when all is well, else 1."""
    notes = RunFile(stack.settings.state)
    supervisor = notes.supervisor()
    if supervisor is None:
        print(f"The stack of {stack.settings.state} does not run: make up")
        return 1
    api = AirflowApi(f"http://{HOST}:{stack.settings.port('UI')}", stack.secrets["UI_ADMIN_PASSWORD"])
    health = _health(api)
    processes = notes.processes()
    total = pss([supervisor, *supervisor.children()])
    well = True
    print(f"{'process':<14} {'pid':>8} {'port':>6} {'memory':>8}  health")
    for name in _names():
        process = processes.get(name)
        members = family(process.pid) if process else []
        memory = pss(members)
        total += memory
        port = stack.settings.port(PORTS[name]) if name in PORTS else None
        word = _word(process, port, health.get(HEALTH_NAMES.get(name, ""), {}))
        well &= word == "healthy"
        print(f"{name:<14} {process.pid if process else '-':>8} {port or '-':>6} {memory / 2**20:>5.0f} MB  {word}")
    print(f"{'total':<14} {'':>8} {'':>6} {total / 2**20:>5.0f} MB")
    _print_runs(api)
    return 0 if well else 1


def pss(processes: list[psutil.Process]) -> int:
    """Return the memory of some processes in bytes; pages that several share count once, in parts."""
    total = 0
    for process in processes:
        with suppress(psutil.Error, OSError):  # it has ended meanwhile
            total += _pss(process)
    return total


def _pss(process: psutil.Process) -> int:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if rollup.exists():
        for line in rollup.read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return process.memory_info().rss


def _names() -> list[str]:
    return [line.split(":", 1)[0] for line in PROCFILE.read_text().splitlines() if ":" in line]


def _health(api: AirflowApi) -> dict[str, dict[str, str]]:
    with suppress(httpx.HTTPError, ValueError):
        return api.health()
    return {}


def _word(process: psutil.Process | None, port: int | None, reported: dict[str, str]) -> str:
    if process is None:
        return "not running"
    if port is not None and not is_open(port):
        return f"does not answer on port {port}"
    return str(reported.get("status", "healthy"))


def _print_runs(api: AirflowApi) -> None:
    with suppress(httpx.HTTPError):
        api.sign_in()
        print("\nlatest runs")
        for dag in (*INGEST_DAGS, TRANSFORM_DAG):
            for run in api.runs(dag)[:2]:
                print(f"  {dag:<22} {run['state']:<8} {run['dag_run_id']}")
