"""Lets time pass in the demo's database: purchases appear when due, and now and then life changes a row."""

import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any, Self

import psycopg

SQL = Path(__file__).parent / "sql"
HOUSEHOLD_CHANCE = 1 / 10  # of a change, each tick
PRODUCT_CHANCE = 1 / 60
RETRY_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to replay.

    :param interval: seconds between ticks, hence how late a purchase may appear.
    :param changes: whether households change and products go, besides the purchases.
    :param seed: of the random changes; None for other ones each time.
    """

    interval: float = 60
    changes: bool = True
    seed: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read DEMO_REPLAY_SECONDS, DEMO_REPLAY_CHANGES (0 or 1), DEMO_REPLAY_SEED. Raises ValueError."""
        return cls(
            interval=float(environment.get("DEMO_REPLAY_SECONDS") or 60),
            changes=environment.get("DEMO_REPLAY_CHANGES", "1") != "0",
            seed=int(text) if (text := environment.get("DEMO_REPLAY_SEED")) else None,
        )


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What one tick did: purchases released, the household that changed and the product that left, if any."""

    released: int
    household_id: int | None = None
    product_id: int | None = None

    def lines(self) -> list[str]:
        """Return one line per action."""
        return [
            line
            for happened, line in (
                (self.released, f"released {self.released:,} purchases"),
                (self.household_id, f"household {self.household_id} moved house"),
                (self.product_id, f"product {self.product_id} left the catalogue"),
            )
            if happened
        ]


def tick(connection: psycopg.Connection[Any], now: datetime, rng: random.Random, *, changes: bool = True) -> Tick:
    """Release the purchases due by `now` and perhaps change a row, in one transaction.

    The same database, time and random numbers give the same result.
    """
    with connection.transaction():
        released = connection.execute(_sql("release"), {"now": now}).rowcount
        household_id = product_id = None
        if changes and rng.random() < HOUSEHOLD_CHANCE:
            chances = {"mover_chance": rng.random(), "example_chance": rng.random()}
            household_id = _only(connection.execute(_sql("change_household"), {"now": now, **chances}))
        if changes and rng.random() < PRODUCT_CHANCE:
            product_id = _only(connection.execute(_sql("delete_product"), {"chance": rng.random()}))
    return Tick(released=released, household_id=household_id, product_id=product_id)


def run(uri: str, settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT. An unreachable database is waited for.

    Raises RuntimeError when the database was never seeded.
    """
    # An exception and not a flag: it also ends a statement, which the server then rolls back.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        _keep_connected(uri, settings)
    finally:
        _say("stopped")


def _keep_connected(uri: str, settings: Settings) -> None:
    rng = random.Random(settings.seed)  # noqa: S311  nothing here is secret
    while True:
        try:
            with psycopg.connect(uri, autocommit=True, connect_timeout=5) as connection:
                _say("connected to retail_db")
                _keep_ticking(connection, rng, settings)
        except psycopg.OperationalError as failure:
            reason = (str(failure).strip() or "connection lost").splitlines()[0]
            _say(f"retail_db does not answer ({reason}); next try in {RETRY_SECONDS} s")
        except psycopg.errors.UndefinedTable:
            raise RuntimeError("the database is empty: run `python -m local.demo.retail_db seed` first") from None
        sleep(RETRY_SECONDS)


def _keep_ticking(connection: psycopg.Connection[Any], rng: random.Random, settings: Settings) -> None:
    while True:
        for line in tick(connection, datetime.now(UTC), rng, changes=settings.changes).lines():
            _say(line)
        sleep(settings.interval)


def _sql(name: str) -> bytes:
    return (SQL / f"{name}.sql").read_bytes()


def _only(cursor: psycopg.Cursor[Any]) -> int | None:
    row = cursor.fetchone()
    return row[0] if row else None


def _say(line: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", flush=True)
