"""Workers that are gone, and whose words still reach the warehouse."""

from typing import Any

import pytest

from tests.faults.bench import Bench
from tests.faults.fault import Fault, Kind, Trigger
from tests.faults.lanes import SHOP, Lane, lanes
from tests.faults.steps import ROUTES
from tests.faults.worker import Task
from tests.integration.harness import Stack, days, in_thread, wait_for

LANES = {lane.stream: lane for lane in lanes(0)}
WINDOW = days(1, 9)
WAITING = "select count(*) from pg_stat_activity where usename = 'loader' and wait_event_type = 'Lock'"


@pytest.fixture(params=LANES)
def lane(stack: Stack, request: pytest.FixtureRequest) -> Lane:
    stack.shop(SHOP)
    return LANES[request.param]


def test_a_commit_that_arrives_while_the_retry_is_under_way(stack: Stack, lane: Lane):
    with Bench(stack) as first, Bench(stack) as second:
        before = None
        for step in ROUTES[lane.source][:-1]:
            before = run(second, lane, step, before)
        last = ROUTES[lane.source][-1]
        with first.holding(Fault(Kind.LATE, "warehouse", Trigger("commit")), task(first, lane, last, before)) as late:
            finish = in_thread(run, second, lane, last, before)
            wait_for(lambda: stack.one(WAITING) == 1)
            late()
            assert finish()["status"] == "already loaded"
        assert len(stack.loads(lane.stream)) == 1
        found, _ = first.rows(lane.table)
        stack.load(lane.source, lane.stream, WINDOW)
        assert first.rows(lane.table)[0] == found


def run(bench: Bench, lane: Lane, step: str, before: object) -> Any:
    ended, _ = bench.run(task(bench, lane, step, before))
    assert not ended.failed, ended.details
    return ended.result


def task(bench: Bench, lane: Lane, step: str, before: object) -> Task:
    return Task(lane.source, lane.stream, step, WINDOW, "late", before, bench.environment)
