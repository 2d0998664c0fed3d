"""Sixty days loaded in order, and shuffled with faults of every kind: readers see the same in the end."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.quality.outcomes import GateError
from datastack.warehouse.load import WarehouseError
from tests.integration.harness import Stack
from tests.integration.sixty_days.ledger import require_reconciled
from tests.integration.sixty_days.snapshot import differences, readers, snapshot, told
from tests.integration.sixty_days.sources import DAYS, TILL_FROM, sources
from tests.integration.sixty_days.team import DbtFailure, Slice, Team, team

EVERY = 6  # days after which what changes seldom is loaded
SEED = 7
TRANSFORMED = (12, 24, 42, 54, 60)
BAD_DAY = 37  # has a price below zero, until day 41
LATE_DAY = 17  # its load commits behind later ones
NEXT_DAY = 16  # is loaded between a plan and its publication, so that it is for the next one


def in_order(team: Team) -> None:
    """Load each day as it ends, and what was corrected on it."""
    team.code(is_right=True)
    for now in range(1, DAYS + 1):
        team.sources.advance(now)
        if now == TILL_FROM:
            team.contract_with_till()
        for day in team.due_sales():
            team.load(Slice("transactions", day, day))
        team.load(Slice("households", now, now))
        for week in team.due_weeks():
            team.load(of_week(week))
        if now % EVERY == 0:
            for stream in ("products", "campaigns"):
                team.load(Slice(stream, now - EVERY + 1, now))
        if now in TRANSFORMED:
            assert team.transform(f"day {now}")["whole"] == (now == TRANSFORMED[0])


def of_week(week: int) -> Slice:
    """Slice of a week's file."""
    return Slice("promotions", 7 * week - 6, 7 * week)


class Shuffled:
    """Loads what is due at the end of the days 20, 40, 41 and 60 in random order, some of it twice, some of it late."""

    def __init__(self, team: Team, chance: random.Random) -> None:
        self.team, self.chance = team, chance

    def run(self) -> None:
        """Live through all days."""
        self.until_day_20()
        self.until_day_41()
        self.until_day_60()

    def until_day_20(self) -> None:
        """Publish wrong code, correct it, take the publication back, and publish by force."""
        team = self.team
        team.code(is_right=False)
        team.sources.advance(1)
        team.load(Slice("households", 1, 1))  # later, the source has forgotten what they were
        team.sources.advance(20)
        sales = self.due_sales()
        self.load([*self.seldom(1, 20), *self.due_weeks(), *sales[:8]])
        assert team.transform("wrong code")["whole"]
        wrong = readers(team.stack)
        team.code(is_right=True)
        self.load(sales[8:13])
        assert team.transform("right code")["whole"]
        assert team.reason() == "the code of model.datastack.fct_purchases is new"
        assert differences(wrong, readers(team.stack))
        team.roll_back()
        assert not differences(wrong, readers(team.stack))
        with pytest.raises(AirflowSkipException, match="on hold"):
            team.plan("on hold")
        assert team.transform("by force", force=True)["whole"]

    def until_day_41(self) -> None:
        """Let dbt fail on its way, gates close on a bad day, and readers' tables refuse what is published."""
        team = self.team
        team.sources.advance(40)
        sales = self.due_sales()
        early, late = sales[:15], [*sales[15:22], Slice("transactions", BAD_DAY, BAD_DAY)]
        killed = early.pop()
        self.load([*early, *self.due_weeks()])
        team.load_killed(killed)
        before = readers(team.stack)
        team.gate_raw()
        with team.refused("build_retail.fct_product_promotions"), pytest.raises(DbtFailure, match="closed"):
            team.dbt(self.planned("dbt fails"))

        self.load([*late, *self.seldom(21, 40)])
        with pytest.raises(GateError, match="range:sales_value"):
            team.gate_raw()
        with pytest.raises(AirflowSkipException, match=r"no gate has let pass yet: retail_db\.transactions"):
            team.plan("raw gate is closed")
        team.dbt(self.planned("gate closes", force=True))
        with pytest.raises(GateError, match="fct_purchases"):
            team.gate_marts("gate closes")

        team.sources.advance(41)
        team.load(Slice("transactions", BAD_DAY, BAD_DAY))
        team.gate_raw()
        team.dbt(self.planned("publish fails"))
        team.gate_marts("publish fails")
        with team.refused("marts.fct_purchases"), pytest.raises(WarehouseError, match="closed"):
            team.publish("publish fails")
        assert not differences(before, readers(team.stack))
        team.load(Slice("transactions", NEXT_DAY, NEXT_DAY))
        with pytest.raises(AirflowSkipException, match="let pass by no gate yet"):
            team.publish("publish fails")
        team.gate_raw()
        team.publish("publish fails")

    def until_day_60(self) -> None:
        """Let two runs overlap; then a column comes, thirty days are loaded at once, and all that is left."""
        team = self.team
        team.sources.advance(60)
        sales = self.due_sales()
        self.load([*sales[:12], *self.seldom(41, 60)])
        team.load_killed(Slice("households", 46, 50))
        team.gate_raw()
        self.planned("overtaken")
        self.load(sales[12:15])
        with team.committing_late(Slice("transactions", LATE_DAY, LATE_DAY)):
            self.load(self.due_weeks())
            team.gate_raw()
            team.dbt(self.planned("overtaking"))
            team.gate_marts("overtaking")
            with pytest.raises(WarehouseError, match="the run overtaking of sixty_days has planned since"):
                team.publish("overtaken")
            team.publish("overtaking")

        team.contract_with_till()
        self.load([each for each in self.due_sales() if each.first % 2])
        team.load(Slice("transactions", 31, 60))
        team.load(Slice("households", 31, 60))
        self.load([*self.due_sales(), *self.due_weeks()])
        assert not team.transform("the rest")["whole"]

    def planned(self, run: str, **params: bool) -> dict[str, Any]:
        """Plan a run that takes new slices only."""
        plan = self.team.plan(run, **params)
        assert plan["loads"]
        assert not plan["whole"], self.team.reason()
        return plan

    def load(self, slices: list[Slice]) -> None:
        """Load slices in random order, every fourth of them again."""
        again = self.chance.sample(slices, len(slices) // 4)
        for each in self.chance.sample([*slices, *again], len(slices) + len(again)):
            self.team.load(each, reload=True)

    def due_sales(self) -> list[Slice]:
        """Days whose purchases are new or changed, but for those that have their own moment."""
        days = [day for day in self.team.due_sales() if day not in (BAD_DAY, LATE_DAY, NEXT_DAY)]
        return [Slice("transactions", day, day) for day in self.chance.sample(days, len(days))]

    def due_weeks(self) -> list[Slice]:
        """Weeks whose file is new or changed."""
        return [of_week(week) for week in self.team.due_weeks()]

    def seldom(self, first: int, last: int) -> list[Slice]:
        """What changes seldom, by windows of some days."""
        windows = {"households": 5, "campaigns": 10, "products": 20}
        return [
            Slice(stream, day, day + length - 1)
            for stream, length in windows.items()
            for day in range(first, last, length)
        ]


@pytest.mark.timeout(900)
def test_days_in_any_order_give_the_same_marts(stack: Stack, tmp_path: Path):
    """Slices come twice, corrected, by the month; loads and transforms fail; code and columns change.

    DATASTACK_ORDER_SEED sets another order.
    """
    seed = int(os.environ.get("DATASTACK_ORDER_SEED", SEED))
    print(f"\nDATASTACK_ORDER_SEED={seed}")  # noqa: T201
    with sources(stack) as made, team(stack, made, tmp_path / "in_order") as worker:
        in_order(worker)
        require_reconciled(worker)
        wanted = snapshot(stack)
    stack.servers.clean()
    with sources(stack) as made, team(stack, made, tmp_path / "shuffled") as worker:
        Shuffled(worker, random.Random(seed)).run()  # noqa: S311
        require_reconciled(worker)
        found = snapshot(stack)
    print(told(wanted, found))  # noqa: T201
    different = differences(wanted, found)
    assert not different, "\n".join(
        [f"the shuffled order gives other rows, by DATASTACK_ORDER_SEED={seed}:", *different]
    )
    assert len([table for table in wanted if table.startswith("marts.")]) == 15
    assert all(table.count for table in wanted.values())
