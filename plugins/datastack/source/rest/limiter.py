"""Lets requests out: so many at once, evenly in time, and none while the API has asked to wait."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from datastack.contract.api_sources import Limits

# Requests may come closer to each other on their way: so much is added to the time in which they are counted.
_MARGIN, _LONGEST_MARGIN = 0.03, 0.05  # of that time; seconds
LONGEST_GUESS = 60.0  # seconds, where an API asks to wait and does not say how long
_FIRST_SPACING = 0.02  # seconds between requests after the first "too many" of an API without a declared limit
_SLOWER, _FASTER = 1.3, 0.995


class Clock:
    """Tells the time, in seconds from any moment on, and lets it pass."""

    def now(self) -> float:
        """Return the time."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Limiter:
    """What all requests of a task to one API go through.

    Their spacing is that of the declared limit. It grows when the API says "too many" all the same, once for each time
    that it does, and shrinks again with every success: a limit that was declared wrongly, or shared with somebody,
    ends in a slower rhythm, not in a storm.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._gate = asyncio.Lock()  # first come, first served
        per = limits.per.total_seconds()
        self._period = per + min(_MARGIN * per, _LONGEST_MARGIN)
        self._declared = self._period / limits.requests if limits.requests else 0.0
        self._spacing = self._declared
        self._sent: deque[float] = deque(maxlen=limits.requests or 1)
        self._next = self._paused_until = float("-inf")
        self._in_a_row = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a request's turn; it has it as long as the block lasts."""
        async with self._slots:
            if self._spacing or self._paused_until > self._clock.now():
                async with self._gate:
                    await self._wait()
            yield

    def throttled(self, seconds: float | None) -> float:
        """Let every request wait that has not been sent.

        :param seconds: how long the API asked to wait, if it said.
        :return: how long they wait.
        """
        now = self._clock.now()
        if now < self._paused_until and seconds is None:
            return self._paused_until - now  # the others of one volley: it is answered already
        wait = seconds if seconds is not None else min(LONGEST_GUESS, 2**self._in_a_row) * random.uniform(0.5, 1)  # noqa: S311
        if now >= self._paused_until:
            self._in_a_row += 1
            self._spacing = max(self._spacing * _SLOWER, _FIRST_SPACING)
        self._paused_until = max(self._paused_until, now + wait)
        return wait

    def succeeded(self) -> None:
        """Take note that the API answered."""
        self._in_a_row = 0
        if self._spacing > self._declared:
            faster = self._spacing * _FASTER
            self._spacing = faster if faster > max(self._declared, _FIRST_SPACING / 2) else self._declared

    async def _wait(self) -> None:
        while (seconds := self._due() - self._clock.now()) > 0:
            await self._clock.sleep(seconds)
        now = self._clock.now()
        # One that left a little late is made up for by the next one.
        on_time = self._next if now - self._next < self._spacing else now
        self._next = on_time + self._spacing
        self._sent.append(now)

    def _due(self) -> float:
        """When the next request may leave; what was made up for must not exceed the limit in any period."""
        full = self._declared and len(self._sent) == self._sent.maxlen
        return max(self._next, self._paused_until, self._sent[0] + self._period if full else float("-inf"))
