"""Sources that fail: the task fails and says why, nothing is stored, and the retry brings everything once."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datastack.source.errors import SourceError
from tests.integration.harness import TRANSACTIONS, Stack, days, in_thread, stopped, wait_for

NOVEMBER = days(1, 29)


def test_a_database_that_is_down_and_back(stack: Stack):
    before = stack.state()
    with stopped(stack.source), pytest.raises(SourceError, match=r"reading public\.transactions failed.*refused"):
        stack.extract("retail_db", "transactions", days(1))
    assert stack.objects() == []
    assert stack.state() == before
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))


def test_a_database_that_goes_down_while_it_is_read(stack: Stack):
    with closing(stack.source.connect("retail_db")) as db:
        db.execute("begin")
        db.execute("lock table transactions")
        finish = in_thread(stack.extract, "retail_db", "transactions", days(1))
        reading = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'retail_reader'"
        wait_for(lambda: stack.shop(reading) == [(1,)])
        stack.source.restart("immediate")
    with pytest.raises(SourceError, match=r"reading public\.transactions failed"):
        finish()
    assert stack.objects() == []
    stack.load("retail_db", "transactions", days(1))
    assert stack.table(TRANSACTIONS) == stack.bought(days(1))


def test_a_wrong_password_is_named_without_being_shown(stack: Stack):
    stack.connect("retail_db", password="hush-hush")
    with pytest.raises(SourceError, match=r'password authentication failed for user "retail_reader"') as failure:
        stack.extract("retail_db", "transactions", days(1))
    assert "hush-hush" not in str(failure.value)


@pytest.mark.parametrize(
    ("change", "undo", "message"),
    [
        (
            "alter table transactions rename to gone",
            "alter table gone rename to transactions",
            r"public\.transactions does not exist or may not be read",
        ),
        (
            "alter table transactions rename column week to month",
            "alter table transactions rename column month to week",
            r"public\.transactions has no column week\. Correct the contract",
        ),
        (
            "revoke select on transactions from retail_reader",
            "grant select on transactions to retail_reader",
            r"public\.transactions",
        ),
    ],
)
def test_a_table_that_is_not_as_declared(stack: Stack, change: str, undo: str, message: str):
    stack.shop(change)
    try:
        with pytest.raises(SourceError, match=message):
            stack.extract("retail_db", "transactions", days(1))
    finally:
        stack.shop(undo)
    assert stack.objects() == []


@pytest.fixture
def impatient(stack: Stack, declarations: Callable[..., Path]) -> Stack:
    """Let the API's client give up after two tries."""
    impatient = "attempts: 2\ntimeout: PT2S\nlimits: {concurrency: 1}\n"
    declarations("sources/marketing_api.yml", "streams:\n", f"{impatient}streams:\n")
    return stack


FAULTS = [
    ("campaigns", {"kind": "status", "status": 500}, r"GET /campaigns\?.* failed 2 times, at last: 500"),
    ("redemptions", {"kind": "status", "status": 503}, r"GET /redemptions\?.* failed 2 times, at last: 503"),
    ("campaigns", {"kind": "rate_limit", "retry_after": 3600}, r"GET /campaigns\?.* 429 .*asks to wait 3600 s"),
    (
        "redemptions",
        {"kind": "truncate", "after": 2},
        r"GET /redemptions\?.*cursor=.* failed 2 times.*without sending complete",
    ),
    ("redemptions", {"kind": "drop", "after": 1}, r"GET /redemptions\?.*cursor=.* failed 2 times.*disconnected"),
    ("campaigns", {"kind": "delay", "seconds": 3}, r"GET /campaigns\?.* failed 2 times, at last: ReadTimeout"),
]


@pytest.mark.parametrize(("stream", "fault", "message"), FAULTS, ids=[f"{s}-{f['kind']}" for s, f, _ in FAULTS])
def test_an_api_that_fails_and_recovers(impatient: Stack, stream: str, fault: dict[str, object], message: str):
    before = impatient.state()
    impatient.order_fault(f"/{stream}", times=1 if fault["kind"] == "rate_limit" else 2, **fault)
    with pytest.raises(SourceError, match=message):
        impatient.extract("marketing_api", stream, NOVEMBER)
    assert impatient.manifests() == []
    assert impatient.state() == before
    impatient.load("marketing_api", stream, NOVEMBER)
    expected = f"select count(*) = {WHOLE[stream]} from raw_marketing_api.{stream}"
    assert impatient.one(expected)


WHOLE = {"campaigns": 27, "coupons": 116_204, "redemptions": "(select source_rows from ops.loads)"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 502},
        {"kind": "rate_limit", "retry_after": 1},
        {"kind": "truncate"},
        {"kind": "drop"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_one_bad_answer_is_asked_for_again(stack: Stack, fault: dict[str, object]):
    stack.order_fault("/campaigns", after=1, **fault)
    assert stack.load("marketing_api", "campaigns", NOVEMBER)["rows"] == 27
    assert stack.one("select count(distinct campaign_id) from raw_marketing_api.campaigns") == 27


@pytest.mark.parametrize("stream", ["campaigns", "coupons"])
def test_a_page_that_repeats_is_not_taken_for_the_next(stack: Stack, stream: str):
    stack.order_fault(f"/{stream}", "repeat_page")
    with pytest.raises(SourceError, match=rf"GET /{stream}\?.* gave the same .* records as an earlier page"):
        stack.extract("marketing_api", stream, NOVEMBER)
    assert stack.loads(stream) == []
    assert stack.load("marketing_api", stream, NOVEMBER)["rows"] == WHOLE[stream]


def test_a_list_that_changed_while_it_was_read_is_refused(stack: Stack, stub_api):
    stub_api.records["/coupons"] = [{"coupon_upc": 1, "product_id": 1, "campaign_id": 1}] * 3
    stub_api.total = 5
    with pytest.raises(SourceError, match=r"GET /coupons\?.* ends after 6 records, but the API states 5 in all"):
        stack.extract("marketing_api", "coupons", NOVEMBER)
    assert stack.manifests() == []


def test_an_api_that_is_not_there(impatient: Stack):
    impatient.connect("marketing_api", host="http://127.0.0.1:1")
    with pytest.raises(SourceError, match=r"GET /campaigns\?.* failed 2 times, at last: ConnectError"):
        impatient.extract("marketing_api", "campaigns", NOVEMBER)


def test_wrong_credentials_of_the_api_are_named_without_being_shown(stack: Stack):
    stack.connect("marketing_api", password="not-the-secret")
    message = r"/oauth/token refused the credentials of connection 'marketing_api'"
    with pytest.raises(SourceError, match=message) as failure:
        stack.extract("marketing_api", "campaigns", NOVEMBER)
    assert "not-the-secret" not in str(failure.value)
