"""Slices that are loaded at once, again, and out of order: the tables are those of loading them one by one."""

import random
from collections import Counter
from functools import partial
from itertools import chain

import pytest

from tests.faults.bench import Bench
from tests.faults.crew import Crew, crew
from tests.faults.fault import Fault, Kind, Trigger
from tests.faults.lanes import SHOP, Lane, lanes
from tests.faults.steps import Window
from tests.faults.test_faults import SEED
from tests.integration.harness import Stack, days

LANES = {lane.stream: lane for lane in lanes(0)}
SCHEDULE = [days(n) for n in range(1, 5)]
BACKFILL = [days(1, 3), days(2, 4), days(3)]  # overlaps the schedule, and itself
CHANGES = {
    "transactions": "update transactions set quantity = quantity + 7; delete from transactions where week = 45",
    "households": "update households set home_ownership = 'Boat', updated_at = '2019-12-24Z' where household_id < 300",
    "products": "delete from products where product_id % 7 = 2; update products set package_size = 'NEW'",
}


@pytest.fixture(params=LANES)
def lane(stack: Stack, request: pytest.FixtureRequest) -> Lane:
    stack.shop(SHOP)
    return LANES[request.param]


def test_two_runs_of_one_slice_at_once(stack: Stack, lane: Lane):
    slow = Fault(Kind.DELAY, "warehouse", Trigger("commit"))
    with crew(stack, 2) as workers:
        workers.at_once([partial(workers.load, lane, days(1, 6), fault) for fault in (slow, None)])
        assert slow.fired
        hold_against_one_by_one(stack, workers, lane, [days(1, 6)])


def test_a_backfill_races_the_schedule(stack: Stack, lane: Lane):
    windows = [*chain(*zip(BACKFILL, SCHEDULE, strict=False)), SCHEDULE[-1]]
    with crew(stack, 3) as workers:
        workers.at_once([partial(workers.load, lane, window) for window in windows])
        hold_against_one_by_one(stack, workers, lane, windows)


def test_what_was_read_before_a_change_never_wins_over_what_was_read_after(stack: Stack, lane: Lane):
    """Stale and fresh attempts at the same slices are copied in any order, several at once."""
    chance = random.Random(f"{SEED}.{lane.stream}")  # noqa: S311
    windows = [*SCHEDULE, BACKFILL[0]]
    with crew(stack, 3) as workers:
        stale = workers.at_once([partial(workers.prepare, lane, window) for window in windows])
        stack.shop(CHANGES.get(lane.stream, "select 1"))
        fresh = workers.at_once([partial(workers.prepare, lane, window) for window in windows])
        runs = chance.sample([*stale, *fresh], 2 * len(windows))
        workers.at_once([partial(workers.finish, run) for run in runs])
        # What was read before the change is history that one reading after it does not know.
        hold_against_one_by_one(stack, workers, lane, windows, "_is_current" if lane.stream == "households" else "true")


def test_a_retry_finds_that_an_overlapping_slice_was_read_and_loaded_meanwhile(stack: Stack):
    stack.shop(SHOP)
    lane = LANES["transactions"]
    killed = Fault(Kind.KILL, "warehouse", Trigger("commit"))
    with crew(stack, 1) as workers:
        late = workers.begin(lane, days(1, 3), killed)
        assert killed.fired
        stack.shop(CHANGES["transactions"])
        assert workers.load(lane, days(2, 4)) == ["loaded"]
        workers.finish(late)
        hold_against_one_by_one(stack, workers, lane, [days(1, 3), days(2, 4)])


def hold_against_one_by_one(
    stack: Stack, workers: Crew, lane: Lane, windows: list[Window], which: str = "true"
) -> None:
    """Load the same slices into a clean warehouse, and compare the rows that ``which`` holds for."""
    with Bench(stack) as bench:
        found, loads = bench.rows(lane.table, which=which)
        assert len({load["manifest_digest"] for load in stack.loads(lane.stream)}) == loads
        with stack.warehouse.connect("warehouse") as db:
            db.execute(f"drop table {lane.table}; truncate ops.loads cascade")
        for window in windows:
            assert workers.load(lane, window) == ["loaded"]
        expected, _ = bench.rows(lane.table, which=which)
    assert found.total() > 0
    assert (found - expected, expected - found) == (Counter(), Counter()), f"seed {SEED}"
