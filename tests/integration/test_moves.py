"""A table moved in one task, in chunks: one snapshot, nothing read twice, nothing lost."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from datastack.lake.manifest import ManifestError
from datastack.operators.extract_database import ExtractDatabaseOperator, PlanChunksOperator, ReadChunksOperator
from datastack.operators.extraction import BATCHES_AHEAD, READERS, Extraction
from datastack.source import postgres
from datastack.source.database import Chunk
from datastack.source.errors import SourceError
from datastack.warehouse.load import WarehouseError
from tests.integration.declaring import declared
from tests.integration.harness import TRANSACTIONS, Stack, in_thread, wait_for

YEAR = ("2019-01-01T00:00:00Z", "2020-01-01T00:00:00Z")


@pytest.fixture
def chunked(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Take purchases apart into chunks of about a hundred rows."""
    stack.shop("analyze transactions")
    with declared(tmp_path, transactions={"chunks": {"rows": 100, "tasks": 3}}):
        yield stack


def test_a_table_is_moved_by_one_task(stack: Stack):
    outcome = stack.move("retail_db", "transactions", YEAR)
    assert outcome == {"status": "loaded", "load_id": 1, "rows": 600}
    assert stack.table(TRANSACTIONS) == stack.bought(YEAR)
    assert checkpoints(stack) == []


def test_a_large_table_is_moved_in_chunks(chunked: Stack):
    chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)
    assert len({key.rsplit("/", 1)[1][:11] for key in chunked.objects("conformed") if "chunk-" in key}) == 6
    [load] = chunked.loads("transactions")
    assert load["source_rows"] == load["lake_rows"] == load["loaded_rows"] == 600
    assert int(load["checksum"]) > 0


def test_a_retry_reads_only_what_is_missing(chunked: Stack):
    with reading(fails_at=4), pytest.raises(SourceError, match="cut"):
        chunked.move("retail_db", "transactions", YEAR)
    done = {int(key[-10:-5]) for key in checkpoints(chunked) if "chunk-" in key}
    assert done
    assert 4 not in done
    assert chunked.loads("transactions") == []
    with reading() as read:
        chunked.move("retail_db", "transactions", YEAR)
    assert sorted(read) == sorted({1, 2, 3, 4, 5, 6} - done)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)
    assert checkpoints(chunked) == []


CHANGES = {
    "insert": "insert into transactions select household_id, store_id, basket_id, product_id + 900000, quantity, "
    "sales_value, retail_disc, coupon_disc, coupon_match_disc, week, transaction_at from transactions "
    "where transaction_at < '2019-11-02Z' limit 1",
    "update": "update transactions set quantity = 99 where transaction_at < '2019-11-02Z'",
    "delete": "delete from transactions where transaction_at < '2019-11-02Z'",
    "delete and insert": "with gone as (delete from transactions where transaction_at < '2019-11-02Z' returning *) "
    "insert into transactions select household_id, store_id, basket_id, product_id, 98, sales_value, retail_disc, "
    "coupon_disc, coupon_match_disc, week, transaction_at from gone",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_chunk_that_changed_before_the_retry_is_read_again(chunked: Stack, change: str):
    """However a retry puts a slice together, it is what one snapshot has."""
    with reading(fails_at=6), pytest.raises(SourceError):
        chunked.move("retail_db", "transactions", YEAR)
    chunked.shop(CHANGES[change])
    with reading() as read:
        chunked.move("retail_db", "transactions", YEAR)
    assert 6 in read
    assert 1 < len(read) < 6, "the chunks that changed, and no others"
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


def test_a_transaction_under_way_at_the_first_try_is_seen_by_the_retry(chunked: Stack):
    with chunked.source.connect("retail_db") as db:
        db.execute("begin")
        db.execute("savepoint inner_one")  # row versions carry the id of a subtransaction
        db.execute(CHANGES["update"])
        db.execute("release inner_one")
        with reading(fails_at=6), pytest.raises(SourceError):
            chunked.move("retail_db", "transactions", YEAR)
        db.execute("commit")
    chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)
    assert (99,) in chunked.rows(f"select quantity from {TRANSACTIONS}")


def test_chunks_are_of_one_snapshot_while_the_table_is_written(chunked: Stack):
    before = chunked.bought(YEAR)
    with reading(
        first=lambda: chunked.shop("update transactions set quantity = quantity + 1, product_id = -product_id")
    ):
        chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == before
    chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR) != before


def test_a_slice_that_has_landed_is_only_loaded(chunked: Stack):
    with chunked.ledger_locked():
        run = in_thread(chunked.move, "retail_db", "transactions", YEAR)
        chunked.wait_for_copy()
        chunked.warehouse.restart("immediate")
    with pytest.raises(WarehouseError, match=r"loading retail_db\.transactions .* nothing was changed"):
        run()
    assert chunked.manifests("conformed")
    with reading() as read:
        chunked.move("retail_db", "transactions", YEAR)
    assert read == []
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


def test_a_landed_part_that_is_lost_is_read_again_by_the_next_try(chunked: Stack):
    with chunked.ledger_locked():
        run = in_thread(chunked.move, "retail_db", "transactions", YEAR)
        chunked.wait_for_copy()
        chunked.warehouse.restart("immediate")
    with pytest.raises(WarehouseError):
        run()
    part = next(key for key in chunked.objects("conformed") if key.endswith(".parquet"))
    chunked.delete(part)
    with pytest.raises(ManifestError, match=f"s3://lake/{part} is not there"):
        chunked.move("retail_db", "transactions", YEAR)
    chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


@pytest.mark.parametrize(
    ("damage", "message"),
    [("lost", "is not there"), ("cut", r"is not what its manifest says \(9 bytes, expected \d+\)")],
)
def test_rows_do_not_commit_unless_their_parts_stand_in_the_lake(
    chunked: Stack, monkeypatch: pytest.MonkeyPatch, damage: str, message: str
):
    finish, victims = Extraction.finish, list[str]()

    def damaged(extraction: Extraction, table: Any) -> Any:
        victims.append(sorted(key for key in chunked.objects("conformed") if key.endswith(".parquet"))[3])
        chunked.delete(victims[0]) if damage == "lost" else chunked.put(victims[0], b"cut short")
        return finish(extraction, table)

    with monkeypatch.context() as patch:
        patch.setattr(Extraction, "finish", damaged)
        with pytest.raises(ManifestError, match=message) as failure:
            chunked.move("retail_db", "transactions", YEAR)
    assert f"s3://lake/{victims[0]}" in str(failure.value)
    assert chunked.loads("transactions") == []
    assert chunked.manifests("conformed") == []
    chunked.move("retail_db", "transactions", YEAR)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


@pytest.mark.parametrize("change", ["add column extra_two int", "rename column extra to extra_one"])
def test_columns_that_changed_between_tries_are_no_mixture(stack: Stack, tmp_path: Path, change: str):
    """The kept chunks have other columns than what is read now: that is said, and the next try reads all anew."""
    stack.shop("alter table transactions add column extra text default 'x'; analyze transactions")
    try:
        with declared(tmp_path, drift="evolve", transactions={"chunks": {"rows": 100}}):
            with reading(fails_at=6), pytest.raises(SourceError):
                stack.move("retail_db", "transactions", YEAR)
            stack.shop(f"alter table transactions {change}")
            with pytest.raises(ManifestError, match=r"columns changed .*\(extra.*The next try reads the slice anew"):
                stack.move("retail_db", "transactions", YEAR)
            assert stack.loads("transactions") == []
            assert stack.move("retail_db", "transactions", YEAR)["rows"] == 600
        name = "extra_one" if "rename" in change else "extra"
        assert stack.rows(f"select distinct {name} from {TRANSACTIONS}") == [("x",)]
    finally:
        for name in ("extra", "extra_one", "extra_two"):
            stack.shop(f"alter table transactions drop column if exists {name}")


def test_a_source_that_is_gone_before_many_chunks_ends_the_task(stack: Stack, tmp_path: Path):
    """All chunks fail at once, faster than they are begun."""
    stack.shop("analyze transactions")
    with (
        declared(tmp_path, transactions={"chunks": {"rows": 1}}),
        reading(fails_at=-1) as read,
        pytest.raises(SourceError, match="cut"),
    ):
        stack.move("retail_db", "transactions", YEAR)
    assert 0 < len(read) < 600


def test_reading_waits_for_a_warehouse_that_is_slower(chunked: Stack):
    """Rows on their way would fill the memory otherwise."""
    chunked.move("retail_db", "transactions", YEAR)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'loader'"
    with chunked.warehouse.connect("warehouse") as db, reading() as read:
        db.execute("begin")
        db.execute(f"lock table {TRANSACTIONS}")
        run = in_thread(chunked.move, "retail_db", "transactions", YEAR)
        wait_for(lambda: chunked.one(waiting) == 1)
        time.sleep(1)
        assert 0 < len(read) <= 1 + BATCHES_AHEAD + READERS, "one taken, some that wait, one that each reader holds"
        db.execute("rollback")
        run()
    assert sorted(read) == [1, 2, 3, 4, 5, 6]
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


def test_a_reader_keeps_its_connection_from_chunk_to_chunk(chunked: Stack, monkeypatch: pytest.MonkeyPatch):
    import asyncpg

    opened, connect = list[str](), asyncpg.connect

    def counted(uri: str, **more: Any) -> Any:
        opened.append(uri)
        return connect(uri, **more)

    monkeypatch.setattr(asyncpg, "connect", counted)
    chunked.move("retail_db", "transactions", YEAR)
    assert len(opened) <= READERS
    assert connections(chunked) == 0


def test_a_move_that_fails_leaves_no_connection(chunked: Stack):
    with reading(fails_at=4), pytest.raises(SourceError):
        chunked.move("retail_db", "transactions", YEAR)
    wait_for(lambda: connections(chunked) == 0)


def connections(stack: Stack) -> int:
    """Count the readers' connections to the source."""
    [(found,)] = stack.shop("select count(*) from pg_stat_activity where usename = 'retail_reader'")
    return found


def test_chunks_are_spread_over_tasks(chunked: Stack):
    shares = chunked.run(operator(PlanChunksOperator), YEAR)
    assert sorted(number for share in shares for number in share) == [1, 2, 3, 4, 5, 6]
    assert len(shares) == 3
    for share in shares:
        chunked.run(operator(ReadChunksOperator, chunks=share), YEAR)
        chunked.shop("update transactions set quantity = quantity + 1 where transaction_at < '2019-11-02Z'")
    with reading() as read:
        key = chunked.run(operator(ExtractDatabaseOperator), YEAR)
    assert 0 < len(read) < 6, "the last task reads what changed since, so that all chunks are of its snapshot"
    chunked.copy("retail_db", "transactions", key)
    assert chunked.table(TRANSACTIONS) == chunked.bought(YEAR)


def test_a_key_that_is_personal_data_is_in_no_checkpoint(chunked: Stack):
    with reading(fails_at=1), pytest.raises(SourceError):
        chunked.move("retail_db", "households", YEAR)
    [plan] = checkpoints(chunked)
    body = chunked.get(plan)
    assert [(each["after"], each["until"]) for each in json.loads(body)["chunks"]] == [(None, None)]


def operator(kind: type, **more: Any) -> Any:
    """Make an operator on purchases."""
    return kind(task_id="transactions.task", source="retail_db", stream="transactions", **more)


def checkpoints(stack: Stack) -> list[str]:
    """Return what is left of attempts that did not end."""
    return [key for key in stack.objects("checkpoints") if not key.endswith("/")]


@contextmanager
def reading(fails_at: int = 0, first: Callable[[], Any] = lambda: None) -> Iterator[list[int]]:
    """Give the numbers of the chunks that are read, as they are.

    :param fails_at: number of a chunk that can't be read; -1 for all.
    :param first: what happens once the table is open and before anything is read.
    """
    read, begun = postgres.PostgresTable.read, list[int]()
    once = Lock()

    def watched(table: Any, wanted: Chunk) -> Any:
        with once:
            if not begun:
                first()
            begun.append(wanted.number)
        if fails_at in (-1, wanted.number):
            raise SourceError("cut")
        return read(table, wanted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres.PostgresTable, "read", watched)
        yield begun
