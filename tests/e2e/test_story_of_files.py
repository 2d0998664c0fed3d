"""The story goes on: files are corrected and delivered again, documents change and go, the rest of the year comes.

The tests of this file are one story and run in order, after those of `test_story.py`.
"""

import hashlib
from datetime import UTC, datetime, time
from typing import Any

import pytest

from local.demo.leaflets import leaflets
from local.demo.partner import key, stores
from tests.e2e import expected
from tests.e2e.driver import DROPS, LEAFLETS, PROMOTIONS, Driver

pytestmark = pytest.mark.timeout(900)
LOADED = range(1, 13)
CORRECTED_WEEK, STORE = 3, stores()[5]
MEDIA_TYPES = {
    "campaign_08.pdf": ("application/pdf", "application/pdf"),
    "campaign_13.pdf": ("application/pdf", "application/pdf"),
    "campaign_18_barcode.png": ("image/png", "image/png"),
    "campaign_22_terms.txt": ("text/plain", "text/plain"),
    "campaign_24_barcode.jpg": ("image/png", "image/jpeg"),
    "campaign_26_radio.wav": ("audio/x-wav", "audio/wav"),
}


def run(stack: Driver, dag: str, **conf: Any) -> str:
    """Trigger a run and wait for it."""
    run_id = stack.api("POST", f"/dags/{dag}/dagRuns", logical_date=None, conf=conf)["dag_run_id"]
    stack.succeed(dag, run_id)
    return run_id


def load_weeks(stack: Driver, first: int, last: int) -> str:
    """Load the files of some weeks, the last one included."""
    days = (expected.monday(week, stack.anchor) for week in (first, last + 1))
    start, end = (datetime.combine(day, time(), UTC).isoformat() for day in days)
    return run(stack, PROMOTIONS, window_start=start, window_end=end)


def of_run(stack: Driver, run_id: str) -> list[str]:
    """Keys of the files that a run has loaded."""
    query = "select object_key from ops.loads where run_id = %s order by 1"
    return [key for (key,) in stack.rows(query, parameters=(run_id,))]


def test_a_corrected_file_takes_the_place_of_its_rows(stack: Driver):
    week = expected.monday(CORRECTED_WEEK, stack.anchor)
    before = stack.promotions()
    stack.partner.deliver([week], without_store=STORE)
    run_id = load_weeks(stack, *(LOADED[0], LOADED[-1]))
    [loaded] = of_run(stack, run_id)
    assert loaded == key(week).rpartition("/")[2]
    after = expected.promotion_sums(LOADED, stack.anchor, left_out={CORRECTED_WEEK: STORE})
    assert stack.promotions() == after != before
    stack.partner.deliver([week])
    load_weeks(stack, CORRECTED_WEEK, CORRECTED_WEEK)
    assert stack.promotions() == before


def test_the_same_file_delivered_again_is_not_loaded_again(stack: Driver):
    stack.partner.deliver([expected.monday(CORRECTED_WEEK, stack.anchor)])
    loads = stack.rows("select count(*) from ops.loads")
    run_id = load_weeks(stack, LOADED[0], LOADED[-1])
    assert of_run(stack, run_id) == []
    assert stack.rows("select count(*) from ops.loads") == loads
    states = stack.states(PROMOTIONS, run_id)
    assert states["promotions.extract"] == states["promotions.copy"] == "skipped"


def documents(stack: Driver) -> dict[str, tuple[Any, ...]]:
    """What the warehouse says of each document that is there, by name."""
    columns = "key, media_type, media_type_claimed, bytes, sha256, lake_key, metadata"
    query = f"select {columns} from raw_leaflets.leaflets where _deleted_at is null"
    return {name: tuple(rest) for name, *rest in stack.rows(query)}


def test_documents_are_kept_untouched_and_named_for_what_they_are(stack: Driver):
    run(stack, LEAFLETS)
    found = documents(stack)
    made = {leaflet.key.rpartition("/")[2]: leaflet for leaflet in leaflets(expected.shift(stack.anchor).days // 7)}
    assert {name: (sniffed, claimed) for name, (sniffed, claimed, *_) in found.items()} == MEDIA_TYPES
    for name, (_, _, size, sha256, lake_key, metadata) in found.items():
        assert (size, sha256) == (len(made[name].content), hashlib.sha256(made[name].content).hexdigest())
        assert stack.objects.get_object(Bucket="landing", Key=lake_key)["Body"].read() == made[name].content
        assert metadata == made[name].metadata


def test_documents_that_change_or_go_are_seen(stack: Driver):
    before = documents(stack)
    words = b"All coupons are void.\n"
    stack.objects.put_object(Bucket=DROPS, Key="leaflets/campaign_22_terms.txt", Body=words, ContentType="text/plain")
    stack.objects.delete_object(Bucket=DROPS, Key="leaflets/campaign_08.pdf")
    run(stack, LEAFLETS)
    after = documents(stack)
    assert after["campaign_22_terms.txt"][2:4] == (len(words), hashlib.sha256(words).hexdigest())
    assert before.keys() - after.keys() == {"campaign_08.pdf"}
    gone = stack.rows("select key from raw_leaflets.leaflets where _deleted_at is not null")
    assert gone == [("campaign_08.pdf",)]
    assert {name for name in after if after[name] != before[name]} == {"campaign_22_terms.txt"}
    kept = before["campaign_08.pdf"][4]
    assert stack.objects.head_object(Bucket="landing", Key=kept)["ContentLength"] == before["campaign_08.pdf"][2]
    run(stack, LEAFLETS)
    assert documents(stack) == after


def test_the_rest_of_the_year_comes_in_one_run(stack: Driver):
    run_id = load_weeks(stack, LOADED[0], 53)
    assert len(of_run(stack, run_id)) == 53 - len(LOADED)
    assert stack.rows("select count(*) from raw_promotions.promotions") == [(len(expected.table("promotions")),)]
    assert stack.promotions() == expected.promotion_sums(range(1, 54), stack.anchor)
