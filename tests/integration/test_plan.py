"""Plans: what no standing publication holds is built, whatever failed, was cleared or came late before."""

from datetime import UTC, datetime, timedelta

import pytest

from datastack.warehouse.load import WarehouseError
from datastack.warehouse.plan import Code, NothingToPlanError, Plan
from tests.integration.harness import Stack, in_thread, stopped
from tests.integration.publishing import STREAMS, Domain, ready

EVER = ("0001-01-01", "9999-12-31")


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain whose loads 1 and 2 are published."""
    domain = ready(stack)
    domain.pair(1)
    domain.released()
    return domain


def planned(shop: Domain) -> list[int]:
    return [row[0] for row in shop.stack.rows("select load_id from ops.plan_loads order by 1")]


def slices(shop: Domain) -> list[tuple[str, ...]]:
    """Planned slices, as dbt finds them."""
    day = "to_char(slice_{} at time zone 'UTC', 'YYYY-MM-DD')"
    with shop.login("transformer") as db:
        query = f"select stream, {day.format('start')}, {day.format('end')} from ops.planned_slices order by 1, 2"
        return db.execute(query).fetchall()


def test_a_plan_waits_for_every_stream(stack: Stack):
    domain = Domain(stack)
    domain.load()
    with pytest.raises(NothingToPlanError, match=r"not loaded yet: shop\.people"):
        domain.plan(force=True)
    domain.load(stream="people")
    assert domain.plan() == Plan(2, whole=True, reason="nothing is published yet")
    assert slices(domain) == [("people", *EVER), ("sales", *EVER)]


def test_a_plan_with_nothing_new_is_skipped_unless_forced(shop: Domain):
    with pytest.raises(NothingToPlanError, match="published already; trigger with force"):
        shop.plan()
    assert shop.plan(force=True) == Plan(0, whole=False, reason="force was asked for")
    assert slices(shop) == []


def test_slices_of_new_loads_are_planned_each_moment_once(shop: Domain):
    for day in (3, 4, 9, 3):
        shop.load(day)
    shop.load(1, start="2019-11-08T00:00Z", end="2019-11-12T00:00Z")
    assert shop.plan() == Plan(5, whole=False, reason="5 loads are new")
    assert slices(shop) == [("sales", "2019-11-03", "2019-11-05"), ("sales", "2019-11-08", "2019-11-12")]


def test_a_backfill_of_thirty_days_is_one_plan_and_one_publication(shop: Domain):
    starts = [datetime(2019, 11, 1, tzinfo=UTC) + timedelta(days=day) for day in range(30)]
    for start in reversed(starts):
        shop.load(start=start, end=start + timedelta(days=1))
    assert shop.plan() == Plan(30, whole=False, reason="30 loads are new")
    assert slices(shop) == [("sales", "2019-11-01", "2019-12-01")]
    done = shop.publish().publication_id
    assert shop.stack.one("select count(*) from ops.publication_loads where publication_id = %s", done) == 30
    with pytest.raises(NothingToPlanError, match="every load is published already"):
        shop.plan()


def test_a_stream_that_has_no_slices_is_planned_whole(shop: Domain):
    shop.load(3)
    shop.load(5, stream="people", write="scd2")
    shop.plan()
    assert slices(shop) == [("people", *EVER), ("sales", "2019-11-03", "2019-11-04")]


def test_a_corrected_file_is_planned_where_it_was_before_too(shop: Domain):
    shop.load(3, write="append", object="a.csv")
    shop.plan()
    shop.publish()
    shop.load(20, write="append", object="a.csv")
    shop.load(25, write="append", object="b.csv")
    shop.plan()
    windows = [("2019-11-03", "2019-11-04"), ("2019-11-20", "2019-11-21"), ("2019-11-25", "2019-11-26")]
    assert slices(shop) == [("sales", *window) for window in windows]


def test_replayed_rows_are_planned_where_their_load_was(shop: Domain):
    shop.load(1, replay_of=1)
    assert shop.plan().loads == 1
    assert slices(shop) == [("sales", "2019-11-01", "2019-11-02")]


def test_a_load_that_gave_way_before_it_was_published_is_held_with_what_it_gave_way_to(shop: Domain):
    old = shop.load(3, superseded=True)
    new = shop.load(3)
    shop.plan()
    assert planned(shop) == [old, new]
    shop.publish()
    with pytest.raises(NothingToPlanError):
        shop.plan()


def test_a_load_that_commits_late_is_not_lost_behind_greater_ids(shop: Domain):
    with shop.login("loader") as slow:
        slow.execute("begin")
        slow.execute("select nextval(pg_get_serial_sequence('ops.loads', 'load_id'))")
        late = slow.execute("select currval(pg_get_serial_sequence('ops.loads', 'load_id'))").fetchone()[0]
        quick = shop.load(4)
        shop.plan()
        shop.publish()
        slow.execute("rollback")
    assert quick > late
    with shop.login("loader") as db:
        columns = "select string_agg(column_name, ', ') from information_schema.columns where table_name = 'loads'"
        names = shop.stack.one(
            f"{columns} and table_schema = 'ops' and column_name not in ('load_id', 'manifest_digest')"
        )
        copied = f"select {late}, 'late', {names} from ops.loads where load_id = {quick}"
        db.execute(f"insert into ops.loads (load_id, manifest_digest, {names}) overriding system value {copied}")
    shop.plan()
    assert planned(shop) == [late]


def test_a_run_that_failed_leaves_its_loads_to_the_next(shop: Domain):
    first = shop.load(3)
    shop.plan()
    with shop.login("transformer") as db:
        db.execute("drop table build_retail.fct_b")
    with pytest.raises(WarehouseError, match="did its dbt model run"):
        shop.publish()
    second = shop.load(4)
    shop.plan(run="run 2")
    assert planned(shop) == [first, second]


def test_loads_between_plan_and_publish_stay_pending(shop: Domain):
    shop.load(3)
    shop.plan()
    later = shop.load(4)
    shop.publish()
    shop.plan()
    assert planned(shop) == [later]


def test_a_run_that_is_cleared_plans_what_is_pending_now(shop: Domain):
    shop.load(3)
    shop.plan(run="run 1")
    second = shop.load(4)
    shop.plan(run="run 2")
    shop.publish()
    third = shop.load(5)
    shop.plan(run="run 1")
    assert planned(shop) == [third] != [second]
    shop.publish()
    with pytest.raises(NothingToPlanError):
        shop.plan(run="run 2")


def test_plans_at_the_same_time_leave_one(shop: Domain):
    shop.load(3)
    for finish in [in_thread(lambda run=run: shop.plan(run=run)) for run in ("run 1", "run 2")]:
        finish()
    [(run,)] = shop.stack.rows("select run_id from ops.plans")
    assert planned(shop) == [3]
    other = "run 2" if run == "run 1" else "run 1"
    with pytest.raises(WarehouseError, match=f"the run {run} of transform_retail has planned since"):
        shop.publish(run=other)
    shop.publish(run=run)


# When incremental models are built anew


def test_new_code_of_an_incremental_model_is_built_anew_until_it_is_published(shop: Domain):
    shop.code = Code({"m": "2"}, frozenset(["m"]))
    assert shop.plan() == Plan(0, whole=True, reason="the code of m is new")
    # The run fails; the code goes back to what is published: what was built anew may still be there.
    shop.code = Code({"m": "1"}, frozenset(["m"]))
    assert shop.plan() == Plan(0, whole=True, reason="the code of m is new")
    shop.publish()
    with pytest.raises(NothingToPlanError):
        shop.plan()


def test_new_code_of_another_model_is_built(shop: Domain):
    shop.code = Code({"m": "1", "n": "1"}, frozenset(["m"]))
    assert shop.plan() == Plan(0, whole=False, reason="the code of n is new")


def test_a_full_refresh_takes_all_slices(shop: Domain):
    assert shop.plan(full_refresh=True) == Plan(0, whole=True, reason="full_refresh was asked for")
    assert slices(shop) == [("people", *EVER), ("sales", *EVER)]


def test_after_a_rollback_the_domain_is_on_hold_until_a_forced_run_publishes(shop: Domain):
    load = shop.load(3)
    shop.plan()
    shop.pair(2)
    shop.publish()
    shop.roll_back()
    with pytest.raises(NothingToPlanError, match=r"on hold: publication 2 was rolled back.* Trigger with force"):
        shop.plan()
    assert shop.plan(force=True) == Plan(1, whole=True, reason="publication 2 was rolled back")
    assert planned(shop) == [load]
    with pytest.raises(NothingToPlanError, match="on hold"):  # the forced run failed
        shop.plan()
    shop.plan(force=True)
    shop.publish()
    shop.load(4)
    assert shop.plan() == Plan(1, whole=False, reason="1 loads are new")


def test_a_plan_without_its_warehouse_fails(shop: Domain):
    with stopped(shop.stack.warehouse), pytest.raises(WarehouseError, match=r"planning retail failed.*refused"):
        shop.plan()


def test_streams_of_other_domains_are_not_planned(shop: Domain):
    assert ("shop", "other") not in STREAMS
    shop.load(3, stream="other")
    with pytest.raises(NothingToPlanError):
        shop.plan()
