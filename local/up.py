"""Starts the stack, prepares it, runs the main job, reports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import httpx

from local import airflow_env, bootstrap, checks
from local.airflow_api import AirflowApi
from local.main_job import JobError, MainJob
from local.net import HOST, wait_until
from local.progress import Progress
from local.run_file import RunFile
from local.settings import REPO, Settings
from local.stack import DEMO, SERVERS, Stack
from local.summary import summary

AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTHY_SECONDS = 180
LONGEST_LOG_BYTES = 50 * 1024**2


def up(settings: Settings, *, load: bool = True) -> int:
    """Bring the stack up and the year into it; return the exit status of the main job.

    :param load: False leaves the main job out: an empty stack for tests.
    """
    stack = Stack(settings)
    with Progress() as progress:
        try:
            start(stack, progress)
            fresh = _main_job(stack, progress) if load else None
        except (JobError, checks.CheckError, RuntimeError, TimeoutError, httpx.HTTPError) as error:
            progress.done(f"failed: {error}")
            return 1
    if load:
        progress.done("loaded and published" if fresh else "everything is loaded and published already")
        print(f"\n{summary(stack)}")
    return 0


def start(stack: Stack, progress: Progress) -> None:
    """Start what does not run yet; return when Airflow is healthy and the sources are filled."""
    notes = RunFile(stack.settings.state)
    checks.check_disk(stack.settings)
    if notes.supervisor() is None:
        if notes.stop():
            progress.done("ended what an earlier, killed stack had left running")
        checks.check_ports(stack.settings)
        _spawn_supervisor(stack)
    ahead = set(notes.released())
    _wait(stack, progress, "starting Postgres and the object store", _servers_ready(stack))
    if not ahead.issuperset(AIRFLOW):
        _prepare(stack, progress, notes)
    api = AirflowApi(f"http://{HOST}:{stack.settings.port('UI')}", stack.secrets["UI_ADMIN_PASSWORD"])
    _wait(stack, progress, "starting Airflow", api.is_healthy)
    progress.done(f"the stack runs: {stack.settings.ui_url}")


def _prepare(stack: Stack, progress: Progress, notes: RunFile) -> None:
    progress.show("preparing databases")
    bootstrap.create_databases(stack.postgres, stack.secrets)
    bootstrap.prepare_warehouse(stack.postgres, stack.secrets)
    bootstrap.create_buckets(stack.object_store)
    airflow_env.write_ui_password(stack.settings, stack.secrets)
    # The sources are filled while Airflow migrates and starts: two cores have work.
    seeds = [
        _Step(stack, f"filling {name}", ["-m", f"local.demo.{module}", "seed"], stack.demo_env)
        for name, module in (("the shop's database", "retail_db"), ("the partner's bucket", "partner"))
    ]
    migrate = _Step(stack, "migrating Airflow's database", ["-m", "airflow", "db", "migrate"], stack.airflow_env)
    migrate.wait(progress)
    notes.release(AIRFLOW)
    for seed in seeds:
        seed.wait(progress)
    notes.release(DEMO)


def _main_job(stack: Stack, progress: Progress) -> bool:
    api = AirflowApi(f"http://{HOST}:{stack.settings.port('UI')}", stack.secrets["UI_ADMIN_PASSWORD"])
    api.sign_in()
    return MainJob(stack, api, progress).run()


class _Step:
    """A command that prepares the stack, its output in the stack's log."""

    def __init__(self, stack: Stack, name: str, command: Sequence[str], env: dict[str, str]) -> None:
        self._name = name
        self._log = stack.settings.log
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                env=env,
                cwd=REPO,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self, progress: Progress) -> None:
        while self._process.poll() is None:
            progress.show(self._name)
            time.sleep(0.2)
        if self._process.returncode:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{self._name} failed; the end of {self._log}:\n{tail}")


def _spawn_supervisor(stack: Stack) -> None:
    stack.secrets, stack.anchor  # noqa: B018 - made by us, so that a wrong setting is told here
    stack.postgres.initialise()
    if stack.settings.log.exists() and stack.settings.log.stat().st_size > LONGEST_LOG_BYTES:
        stack.settings.log.replace(stack.settings.log.with_suffix(".log.1"))
    command = [sys.executable, "-m", "local", "supervise"]
    with stack.settings.log.open("ab") as log:
        subprocess.Popen(
            command,
            cwd=REPO,
            env=airflow_env.base_env(stack.settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stack.settings.log.chmod(0o600)


def _servers_ready(stack: Stack) -> Callable[[], bool]:
    return lambda: (
        set(RunFile(stack.settings.state).processes()) >= set(SERVERS)
        and stack.postgres.is_ready()
        and stack.object_store.is_ready()
    )


def _wait(stack: Stack, progress: Progress, what: str, ready: Callable[[], bool]) -> None:
    def shown() -> bool:
        progress.show(what)
        return ready()

    with suppress(TimeoutError):
        wait_until(shown, HEALTHY_SECONDS, what, interval=0.5)
        return
    raise JobError(f"{what} has taken more than {HEALTHY_SECONDS} s: look into {stack.settings.log} (make logs).")


def logs(settings: Settings) -> None:
    """Follow the stack's log: this process becomes tail."""
    os.execvp("tail", ["tail", "-n", "200", "-F", str(settings.log)])  # noqa: S606
