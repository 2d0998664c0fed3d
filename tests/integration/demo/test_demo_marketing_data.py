"""What the marketing API tells, page by page, against the Parquet files."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from local.demo import dataset
from tests.integration.demo.marketing_server import PLENTY, get, log_in, serving


def read(table: str) -> list[dict[str, Any]]:
    return pq.ParquetFile(dataset.parquet_path(table)).read().to_pylist()


def by_cursor(client: httpx.Client, **window: Any) -> list[dict[str, Any]]:
    """Read all redemptions of a window; each page must agree on the total."""
    page = get(client, "/redemptions", **window)
    rows, total = page["data"], page["total"]
    while page["next_cursor"]:
        page = get(client, "/redemptions", cursor=page["next_cursor"], **window)
        rows += page["data"]
        assert page["total"] == total
    assert len(rows) == total
    return rows


def test_campaigns_by_page_number_are_those_of_the_files(api) -> None:
    pages = [get(api, "/campaigns", page=number, page_size=10) for number in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [10, 10, 7, 0]
    assert [(page["page"], page["page_size"], page["total"]) for page in pages] == [
        (number, 10, 27) for number in (1, 2, 3, 4)
    ]
    rows = {row["campaign_id"]: row for page in pages for row in page["data"]}
    shift = timedelta(weeks=dataset.shift_weeks(date(2020, 1, 1)))
    for told in read("campaign_descriptions"):
        row = rows[told["campaign_id"]]
        assert row["campaign_type"] == told["campaign_type"]
        period = {name: str((told[name] + shift).date()) for name in ("start_date", "end_date")}
        assert row["period"] == period
    addressed = {(key, one["household_id"]) for key, row in rows.items() for one in row["households"]}
    assert addressed == {(pair["campaign_id"], pair["household_id"]) for pair in read("campaigns")}


@pytest.mark.parametrize(("page_size", "full"), [(9, 3), (27, 1), (100, 0)])
def test_page_numbers_end_where_the_rows_end(api, page_size, full) -> None:
    sizes = [len(get(api, "/campaigns", page=n, page_size=page_size)["data"]) for n in range(1, full + 3)]
    assert sizes == [page_size] * full + ([0, 0] if full else [27, 0])


def test_coupons_by_offset_are_those_of_the_file_duplicates_and_all(api) -> None:
    rows: list[tuple[int, ...]] = []
    for offset in range(0, 125_000, 5000):
        page = get(api, "/coupons", offset=offset, limit=5000)
        assert (page["offset"], page["limit"], page["total"]) == (offset, 5000, 116_204)
        rows += [tuple(row.values()) for row in page["data"]]
    assert len(page["data"]) == 0
    assert Counter(rows) == Counter(tuple(row.values()) for row in read("coupons"))
    assert len(rows) - len(set(rows)) == 116_204 - 111_332


def test_a_campaigns_households_by_next_address_are_those_of_the_file(api) -> None:
    pairs = Counter(pair["campaign_id"] for pair in read("campaigns"))
    campaign, count = pairs.most_common(1)[0]
    page = get(api, f"/campaigns/{campaign}/households", limit=100)
    pages = [page]
    while page["next"]:
        page = api.get(page["next"]).raise_for_status().json()
        pages.append(page)
    assert [len(page["data"]) for page in pages] == [100] * (count // 100) + ([count % 100] if count % 100 else [])
    assert {page["total"] for page in pages} == {count}
    found = [row["household_id"] for page in pages for row in page["data"]]
    assert found == sorted(pair["household_id"] for pair in read("campaigns") if pair["campaign_id"] == campaign)


@pytest.mark.parametrize(("limit", "pages"), [(1, 100), (100, 1), (99, 2)])
def test_next_addresses_end_where_the_rows_end(api, limit, pages) -> None:
    last = get(api, "/campaigns/13/households")["total"]
    address, count = f"/campaigns/13/households?skip={last - 100}&limit={limit}", 0
    while address:
        page, count = api.get(address).raise_for_status().json(), count + 1
        address = page["next"]
    assert count == pages


def test_a_campaigns_coupons_by_link_header_are_those_of_the_file(api) -> None:
    answer = api.get("/campaigns/8/coupons", params={"per_page": 1000}).raise_for_status()
    rows, addresses = answer.json(), []
    while "next" in answer.links:
        addresses.append(answer.links["next"]["url"])
        answer = api.get(addresses[-1]).raise_for_status()
        rows += answer.json()
    assert len(addresses) > 2
    assert "prev" in answer.links
    expected = [tuple(row.values()) for row in read("coupons") if row["campaign_id"] == 8]
    assert [tuple(row.values()) for row in rows] == expected


def test_every_campaign_has_its_own(api) -> None:
    totals = [get(api, f"/campaigns/{number}/households", limit=1)["total"] for number in range(1, 28)]
    assert sum(totals) == len(read("campaigns"))
    for below in ("households", "coupons"):
        answer = api.get(f"/campaigns/28/{below}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no campaign 28")


def test_redemptions_by_cursor_are_those_of_the_file(api) -> None:
    rows = by_cursor(api, limit=500)
    assert len({row["redemption_id"] for row in rows}) == len(rows) == 2102
    shift = timedelta(weeks=dataset.shift_weeks(date(2020, 1, 1)))
    expected = Counter(
        (
            row["household_id"],
            row["coupon_upc"],
            row["campaign_id"],
            str((row["redemption_date"] + shift).date()),
        )
        for row in read("coupon_redemptions")
    )
    names = ("household_id", "coupon_upc", "campaign_id", "redemption_date")
    assert Counter(tuple(row[name] for name in names) for row in rows) == expected
    assert all(row["updated_at"].startswith(row["redemption_date"] + "T") for row in rows)
    assert [row["updated_at"] for row in rows] == sorted(row["updated_at"] for row in rows)


def test_windows_partition_the_redemptions(api) -> None:
    cuts = [
        "2019-01-01T00:00:00Z",
        "2019-10-01T12:00:00Z",
        "2019-10-01T14:00:00+02:00",
        "2021-01-01T00:00:00Z",
    ]
    windows = [
        [row["redemption_id"] for row in by_cursor(api, updated_since=since, until=until, limit=7)]
        for since, until in pairwise(cuts)
    ]
    assert windows[1] == []  # the same moment twice, in two zones
    assert windows[0]
    assert windows[2]
    assert sum(map(len, windows)) == 2102
    assert len(set().union(*windows)) == 2102


def test_redemptions_to_come_are_hidden() -> None:
    now = datetime.now(UTC)
    shift = timedelta(weeks=dataset.shift_weeks(now.date()), hours=12)
    moments = [row["redemption_date"].replace(tzinfo=UTC) + shift for row in read("coupon_redemptions")]
    with serving(DATASTACK_DEMO_ANCHOR=str(now.date()), **PLENTY) as client:
        rows = by_cursor(log_in(client), until=(now + timedelta(days=365)).isoformat())
        assert len(rows) == sum(moment <= datetime.now(UTC) for moment in moments)
        assert 0 < len(rows) < 2102


@pytest.mark.parametrize(
    ("path", "parameters", "status", "word"),
    [
        ("/campaigns", {"page": 0}, 422, "greater than or equal to 1"),
        ("/campaigns", {"page_size": 101}, 422, "less than or equal to 100"),
        ("/coupons", {"offset": -1}, 422, "greater than or equal to 0"),
        ("/coupons", {"limit": 5001}, 422, "less than or equal to 5000"),
        ("/coupons", {"page": 1}, 422, "not permitted"),
        ("/redemptions", {"updated_since": "yesterday"}, 422, "updated_since"),
        ("/redemptions", {"updated_since": "2020-01-01T00:00:00"}, 422, "timezone"),
        ("/redemptions", {"cursor": "abc"}, 400, "cursor"),
        ("/redemptions", {"cursor": ""}, 400, "cursor"),
    ],
)
def test_wrong_parameters_get_a_clear_message(api, path, parameters, status, word) -> None:
    answer = api.get(path, params=parameters)
    assert answer.status_code == status
    assert word in str(answer.json()["detail"])
