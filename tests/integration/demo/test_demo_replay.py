"""The replayer on a real Postgres: time passes exactly, and a database that goes away is waited for."""

import random
import re
import signal
import time
from datetime import timedelta
from decimal import Decimal

from local.demo import replay


class Scripted(random.Random):
    """Random numbers as given: the first decides whether, the next ones which row; none left is an error."""

    def __init__(self, *draws: float) -> None:
        super().__init__()
        self.draws = iter(draws)

    def random(self) -> float:
        """Return the next of the given draws."""
        return next(self.draws)


def test_a_tick_releases_exactly_what_is_due(retail, database, source) -> None:
    with retail.owner(database) as connection:
        before = retail.checksums(connection)
        done = [
            replay.tick(connection, retail.now + timedelta(hours=hours), Scripted(), changes=False)
            for hours in (0, 1, 24, 24)
        ]
        due = [retail.bought_by(source, retail.now + timedelta(hours=hours)) for hours in (0, 1, 24)]
        assert [step.released for step in done] == [0, due[1] - due[0], due[2] - due[1], 0]
        assert done[1].released > 0
        after = retail.checksums(connection)
    for table in ("public.households", "public.products"):
        assert after[table] == before[table]
    assert in_both_places(after) == in_both_places(before)


def in_both_places(checksums: dict[str, tuple[int, Decimal]]) -> tuple[int, Decimal]:
    """Add up rows and sums of what is released and what is to come."""
    released, to_come = checksums["public.transactions"], checksums["backlog.transactions"]
    return released[0] + to_come[0], released[1] + to_come[1]


def test_after_the_last_tick_nothing_is_left(retail, database, source) -> None:
    with retail.owner(database) as connection:
        replay.tick(connection, retail.now + timedelta(days=365), Scripted(), changes=False)
        assert retail.one(connection, "select count(*) from transactions") == source.num_rows
        assert retail.one(connection, "select count(*) from backlog.transactions") == 0


def test_a_household_changes_and_only_that_one(retail, database) -> None:
    first, last = 0.0, 0.9999999
    with retail.owner(database) as connection:
        rows = "select household_id, home_ownership, income, updated_at, age, kids_count from households"
        before = {row[0]: row for row in connection.execute(rows).fetchall()}
        done = replay.tick(connection, retail.now, Scripted(0.0, first, last, 1.0))
        after = {row[0]: row for row in connection.execute(rows).fetchall()}
    known = sorted(key for key, row in before.items() if row[4] is not None)
    assert done == replay.Tick(released=0, household_id=known[0])
    example = before[known[-1]]
    assert after.pop(known[0]) == (known[0], *example[1:3], retail.now, *before.pop(known[0])[4:])
    assert after == before


def test_a_product_leaves_that_nobody_buys(retail, database, source) -> None:
    with retail.owner(database) as connection:
        before = {row[0] for row in connection.execute("select product_id from products").fetchall()}
        done = [replay.tick(connection, retail.now, Scripted(1.0, 0.0, chance)) for chance in (0.0, 0.5, 0.9999999)]
        after = {row[0] for row in connection.execute("select product_id from products").fetchall()}
    unsold = sorted(before - set(source["product_id"].unique().to_pylist()))
    assert len(unsold) > 20_000
    assert before - after == {step.product_id for step in done}
    assert (done[0].product_id, done[2].product_id) == (unsold[0], unsold[-1])
    assert done[1].product_id == unsold[1 + (len(unsold) - 1) // 2]


def test_the_same_seed_gives_the_same_life(retail, half_seeded) -> None:
    lives = []
    for _ in range(2):
        rng = random.Random(42)  # noqa: S311
        with retail.owner(retail.create(half_seeded)) as connection:
            steps = [replay.tick(connection, retail.now + timedelta(minutes=m), rng) for m in range(60)]
            lives.append((steps, retail.checksums(connection)))
    assert lives[0] == lives[1]
    assert any(step.household_id for step in lives[0][0])


def test_the_replayer_survives_a_restart_of_the_database_and_stops_at_once(retail, database) -> None:
    with retail.owner(database) as connection:
        waiting = retail.one(connection, "select count(*) from backlog.transactions")
        connection.execute("create table late as table backlog.transactions")
        connection.execute("truncate backlog.transactions")
    settings = {"DEMO_REPLAY_SECONDS": "0.1", "DEMO_REPLAY_CHANGES": "0"}
    with retail.run(database, "replay", **settings) as process:
        assert process.stdout is not None
        try:
            assert "connected to retail_db" in process.stdout.readline()
            retail.server.restart("immediate")
            assert re.search(r"retail_db does not answer \(.+\); next try in", process.stdout.readline())
            with retail.owner(database) as connection:
                connection.execute("insert into backlog.transactions table late")
            lines = iter(process.stdout.readline, "")
            assert any(f"released {waiting:,} purchases" in line for line in lines)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
            assert time.monotonic() - started < 1
            assert (process.returncode, err) == (0, "")
            assert out.endswith("stopped\n")
        finally:
            process.kill()


def test_the_replayer_asks_for_a_seed_when_there_is_none(retail) -> None:
    process = retail.run(retail.create(), "replay")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run `python -m local.demo.retail_db seed` first" in err
