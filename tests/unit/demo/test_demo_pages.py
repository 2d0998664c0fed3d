"""Pagination: every row once, whatever the number of rows and the size of a page."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from typing import Any

import pyarrow as pa
import pytest

from local.demo.access import Signer
from local.demo.marketing_api import Redemptions
from local.demo.pages import JsonRows
from local.demo.queries import Window

START = datetime(2020, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=1000)
SIZES = [(0, 0), (1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3)]  # rows, pages of ten that hold some


def redemptions(rows: int, *, a_day: int = 3) -> Redemptions:
    """Return so many redemptions, some of the same moment."""
    moments = [START + timedelta(days=place // a_day) for place in range(rows)]
    table = pa.table(
        {
            "redemption_id": pa.array([f"r-{place}" for place in range(rows)], pa.string()),
            "updated_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
        }
    )
    return Redemptions(table, Signer("secret", "cursor"))


def walk(source: Redemptions, now: datetime = NOW, **window: Any) -> list[dict[str, Any]]:
    """Read page by page to the end."""
    pages = [json.loads(source.page(Window(**window), now))]
    while pages[-1]["next_cursor"]:
        pages.append(json.loads(source.page(Window(cursor=pages[-1]["next_cursor"], **window), now)))
    return pages


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [row["redemption_id"] for page in pages for row in page["data"]]


def test_rows_are_rendered_by_type() -> None:
    table = pa.table(
        {
            "number": pa.array([1, -2]),
            "text": pa.array(["a", "b"]),
            "day": pa.array([date(2020, 2, 29)] * 2),
            "moment": pa.array([START] * 2, pa.timestamp("us", tz="UTC")),
        }
    )
    expected = {"number": -2, "text": "b", "day": "2020-02-29", "moment": "2020-01-01T00:00:00Z"}
    assert json.loads(JsonRows.of_table(table).page(1, 2)) == {"data": [expected]}


def test_objects_are_rendered_with_escapes_and_an_envelope() -> None:
    rows = JsonRows.of_objects([{"text": 'a "quote"', "nested": [{"x": 1}]}])
    page = json.loads(rows.page(0, 10, total=1, next_cursor=None))
    assert page == {"data": [{"text": 'a "quote"', "nested": [{"x": 1}]}], "total": 1, "next_cursor": None}


@pytest.mark.parametrize(("rows", "pages"), SIZES)
def test_slices_give_every_row_once_and_end_with_an_empty_page(rows: int, pages: int) -> None:
    source = JsonRows.of_table(pa.table({"id": pa.array(range(rows), pa.int64())}))
    read = [json.loads(source.page(start, start + 10))["data"] for start in range(0, 10 * pages + 10, 10)]
    assert [row["id"] for page in read for row in page] == list(range(rows))
    assert [bool(page) for page in read] == [True] * pages + [False]


@pytest.mark.parametrize(("rows", "pages"), SIZES)
def test_cursors_give_every_row_once_without_an_empty_page_at_the_end(rows: int, pages: int) -> None:
    read = walk(redemptions(rows), limit=10)
    assert ids(read) == [f"r-{place}" for place in range(rows)]
    assert len(read) == max(pages, 1)
    assert {page["total"] for page in read} == {rows}


def test_windows_are_half_open_and_share_no_row() -> None:
    source = redemptions(30)
    cuts = [START + timedelta(days=day) for day in (0, 1, 4, 10)]
    windows = [ids(walk(source, updated_since=a, until=b, limit=2)) for a, b in pairwise(cuts)]
    assert [len(window) for window in windows] == [3, 9, 18]
    assert list(chain.from_iterable(windows)) == ids(walk(source))


def test_rows_are_hidden_until_their_time_has_come() -> None:
    source = redemptions(30)
    moment = START + timedelta(days=4)
    assert len(ids(walk(source, now=moment))) == 15
    assert len(ids(walk(source, now=moment - timedelta(seconds=1)))) == 12
    later = walk(source, now=moment, updated_since=moment + timedelta(days=1), until=NOW)
    assert later == [{"data": [], "next_cursor": None, "total": 0}]


def test_rows_released_between_two_pages_are_left_out() -> None:
    source = redemptions(30)
    first = json.loads(source.page(Window(limit=2), START))
    second = json.loads(source.page(Window(limit=2, cursor=first["next_cursor"]), NOW))
    assert ids([first, second]) == ["r-0", "r-1", "r-2"]
    assert (second["next_cursor"], second["total"]) == (None, 3)


def test_a_cursor_is_good_only_for_its_window_and_server() -> None:
    source = redemptions(30)
    cursor = json.loads(source.page(Window(limit=2), NOW))["next_cursor"]
    with pytest.raises(ValueError, match="another window"):
        source.page(Window(limit=2, until=NOW, cursor=cursor), NOW)
    for broken in ("", "abc", cursor[:-2], "A" + cursor[1:], Signer("other", "cursor").seal({"at": 0})):
        with pytest.raises(ValueError, match="not sealed here"):
            source.page(Window(limit=2, cursor=broken), NOW)


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"updated_since": "2020-01-01T00:00:00"},
        {"updated": "2020-01-01T00:00:00Z"},
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Window(**parameters)


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="updated_since is after until"):
        Window(updated_since=NOW, until=START)
