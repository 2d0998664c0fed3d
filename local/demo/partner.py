"""The partner who runs the shop's displays and prints its leaflets: drops files into a bucket.

    python -m local.demo.partner seed      drop what is due by now and not there
    python -m local.demo.partner replay    the same whenever a week is over, and now and then correct a file
    python -m local.demo.partner overdue   fail when a file is due but not there (the replayer's health)

`promotions/promotions_<monday>.csv.gz` says what stood in which place of which store in a week; it comes when the week
is over. `leaflets/` holds what was printed, drawn and spoken for campaigns. DEMO_PARTNER_S3_ENDPOINT is the store,
DEMO_PARTNER_ACCESS_KEY and DEMO_PARTNER_SECRET_KEY the partner's own access; DATASTACK_DEMO_ANCHOR plays "today".
"""

import argparse
import gzip
import os
import random
import signal
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter, sleep
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from botocore.exceptions import BotoCoreError, ClientError

from local import object_store
from local.demo import dataset, leaflets
from local.demo.replay import RETRY_SECONDS, Settings

BUCKET = "partner-drops"
PREFIX = "DEMO_PARTNER_"
CORRECTION_CHANCE = 1 / 240  # each tick
CORRECTED_WEEKS = 8  # how far back corrections go
LATE = timedelta(minutes=5)  # from when on a file is missed


class Partner:
    """Puts files into the bucket.

    :param client: S3 client with the partner's access.
    :param weeks: by how much the data are shifted.
    """

    def __init__(self, client: Any, weeks: int) -> None:
        self._client, self._weeks = client, weeks

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Partner":
        """Read DEMO_PARTNER_* and DATASTACK_DEMO_ANCHOR. Raises ValueError."""
        names = ("S3_ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
        if missing := [PREFIX + name for name in names if not environment.get(PREFIX + name)]:
            raise ValueError(f"{missing[0]} is not set")
        client = object_store.connect(*(environment[PREFIX + name] for name in names))
        return cls(client, dataset.shift_weeks(dataset.anchor_from(environment)))

    def missing(self, now: datetime) -> list[date]:
        """Return the weeks whose file is due but not there."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="promotions/")
        there = {item["Key"] for page in pages for item in page.get("Contents", ())}
        return [monday for monday in dataset.mondays(self._weeks) if due_at(monday) <= now and key(monday) not in there]

    def deliver(self, mondays: Iterable[date], *, without_store: int | None = None) -> dict[date, int]:
        """Put the files of some weeks, over what may be there; return their rows.

        :param without_store: a store that is left out: it has told that it did not take part after all.
        """
        wanted, rows = set(mondays), {}
        for monday, table in dataset.promotions(self._weeks) if wanted else ():
            if monday in wanted:
                kept = table if without_store is None else _without(table, without_store)
                self._client.put_object(Bucket=BUCKET, Key=key(monday), Body=rendered(kept))
                rows[monday] = kept.num_rows
                wanted.remove(monday)
            if not wanted:
                break
        return rows

    def deliver_leaflets(self) -> list[str]:
        """Put the leaflets, unless there are any: one that was taken away stays away. Return their keys."""
        if self._client.list_objects_v2(Bucket=BUCKET, Prefix="leaflets/", MaxKeys=1).get("Contents"):
            return []
        made = leaflets.leaflets(self._weeks)
        for each in made:
            self._client.put_object(
                Bucket=BUCKET, Key=each.key, Body=each.content, ContentType=each.claimed_type, Metadata=each.metadata
            )
        return [leaflet.key for leaflet in made]

    def tick(self, now: datetime, rng: random.Random, *, changes: bool = True) -> list[str]:
        """Deliver what has come due, and perhaps a corrected file; return a line per file."""
        lines = [f"delivered {key(monday)}, {rows:,} rows" for monday, rows in self.deliver(self.missing(now)).items()]
        past = [monday for monday in dataset.mondays(self._weeks) if due_at(monday) <= now][-CORRECTED_WEEKS:]
        if changes and past and rng.random() < CORRECTION_CHANCE:
            store = rng.choice(stores())
            corrected = self.deliver([rng.choice(past)], without_store=store)
            lines += [
                f"corrected {key(each)}: store {store} left out, {rows:,} rows" for each, rows in corrected.items()
            ]
        return lines


def key(monday: date) -> str:
    """Return the key of a week's file."""
    return f"promotions/promotions_{monday}.csv.gz"


def due_at(monday: date) -> datetime:
    """Return when the file of the week that begins on this day comes: as soon as the week is over."""
    return datetime.combine(monday + timedelta(weeks=1), time(), UTC)


def rendered(rows: pa.Table) -> bytes:
    """Return rows as compressed CSV; the same rows give the same bytes."""
    text = pa.BufferOutputStream()
    pa_csv.write_csv(rows, text, pa_csv.WriteOptions(quoting_style="needed"))
    return gzip.compress(memoryview(text.getvalue()), compresslevel=1, mtime=0)


def stores() -> list[int]:
    """Return the stores of the first week, in order."""
    _, rows = next(dataset.promotions(0))
    return sorted(rows["store_id"].unique().to_pylist())


def _without(rows: pa.Table, store: int) -> pa.Table:
    return rows.filter(pc.not_equal(rows["store_id"], store))


def run(partner: Partner, settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT. A store that does not answer is waited for."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    rng = random.Random(settings.seed)  # noqa: S311  nothing here is secret
    while True:
        try:
            partner.deliver_leaflets()
            for line in partner.tick(datetime.now(UTC), rng, changes=settings.changes):
                _say(line)
            sleep(settings.interval)
        except (BotoCoreError, ClientError) as failure:
            _say(f"the bucket does not answer ({failure}); next try in {RETRY_SECONDS} s")
            sleep(RETRY_SECONDS)


def _seed(partner: Partner) -> None:
    started = perf_counter()
    rows = partner.deliver(partner.missing(datetime.now(UTC)))
    documents = partner.deliver_leaflets()
    if not rows and not documents:
        print("partner: everything is delivered already")
        return
    print(f"partner: {len(rows)} files of promotions, {sum(rows.values()):,} rows; {len(documents)} leaflets")
    print(f"partner: delivered in {perf_counter() - started:.1f} s")


def _say(line: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}", flush=True)


def main() -> None:
    """Run one of the commands; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m local.demo.partner", description="The demo's partner.")
    parser.add_argument("command", choices=["seed", "replay", "overdue"])
    command = parser.parse_args().command
    try:
        partner = Partner.from_environment(os.environ)
        if command == "seed":
            _seed(partner)
        elif command == "replay":
            run(partner, Settings.from_environment(os.environ))
        elif missing := partner.missing(datetime.now(UTC) - LATE):
            sys.exit(f"{len(missing)} files of promotions are overdue")
    except (OSError, ValueError, BotoCoreError, ClientError) as failure:
        sys.exit(f"partner {command} failed: {' '.join(str(failure).split())}")


if __name__ == "__main__":
    main()
