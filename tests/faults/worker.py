"""Tries of tasks, each in a process of its own that can be killed; forked from one that has everything imported."""

import logging
import multiprocessing
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.faults import steps


@dataclass(frozen=True)
class Task:
    """What a try runs: a step on a slice of a stream, with Airflow's connections from its environment.

    Tries of one task have the same ``run_id``.
    """

    source: str
    stream: str
    step: str
    window: steps.Window
    run_id: str
    before: Any
    environment: dict[str, str]


@dataclass(frozen=True)
class Ended:
    """How a try ended: with a result, with an error (its type and text, and all of the traceback), or killed."""

    result: Any = None
    error: str | None = None
    details: str = ""
    killed: bool = False

    @property
    def failed(self) -> bool:
        """Whether Airflow would try again."""
        return self.killed or self.error is not None


class Worker:
    """Runs one try at a time.

    :param log: file that all tries write to what tasks log and print.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.warm"])
        self._process: Any = None
        self._lock = threading.Lock()
        self._killed = False

    def start(self, task: Task, try_number: int) -> None:
        """Start a try."""
        self._killed = False
        self._answer, theirs = self._context.Pipe(duplex=False)
        with self._lock:
            self._process = self._context.Process(target=run, args=(task, try_number, self._log, theirs), daemon=True)
            self._process.start()
        theirs.close()

    def has_ended(self, seconds: float) -> bool:
        """Wait so long for the try's end; say whether it has come."""
        return bool(self._answer.poll(seconds))

    def finish(self) -> Ended:
        """Wait for the try's end."""
        try:
            ended: Ended = self._answer.recv()
        except EOFError:
            ended = Ended(killed=True)
        with self._lock:
            self._process.join()
        self._answer.close()
        assert not ended.killed or self._killed, f"the worker died by itself: {self._process.exitcode}"
        return ended

    def kill(self) -> None:
        """Kill it (SIGKILL) and wait until it is gone."""
        with self._lock:
            self._killed = True
            self._process.kill()
            self._process.join()


def run(task: Task, try_number: int, log: Path, answer: Connection) -> None:
    """Execute a task in this process and send how it ended."""
    assert "tests.faults.warm" in sys.modules, "the imports that were to be done beforehand have failed"
    _log_to(log)
    os.environ.update(task.environment)
    try:
        operator = steps.operator(task.source, task.stream, task.step, task.before)
        ended = Ended(result=operator.execute(steps.context(task.window, task.run_id, try_number)))
    except Exception as error:
        ended = Ended(error=f"{type(error).__name__}: {error}", details=traceback.format_exc())
    answer.send(ended)
    answer.close()


def _log_to(log: Path) -> None:
    """Send everything that is logged or printed to a file; libraries that log each byte stay silent."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, force=True)
    for noisy in ("botocore", "boto3", "s3transfer", "urllib3", "httpcore", "asyncssh", "paramiko"):
        logging.getLogger(noisy).setLevel(logging.INFO)
