"""Publishing: all marts of a domain or none, old or new but never a mix, and no row written that did not change."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from datastack.warehouse import publish, reshape
from datastack.warehouse.load import WarehouseError
from datastack.warehouse.marts import Mart, Published
from tests.integration.harness import Stack, in_thread, wait_for
from tests.integration.publishing import PAIR, SLICED, Domain, ready


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain of which every stream is loaded."""
    return ready(stack)


def test_marts_come_to_their_readers_as_built(shop: Domain):
    for amount, rows in ((1, 4), (1, 4), (2, 4), (2, 9), (2, 3)):
        shop.pair(amount, rows)
        assert [each.rows for each in shop.released().marts] == [rows, rows]
        assert shop.equals_built("fct_a", "fct_b")
    assert shop.stack.one("select count(*) from ops.publications") == 5


def test_rows_that_did_not_change_are_left_alone(shop: Domain):
    shop.pair(1)
    shop.released()
    rows = shop.stack.rows("select xmin::text, id from marts.fct_a order by id")
    shop.pair(1, rows=5)
    [done, _] = shop.released().marts
    assert (done.deleted, done.inserted, done.how) == (0, 1, "whole")
    assert shop.stack.rows("select xmin::text, id from marts.fct_a order by id")[:4] == rows


def test_a_mart_with_equal_rows_is_refused(shop: Domain):
    shop.pair(1)
    shop.released()
    before = shop.stack.state()
    with shop.login("transformer") as db:
        db.execute("insert into build_retail.fct_b select * from build_retail.fct_b limit 1")
    shop.plan(force=True)
    with pytest.raises(WarehouseError, match=r"fct_b\" has 5 rows, but 4 came .* nothing was changed"):
        shop.publish()
    after = shop.stack.state()
    assert {table for table in after if after[table] != before.get(table)} == {
        "build_retail.fct_b",
        "ops.plans",
        "ops.plan_loads",
    }


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("drop table build_retail.fct_b", r'"build_retail"\."fct_b" does not exist: did its dbt model run'),
        ("alter table marts.fct_b add constraint low check (amount < 2)", r"publishing retail failed; (.|\n)*low"),
    ],
)
def test_if_one_mart_fails_none_is_published(shop: Domain, trouble: str, message: str):
    shop.pair(1)
    shop.released()
    shop.pair(2)
    with shop.login("transformer") as db:
        db.execute(trouble)
    before = shop.marts()
    shop.plan(force=True)
    with pytest.raises(WarehouseError, match=message):
        shop.publish()
    assert shop.marts() == before
    assert shop.stack.one("select count(*) from ops.publications") == 1


def test_a_warehouse_that_restarts_while_publishing_leaves_what_was_there(shop: Domain):
    shop.pair(1)
    shop.released()
    shop.pair(2)
    before = shop.marts()
    shop.plan(force=True)
    warehouse = shop.stack.warehouse
    with closing(warehouse.connect("warehouse")) as db:
        db.execute("begin")
        db.execute("lock table ops.publications in share row exclusive mode")
        finish = in_thread(shop.publish)
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~* 'publications'"
        wait_for(lambda: shop.stack.one(waiting) == 1)
        warehouse.restart("immediate")
    with pytest.raises(WarehouseError, match="publishing retail failed; nothing was changed"):
        finish()
    assert shop.marts() == before
    shop.publish()
    assert shop.marts() != before
    assert shop.equals_built("fct_a", "fct_b")


# Slices


def sales(shop: Domain, **amounts: int) -> None:
    """Build a mart with three sales a day, of the amounts that each day (as ``d1``) has."""
    days = ", ".join(f"({name[1:]}, {amount})" for name, amount in amounts.items())
    sold = "timestamptz '2019-10-31 01:00Z' + make_interval(days => day, hours => hour)"
    shop.build(
        "fct_sales",
        f"select {sold} as sold_at, day, hour, amount from (values {days}) as v (day, amount), "
        "generate_series(0, 2) as hour",
    )


def test_a_large_mart_is_compared_in_the_planned_slices_only(shop: Domain):
    mart = Mart("fct_sales", slices=SLICED)
    sales(shop, d1=1, d2=1, d3=1)
    [first] = shop.released(mart).marts
    assert (first.how, first.rows, first.inserted) == ("replaced", 9, 9)
    shop.load(2)
    assert not shop.plan().whole
    sales(shop, d1=7, d2=2, d3=1)  # day 1 differs too, but no load says so
    [done] = shop.publish(mart).marts
    assert (done.how, done.deleted, done.inserted, done.rows) == ("slices", 3, 3, 9)
    assert shop.stack.rows("select day, sum(amount) from marts.fct_sales group by 1 order by 1") == [
        (1, 3),
        (2, 6),
        (3, 3),
    ]
    shop.plan(full_refresh=True)
    [done] = shop.publish(mart).marts
    assert (done.how, done.deleted, done.inserted) == ("whole", 3, 3)
    assert shop.equals_built("fct_sales")


def test_rows_that_left_a_planned_slice_are_taken_out(shop: Domain):
    mart = Mart("fct_sales", slices=SLICED)
    sales(shop, d1=1, d2=1)
    shop.released(mart)
    shop.load(2)
    shop.plan()
    sales(shop, d1=1)
    [done] = shop.publish(mart).marts
    assert (done.deleted, done.inserted, done.rows) == (3, 0, 3)


def test_rows_outside_of_the_slices_that_came_or_went_are_an_error(shop: Domain):
    mart = Mart("fct_sales", slices=SLICED)
    sales(shop, d1=1, d2=1)
    shop.released(mart)
    shop.load(2)
    shop.plan()
    sales(shop, d1=1, d2=1, d3=1)
    with pytest.raises(WarehouseError, match=r"has 9 rows, but 6 came .* trigger the run with full_refresh"):
        shop.publish(mart)


# Changed shapes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1 as a", "1 as a, 'x' as b"),
        ("1 as a, 'x' as b", "1 as a"),
        ("1 as a, 2 as b", "3 as b, 1 as a"),
        ("1 as a, 7 as b", "1 as a, 8::bigint as b"),
        ("1 as a, 7 as b", "1 as a, 8.5::numeric(6, 2) as b, date '2020-01-01' as c"),
        ("1 as a, 'x'::varchar(3) as b", "1 as a, 'long enough'::text as b"),
        ("1 as a, '7' as b", "1 as a, 7 as b"),
    ],
)
def test_a_mart_may_change_its_shape(shop: Domain, before: str, after: str):
    mart = Mart("dim_x")
    shop.build("dim_x", f"select {before}")
    shop.released(mart)
    with shop.login("analyst") as db:
        oid = shop.stack.one("select 'marts.dim_x'::regclass::oid")
        shop.build("dim_x", f"select {after}")
        done = shop.released(mart)
        assert done.warnings == ()
        assert shop.equals_built("dim_x")
        assert shop.stack.one("select 'marts.dim_x'::regclass::oid") == oid, "a reader's table is never replaced"
        assert db.execute("select count(*) from marts.dim_x").fetchone() == (1,)


def test_values_that_can_not_take_a_new_type_are_refused(shop: Domain):
    mart = Mart("dim_x")
    shop.build("dim_x", "select 'a' as code")
    shop.released(mart)
    shop.build("dim_x", "select 1 as code")
    shop.plan(force=True)
    with pytest.raises(WarehouseError, match=r'marts\.dim_x: bringing code to integer .*"a".* a new version'):
        shop.publish(mart)
    assert shop.stack.rows("select * from marts.dim_x") == [("a",)]


def test_a_reader_that_began_before_a_change_of_shape_keeps_what_it_saw(shop: Domain):
    shop.pair(1)
    shop.released()
    shop.pair(5, more=", 1 as extra")
    query = "select sum(amount) from marts.fct_{}"
    with shop.reading(query.format("a")) as db:
        finish = in_thread(shop.released)
        waits = "select count(*) from pg_stat_activity where query like '%add column%' and usename = 'transformer'"
        # The reader's table is in use: whoever comes next is not held up by the publication that waits for it.
        for _ in range(10):
            with shop.login("ml") as other:
                assert other.execute(query.format("a")).fetchone() == (4,)
        assert shop.stack.one(waits) in (0, 1)
        assert db.execute(query.format("b")).fetchone() == (4,)
    finish()
    assert shop.equals_built("fct_a", "fct_b")


def test_a_type_changes_only_when_nobody_can_find_the_new_column_empty(shop: Domain):
    shop.build("dim_x", "select 7 as b")
    shop.build("dim_y", "select 7 as b")
    marts = Mart("dim_x"), Mart("dim_y")
    shop.released(*marts)
    shop.build("dim_x", "select 8::bigint as b")
    with shop.reading("select 1") as db:  # its snapshot is old, though it has not read any mart yet
        finish = in_thread(lambda: shop.released(*marts))
        filled = "select count(*) from pg_attribute where attrelid = 'marts.dim_x'::regclass and attname = 'b__next'"
        wait_for(lambda: shop.stack.one(filled) == 1)
        time.sleep(1)  # enough to do it wrong
        assert db.execute("select b from marts.dim_x").fetchone() == (7,)
    finish()
    assert shop.equals_built("dim_x")


def test_readers_that_do_not_let_go_are_named(shop: Domain, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reshape, "PATIENCE_SECONDS", 0.1)
    shop.pair(1)
    shop.released()
    shop.pair(5, more=", 1 as extra")
    shop.plan(force=True)
    with (
        shop.reading("select * from marts.fct_a"),
        pytest.raises(WarehouseError, match=r"columns of marts\.fct_a: sessions .* analyst \(dashboard, pid \d+\)"),
    ):
        shop.publish()
    assert {len(row) for row in shop.marts()["fct_b"]} == {3}


@pytest.fixture
def by_hand(shop: Domain) -> Iterator[None]:
    """What an administrator has granted a role, and everybody; undone afterwards."""
    with shop.stack.warehouse.connect("warehouse") as db:
        db.execute('create role "Some body"; create role other')
        shop.build("ml_x", "select 1 as a, 'x' as b")
        shop.released(Mart("ml_x"))
        db.execute(
            'grant select on marts.ml_x to "Some body"; grant select (b) on marts.ml_x to other, analyst, public'
        )
        db.execute("grant select on ml.x to public")
        yield
        db.execute('drop owned by "Some body", other; drop role "Some body", other')


@pytest.mark.usefixtures("by_hand")
def test_a_mart_that_becomes_restricted_is_closed_to_the_public_and_others_are_named(shop: Domain):
    assert shop.released(Mart("ml_x")).warnings == ()
    readers = "select has_any_column_privilege(%s, %s::regclass::oid, 'select')"
    assert shop.stack.one(readers, "public", "ml.x")
    [warning] = shop.released(Mart("ml_x", is_restricted=True)).warnings
    assert warning.startswith('"marts"."ml_x" has restricted columns, but was granted by hand to "Some body", other, ')
    for relation in ("marts.ml_x", "ml.x"):
        for role in ("public", "analyst", "ml"):
            assert not shop.stack.one(readers, role, relation), (role, relation)
    with shop.stack.warehouse.connect("warehouse") as db:
        db.execute(warning.rpartition(": ")[2])
    assert shop.released(Mart("ml_x", is_restricted=True)).warnings == ()


def test_what_can_not_be_dropped_yet_is_told_and_dropped_next_time(shop: Domain, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reshape, "PATIENCE_SECONDS", 0.1)
    shop.pair(1, more=", 1 as extra")
    shop.released()
    shop.pair(2)
    with shop.reading("select * from marts.fct_a"):
        [warning] = shop.released().warnings
    assert "the publication stands, but: changing the columns of marts.fct_a" in warning
    assert shop.stack.rows("select distinct amount, extra from marts.fct_a") == [(2, None)]
    assert shop.released().warnings == ()
    assert shop.equals_built("fct_a", "fct_b")


# What is recorded


def test_a_publication_is_recorded_whole(shop: Domain):
    shop.pair(1)
    shop.released()
    columns = "domain, dag_id, run_id, whole, models, dbt_version, project_version, contract_versions, kept"
    contracts = {"shop.sales": "1.0.0", "shop.people": "1.0.0"}
    run = ("retail", "transform_retail", "run 1", True)
    assert shop.stack.rows(f"select {columns} from ops.publications") == [
        (*run, {"m": "1"}, "1.11", "1.0", contracts, False)
    ]
    assert shop.stack.rows("select publication_id, load_id from ops.publication_loads order by 2") == [(1, 1), (1, 2)]
    [tables] = shop.stack.one("select jsonb_agg(tables) from ops.publications")
    assert Published(**tables[0]) == Published(
        "fct_a", 4, 0, 4, "replaced", is_new=True, columns=["id", "note", "amount"]
    )


# Tries


class LostError(Exception):
    """The worker is gone."""


@pytest.mark.parametrize("columns", ["", ", 'x' as extra"])
def test_a_try_after_one_that_was_lost_finishes_what_that_has_committed(
    shop: Domain, monkeypatch: pytest.MonkeyPatch, columns: str
):
    shop.pair(1, more=columns)
    shop.build("fct_old", "select 1 as a")
    shop.released(*PAIR, Mart("fct_old"))
    before = shop.marts()
    shop.pair(2)
    shop.load(3)
    shop.plan()
    with monkeypatch.context() as patch:
        patch.setattr(publish, "_contracted", lost)
        with pytest.raises(LostError):
            shop.publish()
    first = shop.stack.rows("select * from ops.publications")
    shop.load(4, gated=False)  # dbt can't have read it
    done = shop.publish()
    assert (done.is_new, done.publication_id, done.left, done.warnings) == (False, 2, ("fct_old",), ())
    assert [(each.table, each.rows, each.deleted, each.inserted) for each in done.marts] == [
        ("fct_a", 4, 4, 4),
        ("fct_b", 4, 4, 4),
    ]
    assert shop.stack.rows("select * from ops.publications") == first
    assert shop.equals_built("fct_a", "fct_b")
    assert shop.roll_back().publication_id == 2
    assert shop.marts() == before


def lost(*_: object) -> None:
    raise LostError


def test_a_run_that_plans_anew_publishes_anew(shop: Domain):
    for amount in (1, 2):
        shop.pair(amount)
        shop.plan(force=True)
        assert shop.publish().is_new
        assert shop.equals_built("fct_a", "fct_b")
    assert shop.stack.one("select count(distinct run_id) from ops.publications") == 1


def test_a_mart_of_no_model_stays_and_is_told(shop: Domain):
    shop.pair(1)
    shop.released()
    assert shop.released(PAIR[0]).left == ("fct_b",)
    assert shop.stack.one("select count(*) from marts.fct_b") == 4


def test_comments_come_along(shop: Domain):
    shop.pair(1)
    with shop.login("transformer") as db:
        db.execute("comment on column build_retail.fct_a.amount is 'in ''dollars'''")
        db.execute("comment on table build_retail.fct_a is 'a fact'")
    shop.released()
    said = "select col_description('marts.fct_a'::regclass, 3), obj_description('marts.fct_a'::regclass, 'pg_class')"
    assert shop.stack.rows(said) == [("in 'dollars'", "a fact")]


@pytest.mark.parametrize("change", ["roll_back", "other"])
def test_what_was_not_planned_by_the_run_is_not_published(shop: Domain, change: str):
    shop.pair(1)
    shop.released()
    shop.pair(2)
    shop.released()
    shop.pair(3)
    shop.plan(force=True)
    before = shop.marts()
    acts: dict[str, Callable[[], object]] = {
        "roll_back": shop.roll_back,
        "other": lambda: shop.plan(run="run 2", force=True),
    }
    acts[change]()
    said = {
        "roll_back": "no plan stands; a rollback drops it",
        "other": "the run run 2 of transform_retail has planned",
    }
    with pytest.raises(WarehouseError, match=said[change]):
        shop.publish(run="run 1")
    assert (shop.marts() == before) is (change == "other")
