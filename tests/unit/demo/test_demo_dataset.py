"""The shift in time and the types of the demo's tables, against the Parquet files themselves."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.demo import dataset


@pytest.mark.parametrize(
    ("anchor", "weeks"),
    [
        (date(2017, 10, 1), 0),
        (date(2017, 10, 7), 0),
        (date(2017, 10, 8), 1),
        (date(2017, 9, 30), -1),
        (date(2026, 11, 22), 477),
    ],
)
def test_the_shift_is_in_whole_weeks(anchor: date, weeks: int) -> None:
    assert dataset.shift_weeks(anchor) == weeks


@pytest.mark.parametrize("environment", [{}, {"DATASTACK_DEMO_ANCHOR": ""}, {"DATASTACK_DEMO_ANCHOR": "soon"}])
def test_an_anchor_that_is_no_date_is_an_error_that_says_what_to_set(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"DATASTACK_DEMO_ANCHOR is .* such as 2026"):
        dataset.anchor_from(environment)


def test_the_anchor_is_read() -> None:
    assert dataset.anchor_from({"DATASTACK_DEMO_ANCHOR": "2026-11-22"}) == date(2026, 11, 22)


def test_a_file_that_is_not_there_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(FileNotFoundError, match=r"sales\.parquet .* install"):
        dataset.parquet_path("sales")


def test_transactions_are_those_of_the_file_with_exact_money_and_shifted_time() -> None:
    rows = next(dataset.transactions(weeks=3))
    source = pq.ParquetFile(dataset.parquet_path("transactions")).read().slice(0, rows.num_rows)
    assert rows.schema.field("sales_value").type == pa.decimal128(10, 2)
    assert rows.schema.field("transaction_at").type == pa.timestamp("us", tz="UTC")
    for money in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"):
        expected = [Decimal(repr(value)).quantize(Decimal("0.01")) for value in source[money].to_pylist()]
        assert rows[money].to_pylist() == expected
    for name in ("household_id", "store_id", "basket_id", "product_id", "quantity", "week"):
        assert rows[name].to_pylist() == source[name].to_pylist()
    before = source["transaction_timestamp"].cast(pa.timestamp("us")).to_pylist()
    moved = [moment.replace(tzinfo=UTC) + timedelta(weeks=3) for moment in before]
    assert rows["transaction_at"].to_pylist() == moved


def test_households_are_all_buyers_with_the_demographics_of_some() -> None:
    rows = dataset.households(weeks=1).to_pylist()
    buyers = pq.ParquetFile(dataset.parquet_path("transactions")).read(["household_id"])["household_id"].unique()
    known = pq.ParquetFile(dataset.parquet_path("demographics")).read().to_pylist()
    assert [row["household_id"] for row in rows] == sorted(buyers.to_pylist())
    assert {row.pop("updated_at") for row in rows} == {datetime(2017, 1, 8, tzinfo=UTC)}
    by_id = {row["household_id"]: row for row in rows}
    assert all(by_id[one["household_id"]] == one for one in known)
    assert sum(row["age"] is not None for row in rows) == len(known) == 801


def test_campaigns_address_the_households_of_the_file() -> None:
    pairs = pq.ParquetFile(dataset.parquet_path("campaigns")).read().to_pylist()
    rows = dataset.campaigns(weeks=0).to_pylist()
    addressed = {(row["campaign_id"], household) for row in rows for household in row["household_ids"]}
    assert addressed == {(pair["campaign_id"], pair["household_id"]) for pair in pairs}
    assert sum(len(row["household_ids"]) for row in rows) == len(pairs)
    assert [row["campaign_id"] for row in rows] == list(range(1, 28))
    assert (rows[0]["start_date"], rows[0]["end_date"]) == (date(2017, 3, 3), date(2017, 4, 9))


def test_redemptions_keep_the_place_in_the_file_as_id_and_have_a_moment_within_their_day() -> None:
    source = pq.ParquetFile(dataset.parquet_path("coupon_redemptions")).read().to_pylist()
    rows = {row["redemption_id"]: row for row in dataset.redemptions(weeks=2).to_pylist()}
    assert len(rows) == len(source)
    for place, origin in enumerate(source, start=1):
        row = rows[f"r-{place:06d}"]
        same = ("household_id", "coupon_upc", "campaign_id")
        assert [row[name] for name in same] == [origin[name] for name in same]
        assert row["redemption_date"] == origin["redemption_date"].date() + timedelta(weeks=2)
        assert row["updated_at"].date() == row["redemption_date"]
