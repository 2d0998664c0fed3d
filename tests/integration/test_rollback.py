"""Rolling back: readers see what they saw before, and nothing that a publication held is lost."""

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators.rollback import PlanRollbackOperator, RollBackOperator
from datastack.warehouse.load import RunRef, WarehouseError
from datastack.warehouse.marts import Mart
from datastack.warehouse.rollback import roll_back
from tests.integration.harness import Stack
from tests.integration.publishing import SLICED, Domain, ready

KEPT = "select count(*) from pg_tables where schemaname = 'kept_retail'"


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain of which every stream is loaded."""
    return ready(stack)


def test_the_publication_before_comes_back_and_the_one_before_that(shop: Domain):
    seen = []
    for amount, rows in ((1, 4), (2, 9), (2, 6), (3, 5)):
        shop.pair(amount, rows)
        shop.released()
        seen.append(shop.marts())
    for number in (1, 2, 3):
        done = shop.roll_back(f"rollback {number}")
        assert (done.publication_id, done.previous_id, done.warnings) == (5 - number, 4 - number, ())
        assert shop.marts() == seen[-1 - number]
    assert shop.stack.one(KEPT) == 0
    with pytest.raises(WarehouseError, match=r"publication 1 is the last that stands, and nothing is kept"):
        shop.roll_back("rollback 4")


def test_a_run_takes_one_publication_back_however_often_it_is_tried(shop: Domain):
    for amount in (1, 2, 3):
        shop.pair(amount)
        shop.released()
    shop.roll_back()
    before = shop.marts()
    assert shop.roll_back() is None
    assert shop.marts() == before


def test_the_last_three_publications_can_be_taken_back(shop: Domain):
    for amount in range(7):
        shop.pair(amount)
        shop.released()
    assert shop.stack.one(KEPT) == 3 * 4  # removed and added rows of two marts each
    assert shop.stack.rows("select publication_id from ops.publications where kept order by 1") == [(5,), (6,), (7,)]
    for number in range(3):
        shop.roll_back(f"rollback {number}")
    with pytest.raises(WarehouseError, match="publication 4 is the last that stands, and nothing is kept"):
        shop.roll_back("rollback 3")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1 as a", "1 as a, 'x' as b"),
        ("1 as a, 'x' as b", "1 as a"),
        ("1 as a, 7 as b", "1 as a, 8::bigint as b, 'x' as c"),
        ("1 as a", "2 as a"),
    ],
)
def test_a_shape_comes_back_with_its_rows(shop: Domain, before: str, after: str):
    mart = Mart("dim_x")
    shop.build("dim_x", f"select {before}")
    shop.released(mart)
    shop.build("dim_x", f"select {after}")
    shop.released(mart)
    shop.roll_back()
    shop.build("dim_x", f"select {before}")
    assert shop.equals_built("dim_x")
    assert shop.stack.one(KEPT) == 0


def test_a_mart_that_the_publication_created_goes(shop: Domain):
    shop.pair(1)
    shop.released(Mart("fct_a"))
    shop.released()
    shop.roll_back()
    assert list(shop.marts()) == ["fct_a"]


def test_slices_come_back_too(shop: Domain):
    mart = Mart("fct_s", slices=SLICED)
    for amount in (1, 2):
        sold = "timestamptz '2019-11-01 01:00Z' + make_interval(days => day)"
        shop.build(
            "fct_s", f"select {sold} as sold_at, day, {amount} * (day % 2) as amount from generate_series(0, 3) as day"
        )
        shop.load(2)
        shop.plan()
        shop.publish(mart)
    changed = shop.marts()
    assert shop.stack.rows("select array_agg(amount order by day) from marts.fct_s") == [([0, 2, 0, 1],)]
    shop.roll_back()
    assert shop.stack.rows("select array_agg(amount order by day) from marts.fct_s") == [([0, 1, 0, 1],)]
    shop.plan(force=True)
    [done] = shop.publish(mart).marts
    assert done.how == "whole"
    assert shop.marts() != changed
    assert shop.equals_built("fct_s")


def test_what_follows_a_rollback_can_be_taken_back_too(shop: Domain):
    for amount in (1, 2):
        shop.pair(amount)
        shop.released()
    shop.roll_back()
    before = shop.marts()
    shop.pair(5)
    shop.released()
    assert shop.roll_back("rollback 2").previous_id == 1
    assert shop.marts() == before


@pytest.mark.parametrize(
    "trouble", ["update marts.fct_b set amount = 77 where id = 1", "insert into marts.fct_a values (99)"]
)
def test_a_mart_that_somebody_changed_is_not_rolled_back(shop: Domain, trouble: str):
    for amount in (1, 2):
        shop.pair(amount)
        shop.released()
    with shop.login("transformer") as db:
        db.execute(trouble)
    before = shop.marts()
    with pytest.raises(WarehouseError, match=r"marts\.fct_. was changed since it was published"):
        shop.roll_back()
    assert shop.marts() == before
    assert shop.stack.one("select count(*) from ops.holds") == 0


def test_what_is_kept_may_be_gone(shop: Domain):
    for amount in (1, 2):
        shop.pair(amount)
        shop.released()
    with shop.login("transformer") as db:
        db.execute("drop table kept_retail.p2_added_fct_a")
    with pytest.raises(WarehouseError, match=r"kept_retail\.p2_\w+, which keeps what marts\.fct_a was, is gone"):
        shop.roll_back()


def test_a_publication_that_failed_half_way_does_not_stand_in_the_way(shop: Domain):
    for amount in (1, 2):
        shop.pair(amount)
        shop.released()
    shop.pair(3, more=", 1 as extra")
    with shop.login("transformer") as db:
        db.execute("alter table marts.fct_b add constraint low check (amount < 3)")
    shop.plan(force=True)
    for _ in range(2):
        with pytest.raises(WarehouseError, match="low"):
            shop.publish()
    assert shop.stack.one(f"{KEPT} and tablename like '%copy%'") == 0, "tries that fail do not heap up copies"
    shop.roll_back()
    shop.pair(1)
    assert shop.equals_built("fct_a", "fct_b")
    shop.released()
    assert (
        shop.stack.rows("select distinct split_part(tablename, '_', 1) from pg_tables where schemaname = 'kept_retail'")
        == []
    )


def test_nothing_to_go_back_to_is_said(shop: Domain):
    with pytest.raises(WarehouseError, match="no publication stands"):
        shop.roll_back()


def test_the_tasks_plan_and_roll_back_but_for_a_dry_run(shop: Domain):
    for amount in (1, 2, 3):
        shop.pair(amount)
        shop.released()
    before = shop.stack.state()
    planned = shop.stack.run(PlanRollbackOperator(task_id="plan", domain="retail"))
    operator = RollBackOperator(task_id="roll_back", domain="retail", publication_id=planned)
    with pytest.raises(AirflowSkipException, match="dry_run"):
        shop.stack.run(operator, dry_run=True)
    assert shop.stack.state() == before
    assert (planned, shop.stack.run(operator, dry_run=False)) == (3, 2)
    assert shop.stack.one("select rolled_back_by from ops.publications where publication_id = 3") == "ingest_test test"
    assert shop.stack.run(operator, dry_run=False) is None


def test_another_publication_than_planned_is_not_taken_back(shop: Domain):
    for amount in (1, 2, 3):
        shop.pair(amount)
        shop.released()
    with pytest.raises(WarehouseError, match="the last publication that stands is 3, not 2 as planned"):
        roll_back(shop.uri, "retail", 2, RunRef("d", "r", 1))
