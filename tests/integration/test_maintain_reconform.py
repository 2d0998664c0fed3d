"""A stream is conformed again from what was received, with its contract as it is now, and loaded anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.registry import load_source
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.reconform import PlanReconformOperator, ReconformError
from datastack.warehouse.load import WarehouseError
from tests.integration.harness import Stack, Window, days
from tests.integration.stub_api import StubApi
from tests.integration.test_maintain_quarantine import (
    COUPONS,
    NO_CAMPAIGNS,
    OPTIONAL_CAMPAIGN,
    TEXT_PRODUCT,
    UNREFERRED,
    correct,
    counts,
    ungated,
)
from tests.integration.test_quarantine import BAD, CONTRACT, GOOD, tolerate

USED = "raw_marketing_api.redemptions"
REDEMPTIONS = "contracts/marketing_api/redemptions.odcs.yaml"
NEW_COLUMN = """    properties:
      - name: face_value
        logicalType: number
        physicalType: numeric(10,2)
        description: What it is worth
        customProperties:
          - property: path
            value: worth.amount
"""
FACE_VALUE = ("    properties:\n", NEW_COLUMN)
VERSION = ("version: 1.0.0", "version: 1.1.0")
Declarations = Callable[..., Path]


def plan(stack: Stack, source: str, stream: str, window: Window | None = None, **params: Any) -> list[str]:
    """Run plan."""
    return stack.run(PlanReconformOperator(task_id="plan", source=source, stream=stream), window, **params)


def reconform(stack: Stack, stream: str, window: Window | None = None, **params: Any) -> list[dict[str, Any]]:
    """Run plan, conform and copy."""
    names = {"source": "marketing_api", "stream": stream}
    landed = plan(stack, "marketing_api", stream, window, **params)
    conformed = stack.run(ConformOperator(task_id="conform", manifest_key=landed, **names))
    return stack.run(CopyOperator(task_id="copy", manifest_key=conformed, **names))


def redemption(number: int, day: int, **more: Any) -> dict[str, Any]:
    """Make one as the API has them."""
    ids = {"redemption_id": f"r{number}", "household_id": number, "coupon_upc": number, "campaign_id": 1}
    date = f"2019-11-{day:02d}"
    return ids | {"redemption_date": date, "updated_at": f"{date}T10:00:00Z", "worth": {"amount": 1.5}} | more


@pytest.fixture
def used(stack: Stack, stub_api: StubApi, declarations: Declarations) -> Stack:
    """Load two days of redemptions; the first one is changed on the second day."""
    stub_api.records["/redemptions"] = [redemption(1, 1), redemption(2, 1)]
    stack.load("marketing_api", "redemptions", days(1))
    stub_api.records["/redemptions"] = [redemption(1, 2, worth={"amount": 2}), redemption(3, 2)]
    stack.load("marketing_api", "redemptions", days(2))
    stub_api.records.clear()
    return stack


def test_a_new_version_of_a_contract_holds_for_what_was_received_before(
    stack: Stack, stub_api: StubApi, declarations: Declarations
):
    listed = GOOD | {"product_id": "2"}  # what comes as text may be a number, or a text
    stub_api.records["/coupons"] = [listed | {"worth": {"amount": "0.75"}}, listed]
    stack.load("marketing_api", "coupons", days(1))
    correct(declarations, CONTRACT, FACE_VALUE, UNREFERRED, NO_CAMPAIGNS, TEXT_PRODUCT, VERSION)
    [done] = reconform(stack, "coupons")
    assert (done["status"], done["rows"]) == ("loaded", 2)
    columns = f"select pg_typeof(product_id)::text, product_id, face_value::text from {COUPONS} order by 3 nulls last"
    assert stack.rows(columns) == [("text", "2", "0.75"), ("text", "2", None)]
    assert [load["contract_version"] for load in stack.loads("coupons")] == ["1.0.0", "1.1.0"]
    assert ungated(stack) == [load["load_id"] for load in stack.loads("coupons")]
    stack.gate("marketing_api", "coupons")
    assert ungated(stack) == []


def test_a_new_major_version_goes_to_a_new_table(stack: Stack, stub_api: StubApi, declarations: Declarations):
    stub_api.records["/coupons"] = [GOOD]
    stack.load("marketing_api", "coupons", days(1))
    exact = "name: product_id\n        logicalType: number\n        physicalType: numeric(12,2)"
    correct(declarations, CONTRACT, UNREFERRED, (TEXT_PRODUCT[0], exact), ("version: 1.0.0", "version: 2.0.0"))
    with pytest.raises(WarehouseError, match="rename the table"):
        reconform(stack, "coupons")
    with stack.warehouse.connect("warehouse") as db:
        db.execute(f"alter table {COUPONS} rename to coupons_v1")
    assert reconform(stack, "coupons")[0]["rows"] == 1
    assert stack.rows(f"select product_id::text from {COUPONS}") == [("2.00",)]
    assert len(stack.manifests("conformed/marketing_api/coupons/v2/")) == 2


def test_done_again_it_leaves_the_same_table(used: Stack, declarations: Declarations):
    correct(declarations, REDEMPTIONS, FACE_VALUE, VERSION)
    reconform(used, "redemptions")
    once = used.checksum(USED)
    assert len(plan(used, "marketing_api", "redemptions")) == 2, "each landing once, however often it was conformed"
    reconform(used, "redemptions")
    assert used.checksum(USED) == once


def test_rows_that_merge_are_those_of_the_new_contract(used: Stack, declarations: Declarations):
    correct(declarations, REDEMPTIONS, FACE_VALUE, VERSION)
    reconform(used, "redemptions")
    rows = used.rows(f"select redemption_id, face_value::text, updated_at::date::text from {USED} order by 1")
    assert rows == [("r1", "2.00", "2019-11-02"), ("r2", "1.50", "2019-11-01"), ("r3", "1.50", "2019-11-02")]


@pytest.mark.parametrize("key", ["00" * 32, "ff" * 32, "a1" * 32])
def test_a_new_privacy_key_gives_every_row_its_new_pseudonym(used: Stack, key: str):
    query = f"select redemption_id, household_id from {USED} order by 1"
    before = dict(used.rows(query))
    used.connect("privacy_key", password=key)
    reconform(used, "redemptions")
    after = dict(used.rows(query))
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_a_row_that_was_read_later_stays_though_an_earlier_one_was_conformed_later(used: Stack):
    before = used.checksum(USED)
    reconform(used, "redemptions", days(1))
    assert used.checksum(USED) == before


def test_a_window_bounds_the_slices(used: Stack):
    everything = plan(used, "marketing_api", "redemptions")
    assert plan(used, "marketing_api", "redemptions", days(1)) == everything[:1]
    assert plan(used, "marketing_api", "redemptions", days(2, 9)) == everything[1:]
    with pytest.raises(ReconformError, match=r"\[2019-11-05.*no load stands .*Trigger ingest_marketing_api"):
        plan(used, "marketing_api", "redemptions", days(5))


def test_rows_that_do_not_fit_wait_for_a_replay_once(stack: Stack, stub_api: StubApi, declarations: Declarations):
    tolerate(declarations, CONTRACT, rows=5, share=0.5)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    stack.load("marketing_api", "coupons", days(1))
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    reconform(stack, "coupons")
    assert stack.one(f"select count(*) from {COUPONS}") == 9
    assert stack.rows("select rows from ops.open_quarantine") == [(1,)]
    assert counts(stack, "coupons")[1] == 1


def test_landing_that_is_gone_is_named_and_can_be_left_out(used: Stack, capfd: pytest.CaptureFixture[str]):
    first, second = plan(used, "marketing_api", "redemptions")
    for key in used.objects(first.rpartition("/")[0]):
        used.delete(key)
    before = used.state()
    with pytest.raises(ReconformError) as failure:
        plan(used, "marketing_api", "redemptions")
    for part in ("1 of 2 loads", "[2019-11-01T", "past its retention", "skip_expired", "ingest_marketing_api"):
        assert part in str(failure.value)
    assert used.state() == before
    assert plan(used, "marketing_api", "redemptions", skip_expired=True) == [second]
    assert "They stay as they are in the warehouse" in capfd.readouterr().out
    with pytest.raises(ReconformError, match="no load stands whose landing is in the lake"):
        plan(used, "marketing_api", "redemptions", days(1), skip_expired=True)


def test_a_slice_of_which_a_part_was_loaded_anew_is_refused(
    stack: Stack, stub_api: StubApi, declarations: Declarations
):
    declarations("sources/marketing_api.yml", "write: merge", "write: replace_slice")
    load_source.cache_clear()
    stub_api.records["/redemptions"] = [redemption(1, 1), redemption(2, 2)]
    stack.load("marketing_api", "redemptions", days(1, 2))
    stub_api.records["/redemptions"] = [redemption(3, 2)]
    stack.load("marketing_api", "redemptions", days(2))
    before = stack.state()
    with pytest.raises(ReconformError, match=r"a part of \[2019-11-01T.* was loaded anew since: .*leave it out"):
        plan(stack, "marketing_api", "redemptions")
    assert stack.state() == before


def test_a_child_table_is_conformed_from_the_landing_of_its_parent(
    stack: Stack, stub_api: StubApi, declarations: Declarations
):
    period = {"start_date": "2019-11-01", "end_date": "2019-11-30"}
    campaign = {"campaign_id": 8, "campaign_type": "Type A", "period": period}
    stub_api.records["/campaigns"] = [campaign | {"households": [{"household_id": 1}, {"household_id": 2}]}]
    names = {"source": "marketing_api", "stream": "campaign_households"}
    landed = stack.extract("marketing_api", "campaigns", days(1))
    conformed = stack.run(ConformOperator(task_id="conform", manifest_key=landed, **names))
    stack.copy("marketing_api", "campaign_households", conformed)
    before = stack.checksum("raw_marketing_api.campaign_households")
    assert plan(stack, **names) == [landed]
    assert reconform(stack, "campaign_households")[0]["rows"] == 2
    assert stack.checksum("raw_marketing_api.campaign_households") == before


@pytest.mark.parametrize(
    ("source", "stream", "says"),
    [
        ("retail_db", "transactions", "is read from a database.*Trigger ingest_retail_db with window_start"),
        ("leaflets", "leaflets", "has documents, which are kept as they are"),
        ("retail_db", "coupons", "retail_db has no stream 'coupons': it has households, products, transactions"),
        ("marketing_api", "coupons", "no load stands"),
    ],
)
def test_what_can_not_be_conformed_again_says_what_to_do(stack: Stack, source: str, stream: str, says: str):
    with pytest.raises(ReconformError, match=says):
        plan(stack, source, stream)
