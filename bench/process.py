"""Runs a contender in processes of its own; takes its time and its memory."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 7200


class ContenderError(RuntimeError):
    """A contender failed, or the target does not hold what the source has."""


@dataclass(frozen=True)
class Measured:
    """What a command took: wall seconds from its start to its end, its CPU seconds, its peak memory in MB.

    ``peak_rss_mb`` is the sum over its processes of each one's own peak (VmHWM): an upper bound of what they held
    together. The servers are not in it, nor in ``cpu_seconds``. ``others_cpu_seconds`` is what the machine spent
    meanwhile on processes that are not the bench's: with much of it, the other figures say little.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    others_cpu_seconds: float


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Measured:
    """Run a command to its end.

    :param env: variables on top of the environment.
    :param log: file for its output; the end of it is in the error.
    :raises ContenderError: if it fails, or takes longer than two hours.
    """
    cpu, others = _children_cpu(), _others_cpu()
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        peaks = _Peaks(process.pid)
        try:
            status: int | str = process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            status = "nothing: it was stopped"
        finally:
            seconds = time.perf_counter() - started
            _end(process)
            peaks.stop()
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise ContenderError(f"{Path(command[0]).name} ended with {status} after {seconds:.0f} s:\n{tail}")
    return Measured(seconds, _children_cpu() - cpu, peaks.total_mb, max(_others_cpu() - others, 0.0))


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _others_cpu() -> float:
    """CPU seconds of the machine since it started, less those of this process and all that came from it."""
    machine = psutil.cpu_times()
    own = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            own += sum(process.cpu_times()[:4])  # itself, and its children that have ended
    return machine.user + machine.nice + machine.system + machine.irq + machine.softirq + machine.steal - own


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for child in (*psutil.Process(process.pid).children(recursive=True), process):
            child.kill()
        process.wait()


class _Peaks(threading.Thread):
    """Reads the high-water mark of every process of a tree, until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root, self._ended = psutil.Process(pid), threading.Event()
        self._kb: dict[int, int] = {}
        self.start()

    @property
    def total_mb(self) -> float:
        """Sum of the peaks."""
        return sum(self._kb.values()) / 1024

    def run(self) -> None:
        """Poll: the mark only rises, so the last look at a process is what counts."""
        while not self._ended.wait(POLL_SECONDS):
            try:
                tree = [self._root.pid, *(child.pid for child in self._root.children(recursive=True))]
            except psutil.NoSuchProcess:
                return
            for pid in tree:
                self._kb[pid] = _high_water_kb(pid) or self._kb.get(pid, 0)

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()


def _high_water_kb(pid: int) -> int:
    """Peak RSS of a process; 0 when it is gone or just going."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
