"""Runs the Procfile with honcho: ordered start, restarts, ordered stop, and a note of what was started.

honcho by itself ends everything when one process ends, and kills what has not ended after five seconds. A database
deserves better, and a crashed demo process should not take the warehouse along.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterable
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer
from honcho.process import Process

from local import run_file
from local.stack import PROCFILE, SERVERS, Stack

GRACE_SECONDS = 20.0
SERVER_GRACE_SECONDS = 10.0
# The object store takes 15 s over an orderly end, yet all is on disk when its last request is answered; the
# triggerer waits ten for triggers that it takes up again at the next start.
IMPATIENT = {"s3": 1.0, "triggerer": 2.0}
LONGEST_PAUSE_SECONDS = 30.0
STOP_SIGNALS = {"postgres": signal.SIGINT}  # SIGTERM would wait for clients to go by themselves


class RestartingProcess(Process):
    """A honcho process that is started again when it ends, until the stack is told to stop."""

    ending: Event

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        """Run the command, again and again, with growing pauses; report the end only when it was asked for."""
        pause = 1.0
        supervisor = os.getppid()
        while not self.ending.is_set() and os.getppid() == supervisor:
            started = time.monotonic()
            threading.Thread(target=self._end_orphans, args=(self._child,), daemon=True).start()
            # Not ignore_signals: what is ignored here would stay ignored in a process that is started again.
            super().run(_WithoutStops(events), ignore_signals=False)
            if time.monotonic() - started > 60:
                pause = 1.0
            if not self.ending.wait(pause):
                self._send_message(b"it ended, and is started again\n")
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._send_message({"returncode": 0}, type="stop")

    def _end_orphans(self, previous: Any) -> None:
        # Workers of a killed scheduler wait for work for ever, and keep its output open, by which honcho sees the end.
        while self._child is previous or self._child.poll() is None:
            time.sleep(0.5)
        run_file.kill_family(self._child.pid)


class _WithoutStops:
    """Passes a process's messages on, except that it stopped."""

    def __init__(self, events: Any) -> None:
        self._events = events

    def put(self, message: Message) -> None:
        if message.type != "stop":
            self._events.put(message)


class Supervisor(Manager):
    """Starts the servers at once and the other processes when `up` releases them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(Printer(sys.stdout, colour=False))
        self._run_file = run_file.RunFile(stack.settings.state)
        self._process_ctor = RestartingProcess
        self._ending = multiprocessing.Event()
        for name, command in parse_procfile(PROCFILE.read_text()).processes.items():
            process = self.add_process(name, command, env=dict(stack.env_of(name)))
            process.ending = self._ending

    def loop(self) -> None:
        """Run until SIGTERM or SIGINT, then stop the servers' clients first and the servers last."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._launch(SERVERS)
        while not self._ending.is_set():
            self._pump()
            self._launch(self._run_file.released())
        self._stop_all(set(self._processes) - set(SERVERS), GRACE_SECONDS)
        self._stop_all(set(SERVERS), SERVER_GRACE_SECONDS)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._ending.set()

    def _launch(self, names: Iterable[str]) -> None:
        for name in names:
            entry = self._processes[name]
            if "process" not in entry:
                entry["process"] = multiprocessing.Process(name=name, target=entry["obj"].run, args=(self.events, True))
                entry["process"].start()

    def _pump(self) -> None:
        try:
            message = self.events.get(timeout=0.1)
        except queue.Empty:
            return
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            self._processes[message.name]["pid"] = message.data["pid"]
            self._system_print(f"{message.name} started (pid={message.data['pid']})\n")
            self._run_file.add_process(message.name, message.data["pid"])
        elif message.type == "stop":
            self._processes[message.name]["returncode"] = message.data["returncode"]
            self._system_print(f"{message.name} stopped\n")

    def _stop_all(self, names: set[str], grace: float) -> None:
        for name in names:
            if pid := self._processes[name].get("pid"):
                with contextlib.suppress(ProcessLookupError):
                    # To the process, not to its group: the scheduler waits for its tasks.
                    os.kill(pid, STOP_SIGNALS.get(name, signal.SIGTERM))
        begin = time.monotonic()
        while waiting := [name for name in names if self._running(name)]:
            self._pump()
            for name in waiting:
                if time.monotonic() - begin > IMPATIENT.get(name, grace):
                    run_file.kill_family(self._processes[name]["pid"])
        for name in names:
            # What a process left behind, such as tasks of a scheduler that would not wait for them.
            if pid := self._processes[name].get("pid"):
                run_file.kill_family(pid)

    def _running(self, name: str) -> bool:
        entry = self._processes[name]
        return "process" in entry and "returncode" not in entry and entry["process"].is_alive()


def main(stack: Stack) -> None:
    """Run the stack until told to stop."""
    multiprocessing.set_start_method("fork")
    run_file.RunFile(stack.settings.state).begin(os.getpid())
    Supervisor(stack).loop()
    stack.object_store.remove_sockets()
    run_file.RunFile(stack.settings.state).end()
