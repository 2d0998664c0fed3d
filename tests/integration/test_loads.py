"""From source to raw table: each disposition gives the same tables however often and in whatever order slices run."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datastack.warehouse.load import WarehouseError
from tests.integration.declaring import declared
from tests.integration.harness import TRANSACTIONS, Stack, days

YEAR = ("2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z")
ALL_TIME = ("2016-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
STREAMS = [
    ("retail_db", "households"),
    ("retail_db", "products"),
    ("retail_db", "transactions"),
    ("marketing_api", "campaigns"),
    ("marketing_api", "coupons"),
    ("marketing_api", "redemptions"),
]


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_slice_loaded_twice_is_there_once(stack: Stack, source: str, stream: str):
    table = f"raw_{source}.{stream}"
    first = stack.load(source, stream, ALL_TIME)
    before = stack.checksum(table)
    second = stack.load(source, stream, ALL_TIME)
    assert first["status"] == second["status"] == "loaded"
    assert first["rows"] == second["rows"] == stack.one(f"select count(*) from {table}") > 0
    assert stack.checksum(table) == before
    assert len(stack.loads(stream)) == 2


def test_purchases_are_those_of_the_shop(stack: Stack):
    stack.load("retail_db", "transactions", YEAR)
    assert stack.table(TRANSACTIONS) == stack.bought(YEAR)
    assert len(stack.bought(YEAR)) == 600


def test_a_slice_is_half_open(stack: Stack):
    stack.load("retail_db", "transactions", days(3))
    found = stack.rows(f"select min(transaction_at), max(transaction_at), count(*) from {TRANSACTIONS}")
    assert found == [
        (datetime(2019, 11, 3, tzinfo=UTC), datetime(2019, 11, 3, 23, 59, 59, 999999, tzinfo=UTC), 20),
    ]


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 2, 3, 1), (3, 3, 1, 4, 2, 1)])
def test_slices_run_in_any_order(stack: Stack, order: tuple[int, ...]):
    for day in order:
        stack.load("retail_db", "transactions", days(day))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 4))


@pytest.mark.parametrize("windows", [[YEAR, days(5)], [days(5), YEAR], [days(1, 9), days(5, 20), YEAR, days(2)]])
def test_windows_may_overlap(stack: Stack, windows: list[tuple[str, str]]):
    for window in windows:
        stack.load("retail_db", "transactions", window)
    assert stack.table(TRANSACTIONS) == stack.bought(YEAR)


def test_a_slice_follows_its_source(stack: Stack):
    stack.load("retail_db", "transactions", days(1, 9))
    stack.shop("delete from transactions where transaction_at < '2019-11-05Z' and quantity = 1")
    stack.shop("update transactions set quantity = 9 where transaction_at >= '2019-11-06Z' and quantity = 2")
    stack.load("retail_db", "transactions", days(1, 5))
    stack.load("retail_db", "transactions", days(6, 9))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 9))


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_a_copy_that_is_retried_does_nothing(stack: Stack, source: str, stream: str):
    key = stack.prepare(source, stream, ALL_TIME)
    first = stack.copy(source, stream, key)
    before = stack.state()
    again = stack.copy(source, stream, key)
    assert again == {"status": "already loaded", "load_id": first["load_id"], "rows": 0}
    assert stack.state() == before


def test_an_older_snapshot_does_not_replace_a_newer_one(stack: Stack):
    older = stack.prepare("retail_db", "products", days(1))
    stack.shop("delete from products where product_id > 30")
    newer = stack.prepare("retail_db", "products", days(2))
    assert stack.copy("retail_db", "products", newer)["rows"] == 30
    before = stack.checksum("raw_retail_db.products")
    assert stack.copy("retail_db", "products", older)["status"] == "superseded"
    assert stack.checksum("raw_retail_db.products") == before
    assert [load["loaded_rows"] for load in stack.loads("products")] == [30, 0]


@pytest.mark.parametrize("newer", [days(1), days(1, 9)], ids=["same slice", "covering slice"])
def test_an_older_attempt_does_not_replace_a_newer_one(stack: Stack, newer: tuple[str, str]):
    """As when a copy that failed last week is cleared after its slice was loaded anew."""
    older = stack.prepare("retail_db", "transactions", days(1))
    stack.shop("update transactions set quantity = 9 where transaction_at < '2019-11-02Z'")
    stack.load("retail_db", "transactions", newer)
    assert stack.copy("retail_db", "transactions", older)["status"] == "superseded"
    assert stack.table(TRANSACTIONS) == stack.bought(newer)


def test_an_older_attempt_that_overlaps_a_newer_one_is_refused(stack: Stack):
    older = stack.prepare("retail_db", "transactions", days(1, 3))
    stack.shop("update transactions set quantity = 9 where transaction_at < '2019-11-02Z'")
    stack.load("retail_db", "transactions", days(1))
    before = stack.state()
    with pytest.raises(WarehouseError, match=r"read before those of \[2019-11-01.*clear the task that extracts it"):
        stack.copy("retail_db", "transactions", older)
    assert stack.state() == before
    stack.load("retail_db", "transactions", days(1, 3))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 3))


def test_a_snapshot_follows_its_source(stack: Stack):
    stack.load("retail_db", "products", days(1))
    stack.shop("delete from products where product_id > 30")
    stack.shop("update products set brand = 'Private'")
    stack.load("retail_db", "products", days(2))
    names = "product_id, manufacturer_id, department, brand, product_category, product_type, package_size, updated_at"
    assert stack.table("raw_retail_db.products") == stack.shop(f"select {names} from products order by 1")


def test_a_merge_keeps_the_newest_row_of_a_key_in_any_order(stack: Stack, tmp_path: Path):
    march = ("2019-03-01T00:00:00Z", "2019-04-01T00:00:00Z")
    with declared(tmp_path, households={"write": "merge"}):
        older = stack.prepare("retail_db", "households", YEAR)
        stack.shop("update households set home_ownership = 'Boat', updated_at = '2019-12-24Z' where household_id <= 10")
        newer = stack.prepare("retail_db", "households", YEAR)
        stack.copy("retail_db", "households", newer)
        before = stack.checksum("raw_retail_db.households")
        assert stack.copy("retail_db", "households", older)["status"] == "loaded"
        stack.load("retail_db", "households", march)
    boats = stack.rows("select count(*), count(*) filter (where home_ownership = 'Boat') from raw_retail_db.households")
    assert boats == [(60, 10)]
    assert stack.checksum("raw_retail_db.households") == before
    assert stack.loads("households")[1]["loaded_rows"] == 0


def test_a_row_that_changes_again_is_not_lost_between_two_slices(stack: Stack):
    stack.shop("update households set updated_at = '2019-11-10T12:00Z', age = '65+' where household_id = 1")
    stack.load("retail_db", "households", days(1, 9))
    ages = "select age from raw_retail_db.households where household_id = %s"
    assert stack.rows(ages, stack.pseudonym(1)) == [("65+",)]


def test_a_merge_keeps_the_newest_of_duplicate_keys_in_a_batch(stack: Stack, stub_api: Any):
    moments = ["2019-11-01T10:00:00Z", "2019-11-01T12:00:00Z", "2019-11-01T11:00:00Z"]
    stub_api.records["/redemptions"] = [
        redemption("r-1", campaign_id=number, updated_at=moment) for number, moment in enumerate(moments)
    ] + [redemption("r-2", campaign_id=7)]
    loaded = stack.load("marketing_api", "redemptions", days(1))
    rows = stack.rows("select redemption_id, campaign_id from raw_marketing_api.redemptions order by 1")
    assert rows == [("r-1", 1), ("r-2", 7)]
    assert loaded["rows"] == 2
    [load] = stack.loads("redemptions")
    assert (load["source_rows"], load["lake_rows"], load["loaded_rows"]) == (4, 4, 2)


def redemption(number: str, **more: Any) -> dict[str, Any]:
    """Return a record of the API."""
    return {
        "redemption_id": number, "household_id": 5, "coupon_upc": 1, "campaign_id": 1, "redemption_date": "2019-11-01",
        "updated_at": "2019-11-01T12:00:00Z",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("source", "stream"), [("retail_db", "transactions"), ("retail_db", "households"), ("marketing_api", "redemptions")]
)
def test_an_empty_slice_is_a_load_of_nothing(stack: Stack, source: str, stream: str):
    far = ("2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z")
    assert stack.load(source, stream, far)["rows"] == 0
    assert stack.one(f"select count(*) from raw_{source}.{stream}") == 0
    [load] = stack.loads(stream)
    assert (load["source_rows"], load["lake_rows"], load["loaded_rows"], load["bytes"]) == (0, 0, 0, 0)


def test_a_slice_that_became_empty_becomes_empty(stack: Stack):
    stack.load("retail_db", "transactions", days(1, 2))
    stack.shop("delete from transactions where transaction_at < '2019-11-02Z'")
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 2))
    assert stack.one(f"select count(*) from {TRANSACTIONS}") == 20


def test_the_ledger_tells_all_about_a_load(stack: Stack):
    key = stack.prepare("retail_db", "transactions", days(2, 3))
    result = stack.copy("retail_db", "transactions", key)
    [load] = stack.loads("transactions")
    assert load["load_id"] == result["load_id"]
    assert load["manifest_key"] == key
    assert load["slice_start"] == datetime(2019, 11, 2, tzinfo=UTC)
    assert load["slice_end"] == datetime(2019, 11, 4, tzinfo=UTC)
    assert (load["source_rows"], load["lake_rows"], load["loaded_rows"], load["quarantined_rows"]) == (40, 40, 40, 0)
    assert (load["write_disposition"], load["contract_version"]) == ("replace_slice", "1.0.0")
    assert (load["dag_id"], load["run_id"], load["try_number"]) == ("ingest_test", "test", 1)
    parts = [item for item in stack.objects("conformed/") if item.endswith(".parquet")]
    sizes = [stack.lake.client().head_object(Bucket="lake", Key=part)["ContentLength"] for part in parts]
    assert load["bytes"] == sum(sizes) > 0


def test_rows_carry_their_load(stack: Stack):
    ids = [stack.load("retail_db", "transactions", days(day))["load_id"] for day in (2, 3)]
    query = f"""
        select loads.slice_start, loads.load_id, count(*)
        from {TRANSACTIONS} inner join ops.loads as loads on loads.load_id = _load_id
        where transaction_at >= slice_start and transaction_at < slice_end
        group by 1, 2 order by 1
    """
    starts = [datetime(2019, 11, day, tzinfo=UTC) for day in (2, 3)]
    assert stack.rows(query) == [(start, load_id, 20) for start, load_id in zip(starts, ids, strict=True)]


def test_the_watermark_never_goes_back(stack: Stack):
    seen = []
    for day in (2, 5, 3):
        load_id = stack.load("retail_db", "transactions", days(day))["load_id"]
        [(slice_end, by)] = stack.rows("select slice_end, load_id from ops.watermarks where stream = 'transactions'")
        seen.append((slice_end.day, by == load_id))
    assert [day for day, _ in seen] == [3, 6, 6]
    assert seen[1][1], "the watermark names the load that set it"


def test_rows_outside_of_their_slice_are_refused(stack: Stack):
    """A manifest whose window is not that of its rows would make them stay for ever."""
    key = stack.prepare("retail_db", "transactions", days(1, 2))
    text = stack.get(key)
    assert text.count(b"2019-11-03T00:00:00Z") == 1
    stack.put(key, text.replace(b"2019-11-03T00:00:00Z", b"2019-11-02T00:00:00Z"))
    before = stack.state()
    with pytest.raises(WarehouseError, match=r"transactions .*: 20 rows arrived .*manifest says 40"):
        stack.copy("retail_db", "transactions", key)
    assert stack.state() == before
