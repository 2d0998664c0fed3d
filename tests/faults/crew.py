"""Workers that load slices at once, each as Airflow would: tries, then a person who does as the error says."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from queue import Queue
from typing import Any

from tests.faults import steps
from tests.faults.bench import Bench
from tests.faults.fault import Fault
from tests.faults.lanes import Lane
from tests.faults.worker import Ended, Task
from tests.integration.harness import Stack

CLEAR = "clear the"  # what an error asks a person to do with a task
CLEARINGS = 4


@dataclass
class Run:
    """A DAG run's part in one slice: its steps, and what the last one that has run returned."""

    lane: Lane
    window: steps.Window
    route: tuple[str, ...]
    number: int
    before: Any = None


class Crew:
    """A few benches that are given out to whoever needs one."""

    def __init__(self, benches: list[Bench]) -> None:
        self._free: Queue[Bench] = Queue()
        self._pool = ThreadPoolExecutor(len(benches))
        self._numbers = count()
        for bench in benches:
            self._free.put(bench)

    def load(self, lane: Lane, window: steps.Window, fault: Fault | None = None) -> list[str]:
        """Load a slice as a DAG does; the fault is for the last step. Return how each try of that ended."""
        run = Run(lane, window, steps.ROUTES[lane.source], next(self._numbers))
        self._prepare(run)
        return self.finish(run, fault)

    def begin(self, lane: Lane, window: steps.Window, fault: Fault) -> Run:
        """Let the last step's first try of a slice die of a fault."""
        run = Run(lane, window, steps.ROUTES[lane.source], next(self._numbers))
        self._prepare(run)
        assert self._step(run, run.route[-1], fault).killed
        return run

    def prepare(self, lane: Lane, window: steps.Window) -> Run:
        """Bring a slice into the lake, to be loaded later."""
        run = Run(lane, window, steps.ROUTES_APART[lane.source], next(self._numbers))
        self._prepare(run)
        return run

    def _prepare(self, run: Run) -> None:
        run.before = None
        for step in run.route[:-1]:
            ended = self._step(run, step)
            assert not ended.failed, ended.details
            run.before = ended.result

    def finish(self, run: Run, fault: Fault | None = None) -> list[str]:
        """Run the last step, and all of them again if its error asks for that."""
        outcomes: list[str] = []
        while len(outcomes) < CLEARINGS:
            ended = self._step(run, run.route[-1], fault)
            if not ended.failed:
                return [*outcomes, ended.result["status"]]
            assert CLEAR in (ended.error or "").lower(), ended.details
            outcomes.append(ended.error or "")
            self._prepare(run)
        raise AssertionError(f"{run.lane.table} {run.window} does not heal: {outcomes}")

    def _step(self, run: Run, step: str, fault: Fault | None = None) -> Ended:
        bench = self._free.get()
        try:
            run_id = f"run {run.number}"
            lane = run.lane
            task = Task(lane.source, lane.stream, step, run.window, run_id, run.before, bench.environment)
            return bench.run(task, fault=fault)[0]
        finally:
            self._free.put(bench)

    def at_once(self, works: list[Callable[[], Any]]) -> list[Any]:
        """Do works in parallel, as many as there are benches; begin them in this order."""
        return [future.result() for future in [self._pool.submit(work) for work in works]]


@contextmanager
def crew(stack: Stack, size: int) -> Iterator[Crew]:
    """Set up workers."""
    with ExitStack() as opened:
        yield Crew([opened.enter_context(Bench(stack)) for _ in range(size)])
