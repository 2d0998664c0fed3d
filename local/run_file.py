"""Notes on a running stack in `<state>/run.json`: what was started, by which process, so that only that is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from local.settings import REPO

# A process id may be given to another process later; together with the time of its start it cannot.
SAME_START_SECONDS = 1.0


class RunFile:
    """Reads and writes the notes of one stack.

    :param state: the stack's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "run.json"
        self._released = state / "run.released"

    def begin(self, supervisor: int) -> None:
        """Note a new supervisor."""
        self._released.unlink(missing_ok=True)
        self._write({"supervisor": _identity(supervisor), "processes": {}})

    def end(self) -> None:
        """Forget the stack: everything has ended."""
        self._path.unlink(missing_ok=True)
        self._released.unlink(missing_ok=True)

    def add_process(self, name: str, pid: int) -> None:
        """Note that a process of the Procfile was started (again)."""
        notes = self._read()
        with contextlib.suppress(psutil.NoSuchProcess):
            notes["processes"][name] = _identity(pid)
            self._write(notes)

    def release(self, names: Iterable[str]) -> None:
        """Let the supervisor start these processes too."""
        with self._released.open("a") as file:
            file.writelines(f"{name}\n" for name in names)

    def released(self) -> list[str]:
        """Return the names of the processes that may start."""
        return self._released.read_text().split() if self._released.exists() else []

    def supervisor(self) -> psutil.Process | None:
        """Return the supervisor when it runs, and is the one that was noted."""
        return _alive(self._read().get("supervisor"))

    def processes(self) -> dict[str, psutil.Process | None]:
        """Return the noted processes by name; None for those that do not run."""
        return {name: _alive(identity) for name, identity in self._read().get("processes", {}).items()}

    def stop(self, grace: float = 60) -> bool:
        """End the stack: ask the supervisor, and after `grace` seconds kill what it started. False: none ran."""
        supervisor = self.supervisor()
        noted = {int(pid): start for pid, start in self._read().get("processes", {}).values()}
        if supervisor:
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor.send_signal(signal.SIGTERM)
                with contextlib.suppress(psutil.TimeoutExpired):
                    supervisor.wait(grace)
            _kill([supervisor, *family(supervisor.pid)])
        left = [leader for leader, start in noted.items() if self._is_ours(leader, start)]
        for leader in left:
            kill_family(leader)
        self.end()
        return bool(supervisor or left)

    def _is_ours(self, leader: int, start: float) -> bool:
        """Tell whether something of a noted process is left: itself, or descendants that outlived it."""
        if _alive([leader, start]):
            return True
        # Its id may be that of another program's session by now; that would not work in our folders.
        homes = tuple(map(str, (REPO, self._path.parent)))
        members = [process for process in _session(leader) if _running(process)]
        return bool(members) and not psutil.pid_exists(leader) and all(_works_in(homes, member) for member in members)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return json.loads(self._path.read_text())
        return {}

    def _write(self, notes: dict[str, Any]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(notes))
        fresh.replace(self._path)


def family(leader: int) -> list[psutil.Process]:
    """Find a process of the Procfile with all that it has started.

    honcho makes each the leader of a session, which its descendants share even when their parent has ended; some
    (Postgres' own processes) open sessions of their own, but stay children.
    """
    found = {process.pid: process for process in _session(leader)}
    for process in list(found.values()):
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {child.pid: child for child in process.children(recursive=True)}
    return list(found.values())


def kill_family(leader: int) -> None:
    """Kill a process of the Procfile with all that it has started, and what that starts meanwhile."""
    deadline = time.monotonic() + 5
    while (members := [process for process in family(leader) if _running(process)]) and time.monotonic() < deadline:
        _kill(members)
        time.sleep(0.05)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _works_in(folders: tuple[str, ...], process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.cwd().startswith(folders)
    return False


def _session(leader: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader:
                yield process


def _running(process: psutil.Process | None) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _identity(pid: int) -> list[float]:
    return [pid, psutil.Process(pid).create_time()]


def _alive(identity: list[float] | None) -> psutil.Process | None:
    if identity:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(identity[0]))
            if abs(process.create_time() - identity[1]) < SAME_START_SECONDS and _running(process):
                return process
    return None
