"""A warehouse that fails in the middle of a copy, and a worker that dies: all of a load is there, or nothing."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from datastack.warehouse.load import WarehouseError
from tests.integration.harness import ROOT, TRANSACTIONS, Stack, days, in_thread, stopped, wait_for

ALL_TIME = ("2016-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
EACH_WAY = [("retail_db", "transactions"), ("retail_db", "households"), ("retail_db", "products")]


def test_a_warehouse_that_is_down_and_back(stack: Stack):
    key = stack.prepare("retail_db", "transactions", days(1))
    message = r"loading retail_db\.transactions \[2019-11-01.* failed; nothing was changed.*refused"
    with stopped(stack.warehouse), pytest.raises(WarehouseError, match=message):
        stack.copy("retail_db", "transactions", key)
    stack.copy("retail_db", "transactions", key)
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))


def test_a_wrong_password_is_named_without_being_shown(stack: Stack):
    key = stack.prepare("retail_db", "transactions", days(1))
    stack.connect("warehouse_loader", password="hush-hush")
    with pytest.raises(WarehouseError, match='password authentication failed for user "loader"') as failure:
        stack.copy("retail_db", "transactions", key)
    assert "hush-hush" not in str(failure.value)


@pytest.fixture(params=EACH_WAY, ids=[stream for _, stream in EACH_WAY])
def changed(stack: Stack, request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Load a stream, change it at its source, and prepare the change: source, stream, and manifest key."""
    source, stream = request.param
    stack.load(source, stream, ALL_TIME)
    stack.shop("update transactions set quantity = 9 where quantity = 1")
    stack.shop("update households set home_ownership = 'Boat', updated_at = '2019-12-24Z' where household_id <= 10")
    stack.shop("delete from products where product_id <= 10")
    return source, stream, stack.prepare(source, stream, ALL_TIME)


def test_a_warehouse_that_restarts_in_the_middle_of_a_copy(stack: Stack, changed: tuple[str, str, str]):
    before = stack.state()
    with stack.ledger_locked():
        finish = in_thread(stack.copy, *changed)
        stack.wait_for_copy()
        stack.warehouse.restart("immediate")
    with pytest.raises(WarehouseError, match=rf"loading retail_db\.{changed[1]} .* failed; nothing was changed"):
        finish()
    assert stack.state() == before
    assert_the_retry_is_right(stack, changed)


def test_a_worker_killed_between_copy_and_commit(stack: Stack, changed: tuple[str, str, str]):
    before = stack.state()
    with stack.ledger_locked(), worker(changed) as process:
        stack.wait_for_copy()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    wait_for(lambda: stack.one("select count(*) from pg_stat_activity where usename = 'loader'") == 0)
    assert stack.state() == before
    assert_the_retry_is_right(stack, changed)


def assert_the_retry_is_right(stack: Stack, changed: tuple[str, str, str]) -> None:
    source, stream, _ = changed
    assert stack.copy(*changed)["status"] == "loaded"
    after = stack.checksum(f"raw_{source}.{stream}")
    ledger = stack.loads(stream)
    stack.load(source, stream, ALL_TIME)
    assert stack.checksum(f"raw_{source}.{stream}") == after, "a fresh load gives the same table"
    assert len(ledger) == 2
    assert stack.one("select load_id from ops.watermarks") == stack.loads(stream)[-1]["load_id"]
    checks = {
        "transactions": "select count(*) = 600 and count(*) filter (where quantity = 1) = 0",
        "households": "select count(*) filter (where _is_current) = 60 and "
        "count(*) filter (where _is_current and home_ownership = 'Boat') = 10",
        "products": "select count(*) = 30",
    }
    assert stack.one(f"{checks[stream]} from raw_{source}.{stream}")


@contextmanager
def worker(copy: tuple[str, str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that copies; end it if need be."""
    own = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "plugins")))}
    command = [sys.executable, "-m", "tests.integration.copy_worker", *copy]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_two_copies_of_one_manifest_at_once_load_it_once(stack: Stack, changed: tuple[str, str, str]):
    source, stream, _ = changed
    with stack.ledger_locked():
        first = in_thread(stack.copy, *changed)
        stack.wait_for_copy()
        second = in_thread(stack.copy, *changed)
        wait_for(lambda: stack.one("select count(*) from pg_locks where locktype = 'advisory' and not granted") == 1)
    assert sorted(finish()["status"] for finish in (first, second)) == ["already loaded", "loaded"]
    assert len(stack.loads(stream)) == 2
    after = stack.checksum(f"raw_{source}.{stream}")
    stack.load(source, stream, ALL_TIME)
    assert stack.checksum(f"raw_{source}.{stream}") == after


def test_slices_extracted_and_copied_at_once_are_there_once(stack: Stack):
    start = threading.Barrier(4)

    def load(day: int) -> str:
        start.wait()
        return stack.load("retail_db", "transactions", days(day))["status"]

    finishes = [in_thread(load, day) for day in (1, 1, 2, 3)]
    assert {finish() for finish in finishes} <= {"loaded", "superseded"}
    assert stack.table(TRANSACTIONS) == stack.bought(days(1, 3))
    assert len(stack.loads("transactions")) == 4


def test_a_ledger_that_refuses_undoes_the_load(stack: Stack, changed: tuple[str, str, str]):
    before = stack.state()
    with closing(stack.warehouse.connect("warehouse")) as db:
        db.execute("alter table ops.loads add constraint broken check (load_id < 2)")
        try:
            with pytest.raises(WarehouseError, match=r"nothing was changed.*broken"):
                stack.copy(*changed)
        finally:
            db.execute("alter table ops.loads drop constraint broken")
    assert stack.state() == before
    assert_the_retry_is_right(stack, changed)


def test_readers_of_raw_see_old_or_new_rows_while_a_copy_runs(stack: Stack, changed: tuple[str, str, str]):
    table = f"raw_{changed[0]}.{changed[1]}"
    before = stack.checksum(table)
    with stack.ledger_locked():
        finish = in_thread(stack.copy, *changed)
        stack.wait_for_copy()
        assert stack.checksum(table) == before
    finish()
    assert stack.checksum(table) != before


def test_rows_that_are_altered_on_their_way_are_found_and_nothing_changes(stack: Stack):
    stack.load("retail_db", "transactions", days(1))
    with stack.warehouse.connect("warehouse") as db:
        db.execute(
            "create function meddle() returns trigger language plpgsql as 'begin new.quantity := 7; return new; end'"
        )
        db.execute(f"create trigger meddle before insert on {TRANSACTIONS} for each row execute function meddle()")
    before = stack.state()
    try:
        with pytest.raises(WarehouseError, match=r"2019-11-02.*checksum \d+\) are not those of the manifest .*trigger"):
            stack.load("retail_db", "transactions", days(2))
        assert stack.state() == before
    finally:
        with stack.warehouse.connect("warehouse") as db:
            db.execute("drop function meddle cascade")
    assert stack.load("retail_db", "transactions", days(2))["rows"] == 20
