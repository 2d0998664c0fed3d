"""Readers while fifty publications go by: no error, no half state, and hardly a wait."""

import threading
import time
from typing import Any

import pytest

from tests.integration.harness import Stack
from tests.integration.publishing import Domain, ready

PUBLICATIONS = 50
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
        self.longest = 0.0  # seconds

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
            begun = time.monotonic()
            found.append(db.execute(f"select count(*), sum(amount) from marts.{mart}").fetchone())
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.002)  # what is published between the two is not to be seen
        db.execute("commit")
        return tuple(found)


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain with two marts, published."""
    domain = ready(stack)
    domain.pair(1, 2000)
    domain.released()
    return domain


def test_readers_see_whole_publications_and_do_not_wait(shop: Domain, record_property: Any):
    readers = [Reader(shop, role) for role in ("analyst", "ml")]
    for reader in readers:
        reader.start()
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
        for reader in readers:
            reader.done.set()
        for reader in readers:
            reader.join()
    for reader in readers:
        assert reader.errors == []
        assert [seen for seen in reader.seen if seen[0] != seen[1] or not seen[0][0]] == []
        assert len(set(reader.seen)) > PUBLICATIONS / 4, "the reader saw many publications"
        record_property(f"longest wait of {reader.role} in ms", round(reader.longest * 1000, 1))
        assert reader.longest < 5
