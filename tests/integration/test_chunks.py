"""Postgres tables taken apart along their keys: every row is in one chunk, and chunks are of about the size wanted."""

from collections import Counter
from collections.abc import Iterator

import pytest

from datastack.source.database import Range, Scan, SourceColumn, open_table
from tests.integration.harness import Stack

ROWS = 100_000
WANTED = 25_000  # more than are sampled of a chunk
N = (SourceColumn("n", "bigint"),)
KEYS = {
    "in the order of the rows": ("n as k", ("k",)),
    "in another order": ("hashint8(n)::bigint * 1000000 + n as k", ("k",)),
    "of several columns": ("n % 7 as a, 'é ''\"' || n / 7 as b", ("a", "b")),
    "with few values": ("n % 3 as k", ("k",)),
    "with names that our own SQL uses": ("n % 7 as places, n / 7 as place", ("places", "place")),
}


@pytest.fixture
def shop(stack: Stack) -> Iterator[Stack]:
    yield stack
    stack.shop("drop view if exists chunk_view; drop table if exists chunked cascade")


def make(stack: Stack, columns: str, key: tuple[str, ...]) -> None:
    required = ", ".join(f"alter {name} set not null" for name in key)
    stack.shop(f"create table chunked as select n::bigint, {columns} from generate_series(1, {ROWS}) as n")
    stack.shop(f"alter table chunked {required}; analyze chunked")


def chunks(stack: Stack, key: tuple[str, ...], rows: int, table: str = "chunked", **more: Range) -> list[int]:
    """Read all chunks, last one first; return how many rows each has."""
    seen, sizes = Counter[int](), []
    scan = Scan(f"public.{table}", N, key, **more)
    with open_table("postgres", stack.source.uri("retail_db"), scan) as found:
        for chunk in reversed(found.chunks(rows)):
            with found.read(chunk) as read:
                numbers = [n for batch in read.batches for n in batch.column("n").to_pylist()]
            seen.update(numbers)
            sizes.append(len(numbers))
    assert set(seen.values()) == {1}
    assert len(seen) == sum(sizes)
    return sizes


@pytest.mark.parametrize("kind", KEYS)
def test_each_row_is_in_one_chunk(shop: Stack, kind: str):
    columns, key = KEYS[kind]
    make(shop, columns, key)
    sizes = chunks(shop, key, WANTED)
    assert sum(sizes) == ROWS
    if kind != "with few values":
        assert len(sizes) in (4, 5)
        assert all(0.8 * WANTED < size < 1.2 * WANTED for size in sizes[1:]), sizes  # the first is the last chunk


def test_a_small_table_is_taken_apart_exactly(shop: Stack):
    make(shop, "n as k", ("k",))
    shop.shop("delete from chunked where n > 1000; analyze chunked")
    assert chunks(shop, ("k",), 100) == [100] * 10
    assert chunks(shop, ("k",), 300) == [100, 300, 300, 300]
    assert chunks(shop, ("k",), 1000) == [1000]


def test_a_range_of_a_table_is_taken_apart(shop: Stack):
    make(shop, "n as k, n as cursor", ("k",))
    sizes = chunks(shop, ("k",), WANTED, range=Range("cursor", 20_001, 80_001))
    assert sum(sizes) == 60_000
    assert len(sizes) == 3, "of a range, all keys are counted"


def test_a_table_of_partitions_is_taken_apart(shop: Stack):
    make(shop, "n as k", ("k",))
    shop.shop("alter table chunked rename to whole")
    shop.shop("create table chunked (n bigint, k bigint not null) partition by hash (n)")
    for part in range(3):
        shop.shop(f"create table c{part} partition of chunked for values with (modulus 3, remainder {part})")
    shop.shop("insert into chunked select n, k from whole; drop table whole; analyze chunked")
    sizes = chunks(shop, ("k",), WANTED)
    assert sum(sizes) == ROWS
    assert len(sizes) in (4, 5)


def test_rows_that_came_since_the_statistics_are_read_too(shop: Stack):
    make(shop, "n as k", ("k",))
    shop.shop(f"insert into chunked select n, n from generate_series({ROWS + 1}, {2 * ROWS}) as n")
    assert sum(chunks(shop, ("k",), WANTED)) == 2 * ROWS


def test_a_table_that_lost_its_rows_since_the_statistics_is_read(shop: Stack):
    make(shop, "n as k", ("k",))
    shop.shop("delete from chunked where n > 7")
    assert sum(chunks(shop, ("k",), WANTED)) == 7


def test_a_view_is_read_in_one_piece(shop: Stack):
    make(shop, "n as k", ("k",))
    shop.shop("create view chunk_view as select * from chunked")
    assert chunks(shop, ("k",), WANTED, "chunk_view") == [ROWS]
