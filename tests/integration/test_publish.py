"""Publishing: all marts of a domain or none, old or new but never a mix, and no load forgotten."""

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators.publish import PlanOperator, PublishOperator
from datastack.warehouse.load import WarehouseError
from tests.integration.harness import Stack, days, in_thread, stopped, wait_for

STREAMS = [("retail_db", "transactions"), ("retail_db", "products")]


@pytest.fixture
def shop(stack: Stack, declarations: Callable[..., Path]) -> Stack:
    """Give a domain of two marts, which both hold amounts of the same sum."""
    from datastack.contract.registry import include_dir

    folder = include_dir() / "soda" / "retail"
    for file in folder.glob("*.yml"):
        file.unlink()
    for name in ("fct_a", "fct_b"):
        (folder / f"{name}.yml").write_text("columns: []\n")
    return stack


def build(stack: Stack, amount: int, *tables: str, rows: int = 4, more: str = "") -> None:
    """Build marts as dbt does: as the transformer, in a schema that consumers can't see."""
    with stack.warehouse.connect("warehouse", "transformer", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"]) as db:
        for table in tables or ("fct_a", "fct_b"):
            db.execute(f"drop table if exists build_retail.{table}")
            columns = f"id, case id % 3 when 0 then null else 'n' end as note, {amount} as amount {more}"
            db.execute(f"create table build_retail.{table} as select {columns} from generate_series(1, {rows}) as id")


def publish(stack: Stack, *load_ids: int) -> dict[str, int]:
    """Run the publish task."""
    return stack.run(PublishOperator(task_id="publish", domain="retail", load_ids=list(load_ids)))


def plan(stack: Stack, **params: Any) -> list[int]:
    """Run the plan task."""
    return stack.run(PlanOperator(task_id="plan", domain="retail", streams=STREAMS), **params)


def test_marts_come_to_their_readers_as_built(shop: Stack):
    for amount, rows in ((1, 4), (1, 4), (2, 4), (2, 9), (2, 3)):
        build(shop, amount, rows=rows)
        assert publish(shop) == {"fct_a": rows, "fct_b": rows}
        for table in ("fct_a", "fct_b"):
            assert shop.checksum(f"marts.{table}") == shop.checksum(f"build_retail.{table}")
    assert shop.one("select count(*) from ops.publications") == 5


def test_rows_that_did_not_change_are_left_alone(shop: Stack):
    build(shop, 1)
    publish(shop)
    rows = shop.rows("select xmin::text, id from marts.fct_a order by id")
    build(shop, 1, rows=5)
    publish(shop)
    assert shop.rows("select xmin::text, id from marts.fct_a order by id")[:4] == rows


def test_a_mart_with_equal_rows_is_refused(shop: Stack):
    build(shop, 1)
    publish(shop)
    before = shop.state()
    with shop.warehouse.connect("warehouse") as db:
        db.execute("insert into build_retail.fct_b select * from build_retail.fct_b limit 1")
    with pytest.raises(WarehouseError, match=r"fct_b\" has 5 rows, but 4 came .* nothing was changed"):
        publish(shop)
    assert {table: found for table, found in shop.state().items() if table != "build_retail.fct_b"} == {
        table: found for table, found in before.items() if table != "build_retail.fct_b"
    }


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("drop table build_retail.fct_b", r'"build_retail"\."fct_b" does not exist: did its dbt model run'),
        ("alter table marts.fct_b add constraint low check (amount < 2)", r"publishing retail failed; (.|\n)*low"),
    ],
)
def test_if_one_mart_fails_none_is_published(shop: Stack, trouble: str, message: str):
    build(shop, 1)
    publish(shop)
    build(shop, 2)
    with shop.warehouse.connect("warehouse") as db:
        db.execute(trouble)
    before = [shop.checksum(f"marts.{table}") for table in ("fct_a", "fct_b")]
    with pytest.raises(WarehouseError, match=message):
        publish(shop)
    assert [shop.checksum(f"marts.{table}") for table in ("fct_a", "fct_b")] == before
    assert shop.one("select count(*) from ops.publications") == 1


def test_a_warehouse_that_restarts_while_publishing_leaves_what_was_there(shop: Stack):
    build(shop, 1)
    publish(shop)
    build(shop, 2)
    before = shop.checksum("marts.fct_a")
    with closing(shop.warehouse.connect("warehouse")) as db:
        db.execute("begin")
        db.execute("lock table ops.publications in exclusive mode")
        finish = in_thread(publish, shop)
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~* 'publications'"
        wait_for(lambda: shop.one(waiting) == 1)
        shop.warehouse.restart("immediate")
    with pytest.raises(WarehouseError, match="publishing retail failed; nothing was changed"):
        finish()
    assert shop.checksum("marts.fct_a") == before
    publish(shop)
    assert shop.checksum("marts.fct_a") == shop.checksum("build_retail.fct_a") != before


def test_a_reader_sees_old_or_new_marts_but_never_a_mix(shop: Stack):
    build(shop, 1)
    publish(shop)
    done, seen = threading.Event(), set()

    def read() -> None:
        with closing(shop.warehouse.connect("warehouse", "analyst", shop.servers.secrets["PG_ANALYST_PASSWORD"])) as db:
            while not done.is_set():
                db.execute("begin isolation level repeatable read")
                sums = [db.execute(f"select sum(amount) from marts.{mart}").fetchone() for mart in ("fct_a", "fct_b")]
                db.execute("commit")
                seen.add(tuple(value for (value,) in sums))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for amount in range(2, 8):
            build(shop, amount)
            publish(shop)
    finally:
        done.set()
        reader.join()
    assert all(a == b for a, b in seen), seen
    assert len(seen) > 2, "the reader saw several publications"


def test_a_mart_may_change_its_shape(shop: Stack):
    build(shop, 1)
    publish(shop)
    build(shop, 1, more=", 'x'::text as extra")
    publish(shop)
    assert shop.checksum("marts.fct_a") == shop.checksum("build_retail.fct_a")
    for role in ("analyst", "ml"):
        with shop.warehouse.connect("warehouse", role, shop.servers.secrets[f"PG_{role.upper()}_PASSWORD"]) as db:
            assert db.execute("select count(extra) from marts.fct_a").fetchone() == (4,)


def test_a_column_may_become_nullable(shop: Stack):
    build(shop, 1)
    with shop.warehouse.connect("warehouse") as db:
        db.execute("alter table build_retail.fct_a alter amount set not null")
    publish(shop)
    build(shop, 1)
    with shop.warehouse.connect("warehouse") as db:
        db.execute("update build_retail.fct_a set amount = null where id = 1")
    publish(shop)
    assert shop.checksum("marts.fct_a") == shop.checksum("build_retail.fct_a")


# Which loads a publication holds


def test_a_plan_waits_for_every_stream(shop: Stack):
    shop.load("retail_db", "transactions", days(1))
    with pytest.raises(AirflowSkipException, match=r"not loaded yet: retail_db\.products"):
        plan(shop)
    shop.load("retail_db", "products", days(1))
    assert plan(shop) == [1, 2]


def test_a_plan_with_nothing_new_is_skipped_unless_forced(shop: Stack):
    for stream in ("transactions", "products"):
        shop.load("retail_db", stream, days(1))
    build(shop, 1)
    publish(shop, *plan(shop))
    assert shop.rows("select publication_id, load_id from ops.publication_loads order by 2") == [(1, 1), (1, 2)]
    with pytest.raises(AirflowSkipException, match="published already; trigger with force"):
        plan(shop)
    assert plan(shop, force=True) == []
    assert publish(shop) == {"fct_a": 4, "fct_b": 4}


def test_a_failed_publication_forgets_no_load(shop: Stack):
    for stream in ("transactions", "products"):
        shop.load("retail_db", stream, days(1))
    planned = plan(shop)
    with pytest.raises(WarehouseError, match=r"fct_a.* does not exist"):
        publish(shop, *planned)
    shop.load("retail_db", "transactions", days(2))
    assert plan(shop) == [*planned, 3]


def test_loads_between_plan_and_publish_stay_pending(shop: Stack):
    for stream in ("transactions", "products"):
        shop.load("retail_db", stream, days(1))
    planned = plan(shop)
    later = shop.load("retail_db", "transactions", days(2))["load_id"]
    build(shop, 1)
    publish(shop, *planned)
    assert plan(shop) == [later]


def test_a_publication_is_recorded_with_its_run_and_rows(shop: Stack):
    build(shop, 1)
    publish(shop)
    [(domain, tables, run_id)] = shop.rows("select domain, tables, run_id from ops.publications")
    assert (domain, run_id) == ("retail", "test")
    assert tables == [{"table": "fct_a", "rows": 4}, {"table": "fct_b", "rows": 4}]


def test_a_plan_without_its_warehouse_fails(shop: Stack):
    with stopped(shop.warehouse), pytest.raises(WarehouseError, match=r"reading the ledger failed.*refused"):
        plan(shop)
