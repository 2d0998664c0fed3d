"""Which faults a step meets: every boundary is a place to be killed at, the rest is chosen by chance."""

import random
from collections import deque
from collections.abc import Iterator

from tests.faults.fault import Fault, Kind, Trigger, Way
from tests.faults.places import place
from tests.faults.wire import CONNECT, Event

Profile = dict[str, list[Event]]  # what passed in a try without fault, by server

_SOMETIMES = ("analyze", "create", "alter", "select to_regclass", "select reltuples")  # not in every load
_BREAKS = (Kind.CUT, Kind.CUT, Kind.RESET, Kind.RESET, Kind.DELAY, Kind.STALL)
_S3 = (Kind.SLOW_DOWN, Kind.INTERNAL_ERROR)
_ANSWERS = {"lake": _S3, "partner": _S3, "web": _S3, "api": (*_S3, Kind.TOO_MANY)}
_TIMES = (1, 1, 2, 5)  # clients of HTTP servers try four or five times by themselves


def boundaries(profile: Profile) -> dict[tuple[str, str], tuple[str, Trigger]]:
    """Every place, just before, in the midst of, and just after it, when nobody has heard that it is done.

    Keys are place and phase; values are server and trigger.
    """
    found = {}
    for server, events in profile.items():
        for event in events:  # the last one of a place counts: what ends a write makes it be
            if event.name.startswith(_SOMETIMES):
                continue
            for trigger in (_before(event), _midway(event), _done(event)):
                found[place(server, event.name), trigger.phase] = (server, trigger)
    return found


class Plan:
    """Deals out faults for one step of one lane.

    :param profile: what the step says to whom.
    :param first: at which boundary to begin, so that lanes share them out.
    """

    def __init__(self, profile: Profile, chance: random.Random, first: int) -> None:
        self._profile, self._chance = profile, chance
        self._kills = deque(boundaries(profile).values())
        self._kills.rotate(-first)
        self._breaks = self._endless()

    def kill(self) -> Fault:
        """Return the next boundary to be killed at."""
        server, trigger = self._kills[0]
        self._kills.rotate(-1)
        return Fault(Kind.KILL, server, trigger)

    def again(self) -> None:
        """Deal the last boundary once more, though not at once: it was not come by, and may not be the next time."""
        self._kills.insert(1, self._kills.pop())

    def any(self) -> Fault:
        """Return some other fault."""
        return next(self._breaks)

    def _endless(self) -> Iterator[Fault]:
        while True:
            round_ = [self._break(server, name) for server, name in sorted(self._places())]
            round_ += [Fault(Kind.REFUSE, server, Trigger(CONNECT)) for server in self._profile]
            self._chance.shuffle(round_)
            yield from round_

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
