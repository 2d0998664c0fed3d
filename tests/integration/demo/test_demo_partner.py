"""The partner's files in a real bucket: what is due is there, corrections replace, what was taken away stays away."""

import gzip
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.airflow_env import REPO, demo_env
from local.demo import dataset, partner
from local.demo.partner import BUCKET, Partner, due_at, key
from local.settings import Settings
from tests.integration.harness import Servers

ANCHOR = date(2026, 11, 22)
FIRST, SECOND, THIRD = dataset.mondays(dataset.shift_weeks(ANCHOR))[:3]
ROWS = {FIRST: 386_086, SECOND: 355_244, THIRD: 435_803}


class Unlucky(random.Random):
    """Chance by which a tick corrects a file."""

    def random(self) -> float:
        return 0.0


@pytest.fixture
def bucket(servers: Servers) -> Iterator[Any]:
    """Give a client that sees an empty bucket."""
    servers.heal()
    client = servers.lake.client()
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])


@pytest.fixture
def drops(servers: Servers, bucket: Any) -> Partner:
    """Give the partner, who has its own access."""
    return Partner(servers.lake.client(servers.lake.identities["partner"]), dataset.shift_weeks(ANCHOR))


def lines(bucket: Any, monday: date) -> list[str]:
    """Rows of a week's file, without the header."""
    return gzip.decompress(bucket.get_object(Bucket=BUCKET, Key=key(monday))["Body"].read()).decode().splitlines()[1:]


def keys(bucket: Any) -> list[str]:
    return [item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_files_come_when_due_and_once(drops: Partner, bucket: Any) -> None:
    second = timedelta(seconds=1)
    assert drops.missing(due_at(FIRST) - second) == []
    told = drops.tick(due_at(SECOND), Unlucky(0), changes=False)
    assert told == [f"delivered {key(monday)}, {ROWS[monday]:,} rows" for monday in (FIRST, SECOND)]
    assert keys(bucket) == [key(FIRST), key(SECOND)]
    assert drops.tick(due_at(THIRD) - second, Unlucky(0), changes=False) == []
    assert drops.missing(due_at(THIRD)) == [THIRD]
    assert len(lines(bucket, SECOND)) == ROWS[SECOND]


def test_a_correction_leaves_a_store_out_and_takes_the_place_of_the_file(drops: Partner, bucket: Any) -> None:
    drops.deliver([FIRST])
    before = lines(bucket, FIRST)
    etag = bucket.head_object(Bucket=BUCKET, Key=key(FIRST))["ETag"]
    store = partner.stores()[3]
    kept = [line for line in before if line.split(",")[1] != str(store)]
    assert 0 < len(kept) < len(before)
    assert drops.deliver([FIRST], without_store=store) == {FIRST: len(kept)}
    assert lines(bucket, FIRST) == kept
    assert bucket.head_object(Bucket=BUCKET, Key=key(FIRST))["ETag"] != etag
    drops.deliver([FIRST])
    assert bucket.head_object(Bucket=BUCKET, Key=key(FIRST))["ETag"] == etag


def test_now_and_then_a_file_is_corrected(drops: Partner, bucket: Any) -> None:
    drops.deliver([FIRST])
    before = bucket.head_object(Bucket=BUCKET, Key=key(FIRST))["ETag"]
    assert drops.tick(due_at(FIRST), Unlucky(1), changes=False) == []
    [told] = drops.tick(due_at(FIRST), Unlucky(1))
    assert told.startswith(f"corrected {key(FIRST)}: store ")
    assert bucket.head_object(Bucket=BUCKET, Key=key(FIRST))["ETag"] != before


def test_leaflets_are_brought_once(drops: Partner, bucket: Any) -> None:
    brought = drops.deliver_leaflets()
    assert keys(bucket) == brought
    head = bucket.head_object(Bucket=BUCKET, Key="leaflets/campaign_24_barcode.jpg")
    assert head["ContentType"] == "image/jpeg"
    assert head["Metadata"] == {"campaign-id": "24", "language": "en"}
    bucket.delete_object(Bucket=BUCKET, Key=brought[0])
    assert drops.deliver_leaflets() == []
    assert keys(bucket) == brought[1:]


def command(
    servers: Servers, tmp_path: Any, name: str, anchor: date, **environment: str
) -> subprocess.CompletedProcess[str]:
    settings = Settings.load({"DATASTACK_STATE": str(tmp_path), "DATASTACK_S3_PORT": str(servers.lake.ports.s3)})
    own = demo_env(settings, servers.secrets, anchor) | environment
    return subprocess.run(
        [sys.executable, "-m", "local.demo.partner", name],
        cwd=REPO, env=os.environ | own, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_commands(servers: Servers, bucket: Any, tmp_path: Any) -> None:
    anchor = datetime.now(UTC).date() + timedelta(weeks=38)  # two weeks or three are over
    overdue = command(servers, tmp_path, "overdue", anchor)
    assert overdue.returncode == 1
    assert "files of promotions are overdue" in overdue.stderr
    first = command(servers, tmp_path, "seed", anchor)
    assert (first.returncode, first.stderr) == (0, "")
    assert "rows; 6 leaflets" in first.stdout
    assert command(servers, tmp_path, "overdue", anchor).returncode == 0
    assert command(servers, tmp_path, "seed", anchor).stdout == "partner: everything is delivered already\n"
    wrong = command(servers, tmp_path, "seed", anchor, DEMO_PARTNER_ACCESS_KEY="")
    assert (wrong.returncode, wrong.stderr) == (1, "partner seed failed: DEMO_PARTNER_ACCESS_KEY is not set\n")
    away = command(servers, tmp_path, "seed", anchor, DEMO_PARTNER_S3_ENDPOINT="http://127.0.0.1:1")
    assert away.returncode == 1
    assert EndpointConnectionError.fmt.partition(":")[0] in away.stderr
    assert away.stderr.count("\n") == 1
