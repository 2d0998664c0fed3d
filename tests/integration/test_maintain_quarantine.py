"""Quarantined rows come back once the contract is mended: exactly once, beside what their load brought."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.contract.registry import load_source
from datastack.lake.manifest import ManifestError
from datastack.operators import connections, replaying
from datastack.operators.expiry import carry_out
from datastack.operators.replay import PlanReplayOperator, ReplayOperator
from datastack.operators.retention import Planner, declared_retention
from datastack.warehouse.retention import undisturbed
from tests.integration.harness import Stack, days, in_thread, wait_for
from tests.integration.stub_api import StubApi
from tests.integration.test_quarantine import BAD, CONTRACT, GOOD, rejected, tolerate

COUPONS = "raw_marketing_api.coupons"
PRODUCTS = "contracts/retail_db/products.odcs.yaml"
OPTIONAL_CAMPAIGN = ("description: The campaign that issued it\n        required: true", "description: c")
TEXT_PRODUCT = (
    "name: product_id\n        logicalType: integer\n        physicalType: bigint",
    "name: product_id\n        logicalType: string\n        physicalType: text",
)
# Products are numbers, and campaigns are not loaded here.
UNREFERRED = (
    """        relationships:
          # the lists name 6 products that the catalogue lacks
          - to: retail_db.products.product_id
            customProperties:
              - property: severity
                value: warning
""",
    "",
)
NO_CAMPAIGNS = ("        relationships:\n          - to: campaigns.campaign_id\n", "")
Declarations = Callable[..., Path]


def correct(declarations: Declarations, contract: str, *edits: tuple[str, str]) -> None:
    """Change a contract, as a deployment does."""
    for old, new in edits:
        declarations(contract, old, new)
    load_source.cache_clear()


def replay(stack: Stack, source: str, stream: str, run_id: str = "first", try_number: int = 1) -> Any:
    """Run replay in a run of its own; None if it was skipped."""
    operator = ReplayOperator(task_id="replay", source=source, stream=stream)
    ti = SimpleNamespace(dag_id="maintain_quarantine", run_id=run_id, try_number=try_number)
    try:
        return operator.execute({"params": {}, "ti": ti})
    except AirflowSkipException:
        return None


def plan(stack: Stack, source: str = "", stream: str = "") -> list[dict[str, str]]:
    """Run plan."""
    return stack.run(PlanReplayOperator(task_id="plan", source=source, stream=stream))


def real(stack: Stack) -> list[str]:
    """Keys of the lake's objects, without the empty folders that pyarrow leaves where it deletes."""
    return [key for key in stack.objects() if not key.endswith("/")]


def counts(stack: Stack, stream: str) -> tuple[int, int]:
    """Rows that the ledger says are in a table, by what stands; and rows at the sources that are nowhere yet."""
    loads = stack.loads(stream)
    assert all(load["source_rows"] == load["lake_rows"] + load["quarantined_rows"] for load in loads)
    waiting = stack.one(f"select coalesce(sum(rows), 0) from ops.open_quarantine where stream = '{stream}'")
    return sum(load["loaded_rows"] for load in loads), int(waiting)


def ungated(stack: Stack) -> list[int]:
    """Loads that a transform has to wait for, as no gate has let them pass."""
    return [row[0] for row in stack.rows("select load_id from ops.ungated_loads order by 1")]


@pytest.fixture
def coupons(stack: Stack, stub_api: StubApi, declarations: Declarations) -> Stack:
    """Load ten coupons, of which three don't fit."""
    tolerate(declarations, CONTRACT, rows=5, share=0.5)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    assert stack.load("marketing_api", "coupons", days(1))["rows"] == 7
    return stack


def test_rows_that_fit_a_corrected_contract_come_back_and_the_others_wait_on(
    coupons: Stack, declarations: Declarations
):
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN, ("version: 1.0.0", "version: 1.1.0"))
    assert replay(coupons, "marketing_api", "coupons") == {"source": "marketing_api", "stream": "coupons", "rows": 2}
    assert coupons.table(COUPONS) == sorted([(1, 2, 3)] * 7 + [(1, 2, None)] * 2, key=str)
    assert counts(coupons, "coupons") == (9, 1)
    [first, again] = coupons.loads("coupons")
    assert (again["replay_of"], again["contract_version"]) == (first["load_id"], "1.1.0")
    [waiting] = coupons.rows("select rows, reasons, load_id from ops.open_quarantine")
    assert waiting == (1, {"product_id: 'two' is not of type bigint": 1}, first["load_id"])
    correct(declarations, CONTRACT, UNREFERRED, TEXT_PRODUCT)
    assert replay(coupons, "marketing_api", "coupons", "second")["rows"] == 1
    assert coupons.one(f"select count(*) from {COUPONS} where product_id = 'two'") == 1
    assert counts(coupons, "coupons") == (10, 0)
    assert coupons.one(f"select count(*) from {COUPONS}") == 10
    with pytest.raises(AirflowSkipException, match="nothing is in quarantine"):
        plan(coupons)


def test_nothing_changes_while_nothing_fits(coupons: Stack, caplog: pytest.LogCaptureFixture):
    before, objects = coupons.state(), real(coupons)
    assert replay(coupons, "marketing_api", "coupons") is None
    assert coupons.state() == before
    assert real(coupons) == objects
    assert "none of 3 rows fits coupons.odcs.yaml 1.0.0, they stay in quarantine: " in caplog.text
    assert "product_id: 'two' is not of type bigint (1 rows)" in caplog.text


def test_rows_that_came_back_are_gated(coupons: Stack, declarations: Declarations):
    correct(declarations, CONTRACT, NO_CAMPAIGNS)
    coupons.gate("marketing_api", "coupons")
    assert ungated(coupons) == []
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    replay(coupons, "marketing_api", "coupons")
    assert ungated(coupons) == [coupons.loads("coupons")[-1]["load_id"]]
    coupons.gate("marketing_api", "coupons")
    assert ungated(coupons) == []


def test_rows_of_a_database_come_back(stack: Stack, declarations: Declarations):
    tolerate(declarations, PRODUCTS, rows=5, share=0.5)
    stack.shop("update products set department = null where product_id in (3, 4)")
    stack.load("retail_db", "products", days(1))
    correct(declarations, PRODUCTS, ("description: Department of the store\n        required: true", "description: d"))
    assert replay(stack, "retail_db", "products")["rows"] == 2
    loaded = stack.rows("select product_id, department from raw_retail_db.products order by 1")
    assert loaded == stack.shop("select product_id, department from products order by 1")
    assert counts(stack, "products") == (40, 0)


def test_rows_of_a_file_come_back_to_their_file(stack: Stack, declarations: Declarations):
    from datastack.operators.conform import ConformOperator
    from datastack.operators.copy import CopyOperator
    from datastack.operators.extract_files import ExtractFilesOperator

    contract = "contracts/promotions/promotions.odcs.yaml"
    tolerate(declarations, contract, rows=5, share=0.5)
    header, names = "product_id,store_id,display_location,mailer_location,week,week_start\n", {"source": "promotions"}
    lines = ["1,2,0,A,40,2019-10-28\n"] * 3 + ["2,two,0,A,40,2019-10-28\n"]
    stack.lake.client().put_object(
        Bucket="partner-drops",
        Key="promotions/promotions_2019-10-28.csv.gz",
        Body=gzip.compress((header + "".join(lines)).encode()),
    )
    names["stream"] = "promotions"
    window = ("2019-10-28T00:00:00Z", "2019-11-04T00:00:00Z")
    landed = stack.run(ExtractFilesOperator(task_id="extract", **names), window)
    conformed = stack.run(ConformOperator(task_id="conform", manifest_key=landed, **names))
    stack.run(CopyOperator(task_id="copy", manifest_key=conformed, **names))
    assert counts(stack, "promotions") == (3, 1)
    store = ("name: store_id\n        logicalType: integer\n        physicalType: bigint",)
    correct(declarations, contract, (*store, "name: store_id\n        logicalType: string\n        physicalType: text"))
    assert replay(stack, "promotions", "promotions")["rows"] == 1
    assert counts(stack, "promotions") == (4, 0)
    assert stack.one("select count(*) from raw_promotions.promotions where store_id = 'two'") == 1
    [first, again] = stack.loads("promotions")
    assert (again["object_key"], again["object_etag"]) == (first["object_key"], first["object_etag"])


def test_a_row_of_a_stream_that_merges_does_not_take_the_place_of_a_newer_one(
    stack: Stack, stub_api: StubApi, declarations: Declarations
):
    contract = "contracts/marketing_api/redemptions.odcs.yaml"
    tolerate(declarations, contract, rows=5, share=0.9)
    used = {"redemption_id": "r1", "household_id": 1, "coupon_upc": 1, "campaign_id": 1}
    dates = {"redemption_date": "2019-11-01", "updated_at": "2019-11-01T10:00:00Z"}
    bad = {"coupon_upc": "x1"}
    rows = [used | dates, used | dates | bad | {"redemption_id": "r2"}, used | dates | bad | {"redemption_id": "r3"}]
    stub_api.records["/redemptions"] = rows
    stack.load("marketing_api", "redemptions", days(1))
    newer = rows[1] | {"coupon_upc": 7, "updated_at": "2019-11-02T10:00:00Z"}
    stub_api.records["/redemptions"] = [newer]
    stack.load("marketing_api", "redemptions", days(2))
    upc = "name: coupon_upc\n        logicalType: integer\n        physicalType: bigint"
    text = "name: coupon_upc\n        logicalType: string\n        physicalType: text"
    unreferred = ("        relationships:\n          - to: coupons.coupon_upc\n", "")  # coupons have numbers
    correct(declarations, contract, unreferred, (upc, text))
    assert replay(stack, "marketing_api", "redemptions")["rows"] == 1
    table = "select redemption_id, coupon_upc from raw_marketing_api.redemptions order by 1"
    assert stack.rows(table) == [("r1", "1"), ("r2", "7"), ("r3", "x1")]


@pytest.mark.parametrize("step", ["open_quarantine", "store_conformed", "manifest_of", "load_of", "replay"])
def test_a_try_that_is_killed_is_made_good_by_the_next(
    coupons: Stack, declarations: Declarations, monkeypatch: pytest.MonkeyPatch, step: str
):
    """Killed after a step: what that has done stays."""
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    done = getattr(replaying, step)

    def killed(*arguments: Any, **named: Any) -> None:
        done(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replaying, step, killed)
        with pytest.raises(KeyboardInterrupt):
            replay(coupons, "marketing_api", "coupons")
    told = replay(coupons, "marketing_api", "coupons", try_number=2)
    assert told == {"source": "marketing_api", "stream": "coupons", "rows": 2}, "the gate must follow"
    assert counts(coupons, "coupons") == (9, 1)
    assert coupons.one(f"select count(*) from {COUPONS}") == 9
    assert replay(coupons, "marketing_api", "coupons", "another run") is None


def test_two_runs_at_once_bring_rows_once(coupons: Stack, declarations: Declarations):
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    waiting = "select count(*) from pg_stat_activity where wait_event = 'advisory'"
    with undisturbed(connections.postgres_uri(connections.LOADER), "marketing_api", "coupons"):
        runs = [in_thread(replay, coupons, "marketing_api", "coupons", run_id) for run_id in ("a", "b")]
        wait_for(lambda: coupons.one(waiting) == 2)
    results = [finish() for finish in runs]
    assert sorted(map(bool, results)) == [False, True]
    assert counts(coupons, "coupons") == (9, 1)
    assert coupons.one(f"select count(*) from {COUPONS}") == 9


def test_rows_of_a_slice_that_was_loaded_anew_are_not_brought_twice(
    coupons: Stack, declarations: Declarations, monkeypatch: pytest.MonkeyPatch
):
    stale = replaying.open_quarantine(connections.postgres_uri(connections.LOADER), "marketing_api", "coupons")
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    coupons.load("marketing_api", "coupons", days(1))
    before = coupons.checksum(COUPONS)
    with monkeypatch.context() as patch:
        patch.setattr(replaying, "open_quarantine", lambda *_: stale)
        assert replay(coupons, "marketing_api", "coupons") is None
    assert coupons.checksum(COUPONS) == before
    correct(declarations, CONTRACT, UNREFERRED, TEXT_PRODUCT)
    assert replay(coupons, "marketing_api", "coupons", "second")["rows"] == 1
    assert coupons.one(f"select count(*) from {COUPONS}") == 10


def test_a_plan_names_streams_rows_and_reasons(coupons: Stack, capfd: pytest.CaptureFixture[str]):
    named = [{"source": "marketing_api", "stream": "coupons"}]
    assert plan(coupons) == plan(coupons, "marketing_api") == plan(coupons, "marketing_api", "coupons") == named
    said = capfd.readouterr().out
    assert "marketing_api.coupons: 3 rows in 1 parts: " in said
    assert "product_id: 'two' is not of type bigint (1 rows)" in said
    for nothing in (("retail_db", ""), ("marketing_api", "campaigns")):
        with pytest.raises(AirflowSkipException, match="nothing is in quarantine"):
            plan(coupons, *nothing)
    with pytest.raises(
        ValueError, match=r"no stream is declared as retail_db\.coupons: there are .*retail_db\.products"
    ):
        plan(coupons, "retail_db", "coupons")


def test_rows_of_a_stream_that_is_not_declared_any_more_stay(coupons: Stack, capfd: pytest.CaptureFixture[str]):
    with coupons.warehouse.connect("warehouse") as db:
        db.execute("update ops.loads set stream = 'vouchers'")
    with pytest.raises(AirflowSkipException):
        plan(coupons)
    assert "marketing_api.vouchers is not declared any more: 3 rows in 1 parts stay" in capfd.readouterr().out


def test_rows_whose_retention_is_over_are_gone(coupons: Stack):
    uri, inventory = connections.postgres_uri(connections.LOADER), connections.lake_inventory()
    later = datetime.now(UTC) + timedelta(days=91)
    carry_out(Planner(inventory, uri, declared_retention(), later).plan(), inventory, uri)
    assert rejected(coupons) == []
    assert replay(coupons, "marketing_api", "coupons") is None


def test_a_part_that_is_lost_is_named_and_nothing_changes(coupons: Stack, declarations: Declarations):
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    [part] = coupons.objects("quarantine/")
    coupons.delete(part)
    before = coupons.state()
    with pytest.raises(ManifestError, match=f"s3://landing/{part} is not there"):
        replay(coupons, "marketing_api", "coupons")
    assert coupons.state() == before


def test_what_is_set_aside_again_is_as_it_was_received(coupons: Stack, declarations: Declarations):
    received = {json.dumps(json.loads(row["row"])) for row in rejected(coupons)}
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    replay(coupons, "marketing_api", "coupons")
    [waiting] = coupons.rows("select part_key from ops.open_quarantine")
    again = [row for row in rejected(coupons) if row["row"]]
    assert waiting[0] in coupons.objects("quarantine/")
    assert {json.dumps(json.loads(row["row"])) for row in again} == received


def test_the_lake_keeps_what_was_replayed_as_long_as_its_load_stands(coupons: Stack, declarations: Declarations):
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    replay(coupons, "marketing_api", "coupons")
    uri, inventory = connections.postgres_uri(connections.LOADER), connections.lake_inventory()

    def going() -> list[str]:
        later = datetime.now(UTC) + timedelta(days=5000)
        entries = Planner(inventory, uri, declared_retention(), later).plan().entries
        return [entry.reason for entry in entries if entry.room == "conformed"]

    assert going() == []
    coupons.load("marketing_api", "coupons", days(1))
    assert going() == ["replaced in the warehouse"] * 2


def test_a_replay_is_on_the_lineage_graph(coupons: Stack, declarations: Declarations):
    correct(declarations, CONTRACT, OPTIONAL_CAMPAIGN)
    operator = ReplayOperator(task_id="replay", source="marketing_api", stream="coupons")
    coupons.run(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    names = [dataset.name for dataset in (*told.inputs, *told.outputs)]
    assert names[0].startswith("quarantine/marketing_api/coupons/")
    assert names[1].startswith("conformed/marketing_api/coupons/")
    assert names[2] == "warehouse.raw_marketing_api.coupons"
