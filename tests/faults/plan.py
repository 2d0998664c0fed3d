"""Which faults a step meets: every boundary is a place to be killed at, the rest is chosen by chance."""

import random
from collections.abc import Container, Generator, Iterable, Iterator
from threading import Lock

from tests.faults.fault import Fault, Kind, Trigger, Way
from tests.faults.places import place
from tests.faults.wire import CONNECT, Event

Profile = dict[str, list[Event]]  # what passed in a try without fault, by server
Boundary = tuple[str, str]  # place and phase

_SOMETIMES = ("analyze", "create", "alter", "select to_regclass", "select reltuples")  # not in every load
_BREAKS = (Kind.CUT, Kind.CUT, Kind.RESET, Kind.RESET, Kind.DELAY, Kind.STALL)
_S3 = (Kind.SLOW_DOWN, Kind.INTERNAL_ERROR)
_ANSWERS = {"lake": _S3, "partner": _S3, "web": _S3, "api": (*_S3, Kind.TOO_MANY)}
_OUTSIDE, _OFTEN = ("api", "partner"), 4  # servers of others: few of a step's events go there, and many of its faults
_SPARE = 2  # visits, for boundaries that were not come by
_TIMES = (1, 1, 2, 5)  # clients of HTTP servers try four or five times by themselves


def boundaries(profile: Profile) -> dict[Boundary, tuple[str, Trigger]]:
    """Every place, just before, in the midst of, and just after it, when nobody has heard that it is done.

    Values are server and trigger. They come in the order of time.
    """
    found: dict[Boundary, tuple[str, Trigger]] = {}
    said = [(event.at, server, event) for server, events in profile.items() for event in events]
    for _, server, event in sorted(said, key=lambda each: each[0]):
        if event.name.startswith(_SOMETIMES):
            continue
        for trigger in (_before(event), _midway(event), _done(event)):
            name = (place(server, event.name), trigger.phase)
            found.pop(name, None)  # the last one of a place counts: what ends a write makes it be
            found[name] = (server, trigger)
    return found


class Pool:
    """The boundaries that steps of one kind, in all lanes of a source, are still to be killed at.

    :param names: place and phase of each.
    :param visits: how often lanes come by, with an item each.
    """

    def __init__(self, names: Iterable[Boundary], visits: int) -> None:
        self._left, self._visits = list(names), visits
        self._lock = Lock()

    def visit(self) -> int:
        """Return how often to be killed by now, so that all are met in the end: once at least."""
        with self._lock:
            self._visits -= 1
            return max(-(-len(self._left) // max(self._visits - _SPARE, 1)), 1)

    def take(self, known: Container[Boundary]) -> Boundary | None:
        """Return one of those that a lane has, and that is left to nobody else; None if there is no such one."""
        with self._lock:
            found = next((name for name in self._left if name in known), None)
            if found:
                self._left.remove(found)
            return found

    def give_back(self, name: Boundary) -> None:
        """Take back a boundary that was not come by."""
        with self._lock:
            self._left.append(name)


class Plan:
    """Deals out faults for one step of one lane.

    :param profile: what the step says to whom.
    :param pool: the boundaries that it has a part of.
    """

    def __init__(self, profile: Profile, chance: random.Random, pool: Pool) -> None:
        self._profile, self._chance, self.pool = profile, chance, pool
        self._boundaries = boundaries(profile)
        self._breaks = self._endless()

    def visit(self) -> Generator[Fault | None, None, None]:
        """Yield what the tries of a step meet: kills, some other fault, and at last nothing; close it after use.

        Kills are where nobody has been, if there is such a place; those early in the step come first, as a retry finds
        done what came before.
        """
        order = list(self._boundaries)
        taken = {name for _ in range(self.pool.visit()) if (name := self.pool.take(self._boundaries))}
        killed: set[Boundary] = set()
        try:
            for name in sorted(taken or {self._chance.choice(order)}, key=order.index):
                fault = Fault(Kind.KILL, *self._boundaries[name])
                yield fault
                if fault.fired:
                    killed.add(name)
            for _ in range(1 + self._talks_outside):
                yield next(self._breaks)
            yield None
        finally:
            for name in taken - killed:
                self.pool.give_back(name)

    def all(self, others: int) -> Iterator[Fault]:
        """Yield a kill at every boundary, and so many other faults."""
        for server, trigger in self._boundaries.values():
            yield Fault(Kind.KILL, server, trigger)
        for _ in range(others):
            yield next(self._breaks)

    def _endless(self) -> Iterator[Fault]:
        while True:
            round_: list[Fault] = []
            for server, name in sorted(self._places()):
                round_ += [self._break(server, name) for _ in range(_OFTEN if server in _OUTSIDE else 1)]
            round_ += [Fault(Kind.REFUSE, server, Trigger(CONNECT)) for server in self._profile]
            self._chance.shuffle(round_)
            yield from round_

    @property
    def _talks_outside(self) -> bool:
        return not self._profile.keys().isdisjoint(_OUTSIDE)

    def _places(self) -> set[tuple[str, str]]:
        return {(server, place(server, event.name)) for server, events in self._profile.items() for event in events}

    def _break(self, server: str, name: str) -> Fault:
        event = self._chance.choice([event for event in self._profile[server] if place(server, event.name) == name])
        answers = _ANSWERS.get(server, ())
        kind = self._chance.choice((*_BREAKS, *answers, *answers))
        if kind.is_answer:
            trigger = _before(event)
        else:
            trigger = self._chance.choice((_before(event), self._within(event), self._answer(event), _done(event)))
        return Fault(kind, server, trigger, self._chance.choice(_TIMES) if answers else 1)

    def _within(self, event: Event) -> Trigger:
        return Trigger(event.name, event.nth, Way.UP, self._chance.randint(1, max(event.up - 1, 1)))

    def _answer(self, event: Event) -> Trigger:
        return Trigger(event.name, event.nth, Way.DOWN, self._chance.randint(1, max(event.down - 1, 1)))


def _before(event: Event) -> Trigger:
    return Trigger(event.name, event.nth)


def _midway(event: Event) -> Trigger:
    return Trigger(event.name, event.nth, Way.UP, event.up // 2)


def _done(event: Event) -> Trigger:
    return Trigger(event.name, event.nth, Way.DOWN)
