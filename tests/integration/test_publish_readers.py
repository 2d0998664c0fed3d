"""Readers while fifty publications go by: no error, no half state, and hardly a wait.

Waits for locks are what counts, as the warehouse knows them: how long a query takes depends on what the machine does.
"""

import threading
import time
from typing import Any

import pytest

from tests.integration.harness import Stack
from tests.integration.publishing import Domain, ready

PUBLICATIONS = 50
LONGEST_WAIT_SECONDS = 0.5
# Readers that wait for a lock, since when, and what those do that hold it.
WAITS = """
    select
        sessions.usename,
        locks.waitstart,
        clock_timestamp() - locks.waitstart,
        (select array_agg(query) from pg_stat_activity where pid = any(pg_blocking_pids(locks.pid)))
    from pg_locks as locks
    inner join pg_stat_activity as sessions using (pid)
    where not locks.granted and sessions.usename in ('analyst', 'ml') and locks.waitstart is not null
"""
# Shapes that the two marts have in turn; readers read the columns that stay.
SHAPES = ["", ", 'x' as extra", ", 'x' as extra, 3 as place", ", 7::bigint as place", ""]


class Reader(threading.Thread):
    """Reads two marts in one transaction, again and again, as a role does that has just logged in."""

    def __init__(self, domain: Domain, role: str) -> None:
        super().__init__()
        self.domain, self.role = domain, role
        self.done = threading.Event()
        self.seen: list[tuple[Any, ...]] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        """Read until it is told to stop."""
        try:
            # Prepared statements fail when the type of what they return changes; that is Postgres's, not ours.
            with self.domain.login(self.role, prepare_threshold=None) as db:
                while not self.done.is_set():
                    self.seen.append(self._look(db))
        except Exception as error:
            self.errors.append(error)

    def _look(self, db: Any) -> tuple[Any, ...]:
        found = []
        db.execute("begin")
        for mart in ("fct_a", "fct_b"):
            found.append(db.execute(f"select count(*), sum(amount) from marts.{mart}").fetchone())
            time.sleep(0.002)  # what is published between the two is not to be seen
        db.execute("commit")
        return tuple(found)


class Watch(threading.Thread):
    """Asks the warehouse, again and again, for how long readers have waited for locks."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack, self.done = stack, threading.Event()
        self.looks = 0
        self.waits: dict[tuple[Any, ...], tuple[float, Any]] = {}  # seconds, and what was waited for

    def run(self) -> None:
        """Look until it is told to stop."""
        with self.stack.warehouse.connect("warehouse") as db:
            while not self.done.wait(0.01):
                self.looks += 1
                for role, since, lasted, held_by in db.execute(WAITS):
                    self.waits[role, since] = lasted.total_seconds(), held_by


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain with two marts, published."""
    domain = ready(stack)
    domain.pair(1, 2000)
    domain.released()
    return domain


def test_readers_see_whole_publications_and_do_not_wait(shop: Domain, record_property: Any):
    readers = [Reader(shop, role) for role in ("analyst", "ml")]
    watch = Watch(shop.stack)
    threads = (*readers, watch)
    for thread in threads:
        thread.start()
    try:
        for number in range(2, PUBLICATIONS + 2):
            amount = "1.5::numeric(9, 2) * " if number % 20 >= 10 else ""
            columns = f"id, case id % 3 when 0 then null else 'n' end as note, {amount}{number} as amount"
            rows = f"from generate_series(1, {2000 + number}) as id"
            for table in ("fct_a", "fct_b"):
                shop.build(table, f"select {columns}{SHAPES[number // 5 % len(SHAPES)]} {rows}")
            assert shop.released().warnings == ()
            assert shop.equals_built("fct_a", "fct_b")
            if number in (20, 33):
                assert shop.roll_back(f"rollback {number}").warnings == ()
    finally:
        for thread in threads:
            thread.done.set()
        for thread in threads:
            thread.join()
    for reader in readers:
        assert reader.errors == []
        assert [seen for seen in reader.seen if seen[0] != seen[1] or not seen[0][0]] == []
        assert len(set(reader.seen)) > PUBLICATIONS / 4, "the reader saw many publications"
    longest = max((lasted for lasted, _ in watch.waits.values()), default=0.0)
    record_property("longest wait for a lock that was seen, in ms", round(longest * 1000, 1))
    assert watch.looks > PUBLICATIONS
    assert {each: wait for each, wait in watch.waits.items() if wait[0] > LONGEST_WAIT_SECONDS} == {}
