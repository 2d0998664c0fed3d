"""Which rows a run reads: by watermark with a look-back, all keys to find deleted rows, naive timestamps by zone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from datastack.source.database import Chunk, Range, Scan, SourceColumn, open_table
from datastack.source.errors import SourceError
from tests.integration.declaring import declared
from tests.integration.harness import Stack, days

HOUSEHOLDS = "raw_retail_db.households"
TRANSACTIONS = "raw_retail_db.transactions"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def watermarked(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Read households from the watermark on, less a day."""
    with declared(tmp_path, households={"write": "merge", "incremental": "watermark", "look_back": "P1D"}):
        yield stack


def test_a_run_goes_on_where_the_last_one_ended(watermarked: Stack):
    first = watermarked.scheduled("retail_db", "households", days(1))
    assert first["rows"] == 60
    assert (
        watermarked.one("select cursor_high::timestamptz from ops.watermarks where stream = 'households'")
        == (watermarked.shop("select max(updated_at) from households")[0][0])
    )
    assert watermarked.scheduled("retail_db", "households", days(2))["rows"] == in_the_last_day(watermarked)
    watermarked.shop("update households set updated_at = '2019-12-24Z', age = '65+' where household_id = 7")
    watermarked.scheduled("retail_db", "households", days(3))
    assert ages(watermarked, 7) == ["65+"]


def test_the_look_back_finds_rows_that_came_late(watermarked: Stack):
    watermarked.scheduled("retail_db", "households", days(1))
    high = watermarked.shop("select max(updated_at) from households")[0][0]
    late, too_late = high - timedelta(hours=23), high - timedelta(days=3)
    watermarked.shop("update households set updated_at = %s, age = 'late' where household_id = 1", late)
    watermarked.shop("update households set updated_at = %s, age = 'too late' where household_id = 2", too_late)
    watermarked.scheduled("retail_db", "households", days(2))
    assert ages(watermarked, 1) == ["late"]
    assert ages(watermarked, 2) != ["too late"]
    watermarked.move("retail_db", "households", ("2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z"))
    assert ages(watermarked, 2) == ["too late"], "a window that is given by hand goes before the watermark"


def test_a_run_that_finds_nothing_leaves_the_watermark(watermarked: Stack):
    watermarked.scheduled("retail_db", "households", days(1))
    high = watermarked.one("select cursor_high from ops.watermarks where stream = 'households'")
    watermarked.shop("delete from households")
    assert watermarked.scheduled("retail_db", "households", days(2))["rows"] == 0
    assert watermarked.one("select cursor_high from ops.watermarks where stream = 'households'") == high
    assert watermarked.one(f"select count(*) from {HOUSEHOLDS}") == 60


def test_a_cursor_may_be_a_number(stack: Stack, tmp_path: Path):
    by_number = {"write": "merge", "cursor": "basket_id", "incremental": "watermark", "look_back": 500}
    with declared(tmp_path, transactions=by_number):
        assert stack.scheduled("retail_db", "transactions", days(1))["rows"] == 600
        high = stack.shop("select max(basket_id) from transactions")[0][0]
        assert stack.one("select cursor_high from ops.watermarks where stream = 'transactions'") == str(high)
        again = stack.shop("select count(*) from transactions where basket_id >= %s", high - 500)[0][0]
        stack.scheduled("retail_db", "transactions", days(2))
        assert stack.loads("transactions")[1]["source_rows"] == again < 600


def test_rows_that_are_gone_are_marked_and_come_back(stack: Stack, tmp_path: Path):
    """Keys are compared as pseudonyms, as the warehouse has them."""
    with declared(tmp_path, households={"write": "merge", "deletes": {"by": "key"}}):
        stack.move("retail_db", "households", days(1, 28))
        stack.shop("create table gone as select * from households where household_id <= 3")
        stack.shop("delete from households where household_id <= 3")
        stack.move("retail_db", "households", days(29))
        dead = f"select household_id from {HOUSEHOLDS} where _deleted_at is not null"
        assert {row[0] for row in stack.rows(dead)} == {stack.pseudonym(number) for number in (1, 2, 3)}
        stack.shop("insert into households select * from gone")
        stack.shop("drop table gone")
        stack.move("retail_db", "households", days(1, 28))
        assert stack.rows(dead) == []


def test_a_naive_timestamp_needs_a_zone(stack: Stack):
    with naive_table(stack, None) as scan, pytest.raises(SourceError, match=r"column at has no time zone.*timezone:"):
        read(stack, scan)


def test_naive_timestamps_have_one_slice_each_when_the_clock_is_set(stack: Stack):
    """In Amsterdam the clock showed 02:00 to 03:00 twice on 27 October 2019, and not at all on 31 March."""
    with naive_table(stack, AMSTERDAM) as scan:
        for start in (datetime(2019, 10, 26, 22, tzinfo=UTC), datetime(2019, 3, 30, 22, tzinfo=UTC)):
            found: list[tuple[int, datetime]] = []
            for step in range(16):
                window = (start + step * timedelta(minutes=30), start + (step + 1) * timedelta(minutes=30))
                part = read(stack, Scan(scan.table, scan.columns, scan.key, Range("at", *window), AMSTERDAM))
                assert all(window[0] <= moment < window[1] for _, moment in part)
                found += part
            whole = (start, start + timedelta(hours=8))
            assert len(found) == len(set(found))
            assert set(found) == set(
                read(stack, Scan(scan.table, scan.columns, scan.key, Range("at", *whole), AMSTERDAM))
            )
            assert len(found) >= 40


def ages(stack: Stack, household: int) -> list[str]:
    """Age of a household as the warehouse has it."""
    return [
        row[0]
        for row in stack.rows(f"select age from {HOUSEHOLDS} where household_id = %s", stack.pseudonym(household))
    ]


def in_the_last_day(stack: Stack) -> int:
    """Count rows at or after the watermark less a day, which a run reads and enters again."""
    newest = "(select max(updated_at) - interval '1 day' from households)"
    return stack.shop(f"select count(*) from households where updated_at >= {newest}")[0][0]


@contextmanager
def naive_table(stack: Stack, zone: ZoneInfo | None) -> Iterator[Scan]:
    """Make a table with a row every ten minutes around both changes of the clock; give its scan."""
    stack.shop("create table naive (id integer generated always as identity primary key, at timestamp)")
    every_ten_minutes = (
        "insert into naive (at) select %s::timestamp + n * interval '10 min' from generate_series(0, 60) n"
    )
    for start in ("2019-10-26 23:00", "2019-03-30 23:00"):
        stack.shop(every_ten_minutes, start)
    try:
        columns = (SourceColumn("id", "integer"), SourceColumn("at", "timestamptz"))
        yield Scan("public.naive", columns, ("id",), None, zone)
    finally:
        stack.shop("drop table naive")


def read(stack: Stack, scan: Scan) -> list[tuple[int, datetime]]:
    """Read a table as the engine does."""
    with open_table("postgres", stack.source.uri("retail_db"), scan) as table, table.read(Chunk(1)) as rows:
        return [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()]


def test_a_column_that_is_not_stored_is_not_read(stack: Stack):
    """A reader without any right to it is enough."""
    stack.shop("create schema hidden; grant usage on schema hidden to retail_reader")
    stack.shop("create table hidden.t (id integer primary key, secret text, beyond text)")
    stack.shop("grant select (id, beyond) on hidden.t to retail_reader; insert into hidden.t values (1, 's', 'b')")
    reader = stack.source.uri("retail_db", "retail_reader", stack.servers.secrets["PG_RETAIL_READER_PASSWORD"])
    columns = SourceColumn("id", "integer"), SourceColumn("secret", "text", is_read=False)
    try:
        scan = Scan("hidden.t", columns, ("id",))
        with open_table("postgres", reader, scan) as table, table.read(Chunk(1)) as rows:
            assert [batch.to_pylist() for batch in rows.batches] == [[{"id": 1, "beyond": "b"}]]
    finally:
        stack.shop("drop schema hidden cascade")
