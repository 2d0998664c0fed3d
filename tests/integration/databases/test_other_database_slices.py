"""Slices by naive times and dates: each row in one, the one that its moment lies in."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from datastack.source.database import Range, Scan, SourceColumn
from datastack.source.errors import SourceError
from tests.integration.databases import mariadb
from tests.integration.databases.reading import AMSTERDAM, read, values


def clocks(db: Any, mark: str) -> None:
    """Times every ten minutes around both changes of Amsterdam's clock in 2024, those that it skipped too."""
    for day in ("2024-03-31", "2024-10-27"):
        for minute in range(0, 360, 10):
            time = f"{day} {minute // 60:02}:{minute % 60:02}:00"
            db.execute(f"insert into clocks values ({mark}, {mark}, {mark})", (f"{day}-{minute:03}", time, day))


@pytest.mark.parametrize("kind", ["mysql", "sqlite"])
def test_each_row_lies_in_the_one_slice_that_its_moment_lies_in(kind: str, request: pytest.FixtureRequest):
    create = "table clocks (id varchar(20) primary key, t datetime not null, d date)"
    if kind == "mysql":
        with request.getfixturevalue("maria").connect() as db:
            db.execute(f"create or replace {create}")
            clocks(db, "%s")
        url = request.getfixturevalue("maria_url")
    else:
        db, url = request.getfixturevalue("sqlite")
        db.execute(f"create {create}")
        clocks(db, "?")
    columns = (SourceColumn("id", "text"), SourceColumn("t", "timestamptz"))
    for day in ((2024, 3, 30), (2024, 10, 26)):
        start = datetime(*day, 22, tzinfo=UTC)
        edges = [start.fromtimestamp(start.timestamp() + 900 * number, UTC) for number in range(40)]
        seen: list[str] = []
        for low, high in pairwise(edges):
            scan = Scan("clocks", columns, ("id",), Range("t", low, high), AMSTERDAM)
            batches = read(kind, url, scan)
            assert all(low <= moment < high for moment in values(batches, "t"))
            seen += values(batches, "id")
        whole = read(kind, url, Scan("clocks", columns, ("id",), Range("t", edges[0], edges[-1]), AMSTERDAM))
        assert sorted(seen) == sorted(values(whole, "id"))
        assert len(seen) == len(set(seen)) == 36


def test_dates_are_midnights_and_naive_times_need_a_zone(maria: mariadb.Server, maria_url: str, sqlite):
    with maria.connect() as db:
        db.execute("create or replace table clocks (id varchar(20) primary key, t datetime not null, d date)")
        clocks(db, "%s")
    sqlite[0].execute("create table clocks (id varchar(20) primary key, t datetime not null, d date)")
    clocks(sqlite[0], "?")
    for kind, url in (("mysql", maria_url), ("sqlite", sqlite[1])):
        ids = (SourceColumn("id", "text"),)
        for hour, found in ((0, 36), (1, 0)):
            start, end = datetime(2024, 3, 31, hour, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
            assert len(values(read(kind, url, Scan("clocks", ids, (), Range("d", start, end))), "id")) == found
        for scan in (
            Scan("clocks", (*ids, SourceColumn("t", "timestamptz"))),
            Scan("clocks", ids, (), Range("t", datetime(2024, 3, 31, tzinfo=UTC))),
        ):
            with pytest.raises(SourceError, match=r"column t has timestamps without a time zone.*timezone: Europe"):
                read(kind, url, scan)
