"""Chunks and pages: every row once, whatever the key is, from several threads, and while others write."""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from datastack.source import connectorx
from datastack.source.database import Chunk, Range, Scan, SourceColumn, open_table
from datastack.source.errors import SourceError
from tests.integration.databases import mariadb
from tests.integration.databases.reading import AMSTERDAM, read, values

TEXTS = ["", " ", "a", "A b", "b", "B'", 'c"', "\\", "d\\'", "é", "E", "z", "😀", "ß", "%", "_", "0", "-1", "\n", "~"]
ID = (SourceColumn("n", "bigint"),)

KEYS = {  # columns of a key in MariaDB, and values for each
    "bigint unsigned": [18446744073709551615, 9007199254740993, 9007199254740992, 0, 5],
    "decimal(30,10)": ["0.1", "-5.5", "12345678901234567890.0000000001", "12345678901234567890.0000000002", "7"],
    "varchar(20) collate utf8mb4_general_ci": ["", "a", "B", "c'\\", "é"],
    "varchar(20) collate utf8mb4_bin": ["a", "A", "b", "B", "😀"],
    "varchar(20) character set latin1": ["a", "é", "ß", "z", ""],
    "enum('z','a','m','b','y')": ["z", "a", "m", "b", "y"],
    "datetime(6)": ["2024-01-01", "2024-01-01 00:00:00.000001", "1000-01-01", "9999-12-31", "2024-03-31 02:30:00"],
    "timestamp(3)": ["2024-10-27 00:30:00", "2024-10-27 01:30:00", "1999-01-01", "2024-01-01", "2038-01-01"],
    "date": ["2024-01-01", "2024-01-02", "1000-01-01", "9999-12-31", "2000-02-29"],
    "varbinary(8)": [b"", b"\x00", b"\xff", b"a'", b"\xff\x00"],
    "uuid": [f"{'0' * 8}-0000-0000-0000-{number:012x}" for number in (1, 2, 255, 256, 2**40)],
    "double": [0.1, 0.30000000000000004, 1e300, -1e-300, 0.3],
}


@pytest.mark.parametrize("key_type", KEYS)
def test_composite_keys_of_any_type_make_chunks_without_gap_or_overlap(
    maria: mariadb.Server, maria_url: str, key_type: str
):
    with maria.connect() as db:
        db.execute(f"create or replace table chunked (n int, a {key_type}, b {key_type}, primary key (a, b))")
        pairs = [(a, b) for a in KEYS[key_type] for b in KEYS[key_type]]
        db.executemany("insert into chunked values (%s, %s, %s)", [(n, *pair) for n, pair in enumerate(pairs)])
    for key, rows in ((("a", "b"), 1), (("b", "a"), 4), (("a", "b"), 25), (("a", "b"), 26), (("n",), 7)):
        each_row_once("mysql", maria_url, Scan("chunked", ID, key), rows, 25)


@pytest.mark.parametrize("collation", ["binary", "nocase", "rtrim"])
@pytest.mark.parametrize("declared", ["text", "", "integer", "blob"])
def test_sqlite_keys_of_mixed_types_make_chunks(sqlite: Any, declared: str, collation: str):
    db, url = sqlite
    db.execute(f"create table chunked (n integer, a {declared} collate {collation}, b real, primary key (n))")
    keys = [*TEXTS, 5, 7.5, 2**63 - 1, b"", b"\xff'", b"z", 0.1, 0.1 + 0.2]
    random.Random(1).shuffle(keys)  # noqa: S311
    db.executemany("insert into chunked values (?, ?, ?)", [(n, key, n / 3) for n, key in enumerate(keys * 2)])
    for rows in (1, 7, 100):
        each_row_once("sqlite", url, Scan("chunked", ID, ("a", "b")), rows, len(keys) * 2)


def each_row_once(kind: str, url: str, scan: Scan, rows: int, total: int) -> None:
    """Read chunks in any order, as stored and loaded again, and compare."""
    with open_table(kind, url, scan) as table:
        chunks = json.loads(json.dumps([(chunk.number, chunk.after, chunk.until) for chunk in table.chunks(rows)]))
        assert len(chunks) >= total // rows
        found: list[int] = []
        for number, after, until in reversed(chunks):
            with table.read(Chunk(number, after and tuple(after), until and tuple(until))) as part:
                numbers = [value for batch in part.batches for value in batch.column("n").to_pylist()]
            assert len(numbers) == part.rows <= rows
            found += map(int, numbers)
    assert sorted(found) == list(range(total))


def test_a_chunk_is_read_in_pages(sqlite: Any, monkeypatch: pytest.MonkeyPatch):
    db, url = sqlite
    db.execute("create table t (n integer primary key)")
    db.executemany("insert into t values (?)", [(n,) for n in range(100)])
    monkeypatch.setattr(connectorx, "PAGE_ROWS", 7)
    with open_table("sqlite", url, Scan("t", ID, ("n",))) as table:
        first, second, _ = table.chunks(50)
        with table.read(second) as read_:
            sizes = [batch.num_rows for batch in read_.batches]
            assert read_.rows == 50
    assert sizes == [7] * 7 + [1]
    assert (first.after, first.until, second.after, second.until) == (None, ("49",), ("49",), ("99",))


def test_no_key_no_rows_and_null_keys(sqlite: Any):
    db, url = sqlite
    db.execute("create table t (n integer, a text)")
    scan = Scan("t", ID, ("a",))
    assert read("sqlite", url, scan, 1) == []
    db.executemany("insert into t values (?, ?)", [(1, "x"), (2, "y"), (3, None)])
    assert values(read("sqlite", url, Scan("t", ID), 1), "n") == ["1", "2", "3"]
    assert values(read("sqlite", url, scan, 10), "n") == ["1", "2", "3"]
    with pytest.raises(SourceError, match=r"t has rows whose key \(a\) is null"):
        read("sqlite", url, scan, 1)


def test_the_highest_is_where_the_next_scan_starts(maria: mariadb.Server, maria_url: str, sqlite: Any):
    columns = "n bigint primary key, d decimal(20,2), s varchar(9), t datetime, day date"
    rows = [(1, "1.00", "a", "2024-10-27 02:30:00", "2024-07-01"), (9, "12345678901234567.89", "b", None, "2024-06-01")]
    with maria.connect() as db:
        db.execute(f"create or replace table marks ({columns})")
        db.executemany("insert into marks values (%s, %s, %s, %s, %s)", rows)
    sqlite[0].execute(f"create table marks ({columns})")
    sqlite[0].executemany("insert into marks values (?, ?, ?, ?, ?)", rows)
    for kind, url in (("mysql", maria_url), ("sqlite", sqlite[1])):
        with open_table(kind, url, Scan("marks", ID, timezone=AMSTERDAM)) as table:
            assert table.highest("n") == 9
            assert 12345678901234564.0 < table.highest("d") <= 12345678901234567.89
            assert table.highest("s") == "b"
            assert table.highest("t") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
            assert table.highest("day") == datetime(2024, 6, 30, 22, tzinfo=UTC)
            marks = {name: table.highest(name) for name in ("n", "d", "s", "t", "day")}
        for name, mark in marks.items():
            again = Scan("marks", ID, ("n",), Range(name, mark), AMSTERDAM)
            beyond = Scan("marks", ID, ("n",), Range(name, None, mark), AMSTERDAM)
            assert len(values(read(kind, url, again), "n")) == 1
            with open_table(kind, url, Scan("marks", ID, range=Range("n", 100))) as table:
                assert table.highest(name) is None
            assert len(values(read(kind, url, beyond), "n")) == (0 if name == "t" else 1)


def test_counts_reconcile_while_others_write_and_threads_read(maria: mariadb.Server, maria_url: str):
    with maria.connect() as db:
        db.execute("create or replace table busy (n bigint primary key, v varchar(50))")
        db.execute("insert into busy select seq * 2, repeat('x', 50) from seq_1_to_20000")
    done = threading.Event()

    def write() -> None:
        with maria.connect() as other:
            number = 0
            while not done.is_set():
                number += 1
                other.execute(
                    f"insert into busy values ({number % 20000 * 2 + 1}, 'new') on duplicate key update v = ''"
                )
                other.execute(f"delete from busy where n = {(number - 1) % 20000 * 2 + 1}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with (
            open_table("mysql", maria_url, Scan("busy", ID, ("n",))) as table,
            ThreadPoolExecutor(4) as threads,
        ):

            def load(chunk: Chunk) -> list[int]:
                with table.read(chunk) as part:
                    numbers = [value for batch in part.batches for value in batch.column("n").to_pylist()]
                assert len(numbers) == part.rows
                return numbers

            chunks = table.chunks(2_000)
            found = [number for part in threads.map(load, chunks) for number in part]
    finally:
        done.set()
        writer.join()
    assert len(chunks) > 9
    assert [number for number in sorted(found) if number % 2 == 0] == list(range(2, 40_001, 2))
    assert len(found) == len(set(found))


def test_keys_are_those_of_all_rows(sqlite: Any, monkeypatch: pytest.MonkeyPatch):
    db, url = sqlite
    db.execute("create table t (n integer, v text, a text, primary key (a, n))")
    db.executemany("insert into t values (?, 'v', ?)", [(n, str(n % 3)) for n in range(50)])
    monkeypatch.setattr(connectorx, "PAGE_ROWS", 7)
    scan = Scan("t", (*ID, SourceColumn("a", "text")), ("a", "n"), Range("n", 40))
    with open_table("sqlite", url, scan) as table, table.keys() as found:
        batches = list(found.batches)
        assert found.rows == 50
        assert table.snapshot is None
    assert batches[0].schema.names == ["n", "a"]
    assert sorted(map(int, values(batches, "n"))) == list(range(50))
