"""Loads a lane's items without a fault, then with many, and holds the second against the first."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.faults import steps
from tests.faults.bench import Bench
from tests.faults.drops import deliver
from tests.faults.fault import Fault, Kind
from tests.faults.lanes import Item, Lane
from tests.faults.plan import Boundary, Plan, Pool, Profile, boundaries
from tests.faults.worker import Ended, Task

NOTHING = "nothing was changed"
Rows = Counter[int]  # rows of a raw table, by hash
Ledger = list[tuple[Any, ...]]


@dataclass
class Hit:
    """A fault that fired, how the try ended, and what it did to the table in the end."""

    lane: Lane
    item: int
    step: str
    fault: Fault
    ended: Ended
    is_true: bool = True  # whether the error says what became of the rows
    loaded_again: int = 0
    lost: int = 0
    duplicated: int = 0

    def __str__(self) -> str:
        return f"{self.lane.table} {self.step} of item {self.item}, under {self.fault}"


@dataclass
class Reference:
    """What a lane is without faults: rows before an item and after each of its loads, ledger, what steps say."""

    rows: list[list[Rows]] = field(default_factory=list)
    ledger: Ledger = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)


class Story:
    """One lane on one bench."""

    def __init__(self, bench: Bench, lane: Lane) -> None:
        self.bench, self.lane = bench, lane
        self.reference = Reference()
        self.hits: list[Hit] = []
        self._loads = self._settled = 0  # in the ledger, now and before the current item

    def tell_in_peace(self) -> None:
        """Load all items and remember what came of it."""
        rows: Rows = Counter()
        for item in self.lane.items:
            self._change(item)
            before = None
            for step in steps.ROUTES[self.lane.source][:-1]:
                before = self._in_peace(item, step, before)
            states = [rows, *self._loaded_in_peace(item, before)]
            self.reference.rows.append(states)
            rows = states[-1]
        self.reference.ledger = self.bench.ledger(self.lane.source, self.lane.stream)

    def _in_peace(self, item: Item, step: str, before: Any) -> Any:
        ended, self.reference.profiles[step] = self._try(item, step, before, 1, None)
        assert not ended.failed, f"{self.lane.table} {step} failed without a fault:\n{ended.details}"
        return ended.result

    def _loaded_in_peace(self, item: Item, before: Any) -> Iterator[Rows]:
        """Load what an item has prepared; yield the rows after each load, if there are several."""
        last = steps.ROUTES[self.lane.source][-1]
        for each in [before[: n + 1] for n in range(len(before))] if isinstance(before, list) else [before]:
            self._in_peace(item, last, each)
            yield self._rows()[0]

    def _rows(self) -> tuple[Rows, int]:
        return self.bench.rows(self.lane.table, self.lane.varies)

    def tell_with_faults(self, seed: int, pools: Mapping[tuple[str, str], Pool]) -> None:
        """Load all items again, every step under faults.

        :param pools: the boundaries to be killed at, by source and step.
        """
        chance = random.Random(f"{seed}.{self.lane.stream}")  # noqa: S311
        profiles = self.reference.profiles.items()
        plans = {step: Plan(profile, chance, pools[self.lane.source, step]) for step, profile in profiles}
        for item in self.lane.items:
            self._change(item)
            before = None
            met, self._settled = len(self.hits), self._loads
            for step in steps.ROUTES[self.lane.source]:
                before = self._until_done(item, step, before, plans[step])
            self._hold_against_reference(item, self.hits[met:])
        ledger = self.bench.ledger(self.lane.source, self.lane.stream)
        assert [load for load, _ in groupby(ledger)] == self.reference.ledger, "but for loads that were done again"

    def _until_done(self, item: Item, step: str, before: Any, plan: Plan) -> Any:
        with closing(plan.visit()) as faults:
            for number, fault in enumerate(faults, 1):
                loads = self._loads
                ended, _ = self._try(item, step, before, number, fault)
                what = f"{self.lane.table} {step} of item {item.number}, try {number}, under {fault}"
                self._all_or_nothing(item, loads, what)
                if fault and fault.fired:
                    most = len(before) if isinstance(before, list) else 1  # an error is about one load of several
                    is_true = self._loads < loads + most or NOTHING not in (ended.error or "")
                    self.hits.append(Hit(self.lane, item.number, step, fault, ended, is_true))
                if not ended.failed:
                    return ended.result
                assert fault, f"{what}: failed without a fault:\n{ended.details}"
                assert fault.fired, f"{what}: failed, but the fault did not happen:\n{ended.details}"
        raise AssertionError("the last try has no fault and returns")

    def _try(self, item: Item, step: str, before: Any, number: int, fault: Fault | None) -> tuple[Ended, Profile]:
        run_id = f"{self.lane.stream} {item.number}"
        task = Task(self.lane.source, self.lane.stream, step, item.window, run_id, before, self.bench.environment)
        return self.bench.run(task, number, fault)

    def _change(self, item: Item) -> None:
        if item.change:
            self.bench.stack.shop(item.change)
        deliver(self.bench.stack, item.files)

    def _all_or_nothing(self, item: Item, before: int, what: str) -> None:
        """Check that a try has loaded what it had to or less, that the rows are accordingly, and that it was its turn.

        :param before: loads in the ledger before it.
        """
        rows, self._loads = self._rows()
        states = self.reference.rows[item.number]
        assert before <= self._loads < before + len(states), f"{what}: {self._loads - before} loads"
        done = min(self._loads - self._settled, len(states) - 1)
        assert rows == states[done], f"{what}: the ledger and the rows disagree"
        if before - self._settled == len(states) - 1 and self._loads > before:  # what was done was not known any more
            deaths = [hit for hit in self.hits if hit.item == item.number and hit.ended.killed]
            assert deaths, f"{what}: loaded again, and no worker died"
            deaths[0].loaded_again += 1

    def _hold_against_reference(self, item: Item, hits: list[Hit]) -> None:
        expected, (found, _) = self.reference.rows[item.number][-1], self._rows()
        for hit in hits:
            hit.lost, hit.duplicated = (expected - found).total(), (found - expected).total()
        assert found == expected, f"{self.lane.table} after item {item.number}: {[str(hit.fault) for hit in hits]}"

    @property
    def killed_at(self) -> set[tuple[str, str, Boundary]]:
        """Source, step and boundary of each kill."""
        kills = [hit for hit in self.hits if hit.fault.kind is Kind.KILL]
        return {(self.lane.source, hit.step, (hit.fault.place, hit.fault.trigger.phase)) for hit in kills}

    @property
    def boundaries(self) -> set[tuple[str, str, Boundary]]:
        """Source, step and name of every boundary that there is."""
        profiles = self.reference.profiles.items()
        return {(self.lane.source, step, name) for step, profile in profiles for name in boundaries(profile)}
