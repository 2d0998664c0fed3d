"""A declared limit is used, and not exceeded; an API that says "too many" is not stormed."""

import asyncio
import itertools
import random
import threading
import time
from datetime import timedelta

import pytest

from datastack.contract.api_sources import Limits
from datastack.source.rest.limiter import Clock, Limiter
from tests.integration.rest.server import PAGINATIONS, Api, Asked, Reader, Reply, numbered, source


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits."""

    virtual = 0.0

    def time(self) -> float:
        return self.virtual

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.virtual = max(self.virtual, self._scheduled[0].when())
        super()._run_once()


class LoopClock(Clock):
    """The time of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Server:
    """Answers after some time, so many requests in any second; refuses the others.

    :param rate: None for as many as come.
    """

    def __init__(
        self,
        limits: Limits,
        rate: int | None = None,
        late: float = 0.0,
        says: float | None = 1.0,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or LoopClock()
        self.limits, self.rate, self.late, self.says = limits, rate, late, says
        self.random = random.Random(7)  # noqa: S311
        self.times: list[float] = []
        self.refused = 0

    def ask(self, count: int) -> float:
        """Ask for so many answers; return the seconds that it took."""
        with asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(self._ask(count))
            return runner.get_loop().time()

    async def _ask(self, count: int) -> None:
        limiter = Limiter(self.limits, self.clock)
        await asyncio.gather(*(self._answered(limiter) for _ in range(count)))

    async def _answered(self, limiter: Limiter) -> None:
        while True:
            async with limiter.turn():
                await asyncio.sleep(self.random.uniform(0, self.late))
                accepted = self._accept(asyncio.get_running_loop().time())
                await asyncio.sleep(0.03)
            if accepted:
                limiter.succeeded()
                return
            limiter.throttled(self.says)

    def _accept(self, now: float) -> bool:
        recent = itertools.takewhile(lambda each: now - each < 1, reversed(self.times))
        if self.rate is not None and len(list(recent)) >= self.rate:
            self.refused += 1
            return False
        self.times.append(now)
        return True


@pytest.mark.parametrize(("requests", "per"), [(20, 1), (1, 5), (60, 1), (600, 60)])
def test_a_declared_limit_is_used_and_not_exceeded(requests: int, per: int):
    server = Server(Limits(requests=requests, per=timedelta(seconds=per)))
    count = 3 * requests + 20
    assert count / server.ask(count) >= 0.95 * requests / per
    for first, last in zip(server.times, server.times[requests:], strict=False):
        assert last - first >= per


def test_requests_leave_evenly():
    server = Server(Limits(requests=10))
    server.ask(30)
    gaps = [later - earlier for earlier, later in itertools.pairwise(server.times)]
    assert max(gaps) - min(gaps) < 0.001


def test_what_wakes_late_is_made_up_for_within_the_limit():
    """Each one wakes up to a gap late; the next one leaves earlier for it, if no second has too many then."""

    class Sleepy(LoopClock):
        chance = random.Random(7)  # noqa: S311

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds + self.chance.uniform(0, 0.09))

    server = Server(Limits(requests=10), clock=Sleepy())
    assert 500 / server.ask(500) >= 0.8 * 10
    for first, last in zip(server.times, server.times[10:], strict=False):
        assert last - first >= 1


@pytest.mark.parametrize(
    ("declared", "says", "refused", "used"),
    [
        pytest.param(20, 1.0, 0.005, 0.95, id="as it is"),
        pytest.param(25, 1.0, 0.1, 0.6, id="too high"),
        pytest.param(None, 1.0, 0.15, 0.6, id="not at all"),
        pytest.param(None, None, 0.15, 0.5, id="not at all, nor how long to wait"),
    ],
)
def test_there_is_no_storm(declared: int | None, says: float | None, refused: float, used: float):
    """A server that allows 20 a second, of which this is declared."""
    server = Server(Limits(requests=declared), rate=20, late=0.005, says=says)
    seconds = server.ask(1000)
    assert server.refused <= refused * 1000
    assert 1000 / seconds >= used * 20


def test_after_too_many_nothing_leaves_until_then():
    server = Server(Limits(concurrency=4), rate=3, says=60)
    server.ask(4)
    assert server.times[:3] == [0, 0, 0]
    assert server.times[3] >= 60
    assert server.refused == 1


def test_an_api_without_limits_is_not_slowed_down():
    server = Server(Limits(concurrency=4))
    assert server.ask(400) == pytest.approx(100 * 0.03)


def test_concurrency_is_bounded(api: Api):
    lock, now, most = threading.Lock(), [0], [0]

    def slow(_: Asked, found: Reply) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return found

    api.records, api.faults = numbered(60), [slow] * 20
    declared = source({"pagination": PAGINATIONS["offset"], "total": "total"}, limits={"concurrency": 3})
    assert Reader(api, declared).numbers() == list(range(60))
    assert most[0] == 3
