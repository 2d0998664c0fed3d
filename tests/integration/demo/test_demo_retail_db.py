"""The demo's database on a real Postgres: seeded once, exactly and repeatably."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pyarrow.compute as pc
import pytest

MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
PURCHASES = f"""
    select
        count(*), count(distinct household_id), sum(quantity), sum(product_id), sum(basket_id),
        {", ".join(f"sum({money})" for money in MONEY)}, min(transaction_at), max(transaction_at)
    from transactions
"""
STRANGERS = """
    select count(distinct product_id) from transactions
    where product_id not in (select product_id from products)
"""
COPIED = """
    select coalesce(max(tuples_processed), 0) from pg_stat_progress_copy where datname = current_database()
"""
OTHERS = """
    select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


def cents(value: float) -> Decimal:
    """Round as the agreement has it; some floats of the file are off by a millionth."""
    return Decimal(repr(value)).quantize(Decimal("0.01"))


def test_everything_released_is_what_the_files_hold(retail, source) -> None:
    name = retail.create()
    process = retail.run(name, "seed")  # by the real clock: all of an anchor in 2020 has come
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "1,469,307 rows in public.transactions" in out
    with retail.reader(name) as connection:
        assert retail.one(connection, PURCHASES) == (
            source.num_rows,
            2469,
            *[pc.sum(source[name]).as_py() for name in ("quantity", "product_id", "basket_id")],
            *[sum(map(cents, source[name].to_pylist())) for name in MONEY],
            datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC) + timedelta(weeks=retail.weeks),
            datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC) + timedelta(weeks=retail.weeks),
        )
        households = "select count(*), count(income), count(marital_status) from households"
        assert retail.one(connection, households) == (2469, 801, 801 - 137)
        products = "select count(*), count(package_size) from products"
        assert retail.one(connection, products) == (92_331, 92_331 - 30_586)
        assert retail.one(connection, STRANGERS) == 17


def test_purchases_to_come_wait_in_the_backlog(retail, half_seeded, source) -> None:
    with retail.owner(half_seeded) as connection:
        released, last = retail.one(connection, "select count(*), max(transaction_at) from transactions")
        backlog = "select count(*), min(transaction_at) from backlog.transactions"
        to_come, first = retail.one(connection, backlog)
    expected = retail.bought_by(source, retail.now)
    assert (released, to_come) == (expected, source.num_rows - expected)
    assert last <= retail.now < first
    assert 0.6 < expected / source.num_rows < 0.9


def test_the_tables_have_the_keys_and_types_of_the_agreement(retail, half_seeded) -> None:
    keys = """
        select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
        where contype in ('p', 'f') and connamespace = 'public'::regnamespace order by 1
    """
    types = """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = 'public.transactions'::regclass and attnum > 0 order by attnum
    """
    with retail.owner(half_seeded) as connection:
        assert connection.execute(keys).fetchall() == [
            ("households", "PRIMARY KEY (household_id)"),
            ("products", "PRIMARY KEY (product_id)"),
            ("transactions", "PRIMARY KEY (basket_id, product_id)"),
        ]
        names = dict(connection.execute(types).fetchall())
    assert names["basket_id"] == "bigint"
    assert names["quantity"] == names["week"] == "integer"
    assert {names[money] for money in MONEY} == {"numeric(10,2)"}
    assert names["transaction_at"] == "timestamp with time zone"


def test_the_reader_reads_what_is_public_and_nothing_else(retail, database) -> None:
    with retail.owner(database) as owner:
        owner.execute("create table public.stores (store_id bigint)")
    with retail.reader(database) as reader:
        assert retail.one(reader, "select count(*) from households") == 2469
        assert retail.one(reader, "select count(*) from stores") == 0
        for forbidden in (
            "select count(*) from backlog.transactions",
            "delete from households",
            "update products set brand = 'x'",
            "create table public.mine (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)


def test_a_second_seed_changes_nothing(retail, database) -> None:
    with retail.owner(database) as connection:
        before = retail.checksums(connection)
        process = retail.run(database, "seed")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert "seeded already" in out
        assert retail.checksums(connection) == before


def test_a_seed_for_other_weeks_is_refused(retail, half_seeded) -> None:
    process = retail.run(half_seeded, "seed", DATASTACK_DEMO_ANCHOR="2020-01-12")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "seeded for anchor 2020-01-01, and 2020-01-12 is other weeks" in err
    assert "Traceback" not in err


def test_a_seed_killed_halfway_is_repaired_by_the_next(retail, half_seeded) -> None:
    name = retail.create()
    with retail.owner(name) as connection:
        process = retail.run(name, "seed")
        wait_for(lambda: retail.one(connection, COPIED) > 100_000)
        process.kill()
        process.communicate()
        wait_for(lambda: retail.one(connection, OTHERS) == 0)
        assert retail.one(connection, "select count(*) from pg_class where relname = 'transactions'") == 0
        retail.seed(name)
        with retail.owner(half_seeded) as model:
            assert retail.checksums(connection) == retail.checksums(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DEMO_RETAIL_DB_URI": ""}, "DEMO_RETAIL_DB_URI is not set"),
        ({"DATASTACK_DEMO_ANCHOR": "soon"}, "DATASTACK_DEMO_ANCHOR is 'soon'"),
        ({"DEMO_RETAIL_DB_URI": "postgresql://retail_app:hush@127.0.0.1:1/x"}, "Connection refused"),
    ],
)
def test_a_failure_is_one_line_without_a_secret(retail, half_seeded, change: dict[str, str], message: str) -> None:
    process = retail.run(half_seeded, "seed", **change)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert "hush" not in err


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
