"""Nothing is built, or published, of which a part has not passed its gate, whichever source started the transform."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.operators.plan import PlanOperator
from datastack.operators.publish import PublishOperator
from datastack.quality.outcomes import GateError
from datastack.warehouse.plan import NewlyUngatedError, NothingToPlanError, Plan
from tests.dbt_manifest import model, write_manifest
from tests.integration.harness import Stack, days
from tests.integration.publishing import STREAMS as SHOP
from tests.integration.publishing import Domain, ready

MONTH = ("2019-11-01T00:00:00Z", "2019-12-01T00:00:00Z")
STREAMS = [("retail_db", "transactions"), ("marketing_api", "campaigns")]


@pytest.fixture
def shop(stack: Stack) -> Domain:
    """Domain whose loads 1 and 2 are published."""
    domain = ready(stack)
    domain.pair(1)
    domain.released()
    return domain


@pytest.fixture
def retail(stack: Stack) -> Domain:
    """Domain of two sources, a day of which is published."""
    domain = Domain(stack)
    domain.streams = STREAMS
    for stream in ("households", "products"):
        stack.load("retail_db", stream, MONTH)
    for source, stream in STREAMS:
        stack.load(source, stream, days(1))
        stack.gate(source, stream)
    domain.pair(1)
    domain.released()
    return domain


def planned(domain: Domain) -> list[int]:
    return [row[0] for row in domain.stack.rows("select load_id from ops.plan_loads order by 1")]


def reason(domain: Domain) -> str:
    return domain.stack.one("select reason from ops.plans")


def spoiled(stack: Stack) -> int:
    """Load a day of transactions whose gate is closed; return the load's id."""
    stack.shop("update transactions set quantity = -1 where transaction_at::date = '2019-11-02' and product_id = 10")
    bad = stack.load("retail_db", "transactions", days(2))["load_id"]
    with pytest.raises(GateError, match="range:quantity: FAILED, measured 1"):
        stack.gate("retail_db", "transactions")
    return bad


def other_source(stack: Stack) -> int:
    """Load a day of campaigns, which pass their gate; return the load's id."""
    load = stack.load("marketing_api", "campaigns", days(2))["load_id"]
    stack.gate("marketing_api", "campaigns")
    return load


def test_a_closed_gate_of_one_source_stops_the_transform_that_another_one_starts(retail: Domain):
    stack, before = retail.stack, planned(retail)
    bad, other = spoiled(stack), other_source(stack)
    with pytest.raises(NothingToPlanError) as skipped:
        retail.plan()
    named = rf"no gate has let pass yet: retail_db.transactions (load {bad}, the last by ingest_test, test). Nothing is"
    for part in (named, "the gate's log says why", "starts this DAG again", "Trigger with force"):
        assert part in str(skipped.value)
    assert "marketing_api" not in str(skipped.value)
    assert planned(retail) == before, "the plan before stays"
    stack.shop("update transactions set quantity = 1 where transaction_at::date = '2019-11-02' and product_id = 10")
    good = stack.load("retail_db", "transactions", days(2))["load_id"]
    with pytest.raises(NothingToPlanError, match=rf"\(load {bad}, {good}, the last by"):
        retail.plan()
    stack.gate("retail_db", "transactions")
    assert retail.plan() == Plan(3, whole=False, reason="3 loads are new")
    assert planned(retail) == [bad, other, good]
    retail.publish()
    with pytest.raises(NothingToPlanError, match="published already"):
        retail.plan()


def test_force_builds_all_the_same_and_says_so_until_the_gate_is_open(retail: Domain):
    bad = spoiled(retail.stack)
    other_source(retail.stack)
    plan = retail.plan(force=True)
    assert (plan.loads, plan.ungated) == (2, True)
    said = f"2 loads are new; by force, with rows that no gate has let pass: retail_db.transactions (load {bad}, the "
    assert plan.reason == reason(retail)
    assert plan.reason.startswith(said)
    retail.publish()
    other_source(retail.stack)
    with pytest.raises(NothingToPlanError, match=rf"let pass yet: retail_db\.transactions \(load {bad}, "):
        retail.plan()


def test_a_waiver_lets_pass(retail: Domain, declarations):
    from datastack.contract.registry import load_source

    spoiled(retail.stack)
    soon = datetime.now(UTC).date() + timedelta(days=90)
    waiver = f'- {{check: "range:quantity", reason: back, link: "https://example.com/7", expires: {soon}}}'
    waivers = f"customProperties:\n  - property: waivers\n    value:\n      {waiver}\n"
    declarations("contracts/retail_db/transactions.odcs.yaml", "customProperties:\n", waivers)
    load_source.cache_clear()
    assert retail.stack.gate("retail_db", "transactions")["WAIVED"] == 1
    assert retail.plan() == Plan(1, whole=False, reason="1 loads are new")


def test_a_gate_that_warns_lets_pass(retail: Domain):
    with retail.stack.warehouse.connect("warehouse") as db:
        db.execute("delete from raw_retail_db.products where product_id = 10")
    retail.stack.load("retail_db", "transactions", days(2))
    assert retail.stack.gate("retail_db", "transactions")["WARN"] == 1
    assert retail.plan().loads == 1


def test_an_empty_slice_passes_its_gate(retail: Domain):
    retail.stack.shop("delete from transactions where transaction_at::date = '2019-11-02'")
    assert retail.stack.load("retail_db", "transactions", days(2))["rows"] == 0
    with pytest.raises(NothingToPlanError, match=r"no gate has let pass yet: retail_db\.transactions"):
        retail.plan()
    retail.stack.gate("retail_db", "transactions")
    assert retail.plan().loads == 1


def test_what_the_other_tables_wait_for_does_not_hold_up_a_domain(retail: Domain):
    unread = [("retail_db", "households"), ("retail_db", "products")]
    assert set(unread) == set(retail.stack.rows("select distinct source, stream from ops.ungated_loads"))
    other_source(retail.stack)
    assert retail.plan().loads == 1


def test_rows_that_are_replayed_are_waited_for(shop: Domain):
    shop.load(1, replay_of=1, gated=False)
    with pytest.raises(NothingToPlanError, match="no gate has let pass"):
        shop.plan()
    shop.let_pass()
    assert shop.plan().loads == 1


def test_a_load_that_newer_rows_superseded_needs_no_gate(shop: Domain):
    shop.load(3, superseded=True, gated=False)
    assert shop.plan().loads == 1


def test_new_code_is_not_built_either_on_rows_that_no_gate_has_let_pass(shop: Domain):
    shop.load(3, gated=False)
    with pytest.raises(NothingToPlanError, match=r"shop\.sales \(load 3, "):
        shop.plan(full_refresh=True)


def test_many_loads_are_named_in_short(shop: Domain):
    for day in range(3, 10):
        shop.load(day, gated=False)
    shop.load(3, stream="people", gated=False)
    with pytest.raises(NothingToPlanError) as skipped:
        shop.plan()
    assert "shop.people (load 10, the last by d, r); shop.sales (load 3, 4, 5, 6, 7 and 2 more, the" in str(
        skipped.value
    )


def test_why_a_plan_was_forced_is_not_said_of_the_next_one(shop: Domain):
    shop.load(3, gated=False)
    assert shop.plan(force=True, full_refresh=True).ungated
    shop.let_pass()
    assert shop.plan() == Plan(1, whole=True, reason="full_refresh was asked for")


# What is loaded while dbt is at work


def test_rows_that_come_while_dbt_builds_are_not_published_before_they_have_passed(shop: Domain):
    shop.load(3)
    shop.plan()
    shop.pair(7)
    late = shop.load(4, gated=False)
    before = shop.marts()
    with pytest.raises(NewlyUngatedError, match=rf"shop\.sales \(load {late}, .*consumers keep what they have"):
        shop.publish()
    assert shop.marts() == before
    shop.let_pass()
    shop.publish()
    assert shop.marts() != before
    shop.plan()
    assert planned(shop) == [late], "they are new to the next plan"


def test_what_was_planned_or_published_by_force_is_published(shop: Domain):
    shop.load(3, gated=False)
    shop.released()
    shop.load(3, stream="other", gated=False)
    shop.released()
    shop.plan(force=True)
    shop.load(4, gated=False)
    with pytest.raises(NewlyUngatedError, match=r"shop\.sales \(load 5, "):
        shop.publish()


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"day": 4}, {"day": 4}),
        ({"start": "2019-11-04T00:00Z", "end": "2019-11-06T00:00Z"}, {"day": 4}),  # some of its rows are there still
        ({"stream": "people"}, {"stream": "people"}),
        ({"stream": "people", "write": "merge"}, {"stream": "people", "write": "merge"}),
        ({"write": "append", "object": "a.csv"}, {"write": "append", "object": "a.csv"}),
    ],
)
def test_what_dbt_may_have_read_before_its_correction_is_not_published(
    shop: Domain, bad: dict[str, Any], good: dict[str, Any]
):
    shop.load(3)
    shop.plan()
    shop.pair(7)
    late, before = shop.load(**bad, gated=False), shop.marts()
    new = shop.load(**good)
    with pytest.raises(NewlyUngatedError, match=rf"replaced before .* \(load {late}, .*if it has not done so"):
        shop.publish()
    assert shop.marts() == before
    assert shop.plan(run="run 2").loads == 3
    shop.publish()
    assert shop.marts() != before
    assert planned(shop) == [late - 1, late, new]


def test_loads_that_stand_or_brought_nothing_do_not_hold_up_a_publication(shop: Domain):
    replaced = shop.load(3)
    shop.load(3)
    shop.plan()
    shop.load(3)  # in the place of a planned one
    shop.load(4)
    shop.load(5, gated=False, superseded=True)
    shop.load(6, stream="other", gated=False)
    shop.publish()
    assert replaced in planned(shop)


def test_a_source_that_the_domain_reads_no_more_does_not_hold_up_a_publication(shop: Domain):
    shop.load(3)
    shop.streams = SHOP[:1]
    shop.plan()
    shop.load(3, stream="people", gated=False)
    shop.publish()


# As tasks


def test_the_tasks_are_skipped_and_a_forced_plan_warns(shop: Domain, declarations, capfd: pytest.CaptureFixture[str]):
    write_manifest(model("fct_a"), model("fct_b"))
    plan = PlanOperator(task_id="plan", domain="retail", streams=shop.streams)
    publish = PublishOperator(task_id="publish", domain="retail", streams=shop.streams)
    shop.load(3, gated=False)
    with pytest.raises(AirflowSkipException, match=r"no gate has let pass yet: shop\.sales \(load 3"):
        shop.stack.run(plan)
    shop.stack.run(plan, force=True)
    shop.stack.run(publish)
    assert "[warning" in told(capfd)
    shop.let_pass()
    shop.load(4)
    shop.stack.run(plan)
    assert "[info" in told(capfd)
    shop.load(5, gated=False)
    with pytest.raises(AirflowSkipException, match=r"while retail was built, .*: shop\.sales \(load 5"):
        shop.stack.run(publish)


def told(capfd: pytest.CaptureFixture[str]) -> str:
    [line] = [line for line in capfd.readouterr().out.splitlines() if "loads to publish" in line]
    return line
