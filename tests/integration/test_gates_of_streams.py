"""Gates on raw tables: what the contract promises, of the rows that came since the last gate; waivers and samples."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.registry import load_source
from datastack.operators import gating
from datastack.operators.gate import GateStreamOperator
from datastack.quality.outcomes import GateError
from tests.integration.harness import TRANSACTIONS, Stack, days, in_thread, stopped, wait_for

CONTRACT = "contracts/retail_db/transactions.odcs.yaml"
STREAMS = [
    ("retail_db", "households"), ("retail_db", "products"), ("retail_db", "transactions"),
    ("marketing_api", "campaigns"), ("marketing_api", "coupons"), ("marketing_api", "redemptions"),
]  # fmt: skip
OUTCOMES = "select check_name, outcome from ops.gate_results order by gate_result_id"


def spoil(stack: Stack, statement: str) -> None:
    """Change the warehouse behind the engine's back."""
    with stack.warehouse.connect("warehouse") as db:
        db.execute(statement)


def gate(stack: Stack) -> dict[str, int]:
    """Run the gate on transactions."""
    return stack.gate("retail_db", "transactions")


def load(stack: Stack, first: int, last: int | None = None) -> dict[str, Any]:
    """Load some days of transactions."""
    return stack.load("retail_db", "transactions", days(first, last))


def closed(stack: Stack, *reasons: str) -> None:
    """Run the gate on transactions; it is closed for these reasons."""
    with pytest.raises(GateError) as failure:
        gate(stack)
    for reason in reasons:
        assert reason in str(failure.value)


@pytest.fixture
def shop(stack: Stack) -> Stack:
    """Give the stack with what transactions refer to."""
    for stream in ("households", "products"):
        stack.load("retail_db", stream, ("2019-11-01T00:00:00Z", "2019-12-01T00:00:00Z"))
    return stack


def test_every_stream_passes_its_gate(stack: Stack):
    for source, stream in STREAMS:
        stack.load(source, stream, ("2019-11-01T00:00:00Z", "2019-12-01T00:00:00Z"))
    for source, stream in STREAMS:
        outcomes = stack.gate(source, stream)
        assert outcomes.get("WARN", 0) == (stream == "coupons")  # the small shop lacks what the coupons are good for
        assert set(outcomes) <= {"PASSED", "WARN"}
        declared = load_source(source).contracts[stream]
        assert outcomes["PASSED"] >= 3 + sum(column.required for column in declared.stored)
        recorded = "select count(*), min(dataset), min(contract_version) from ops.gate_results where gate = %s"
        assert stack.rows(recorded, f"{stream}.gate") == [(sum(outcomes.values()), f"raw_{source}/{stream}", "1.0.0")]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("delete from {t}", "row_count: FAILED, measured 0"),
        ("update {t} set sales_value = -1 where week = 44", "sales_value: range:sales_value: FAILED, measured 120"),
        ("update {t} set household_id = '105' where week = 44", "household_id: pattern:household_id: FAILED"),
        ("insert into {t} select * from {t} limit 2", "key basket_id, product_id: FAILED, measured 2"),
        ("alter table {t} rename column week to weeks", "schema: FAILED"),
        ("alter table {t} alter column week type text", "Soda reports errors"),
        ("update {t} set transaction_at = transaction_at - interval '3 days'", "freshness in hours: FAILED"),
    ],
)
def test_a_stream_that_breaks_its_promise_is_stopped(shop: Stack, statement: str, reason: str):
    load(shop, 1, 9)
    spoil(shop, statement.format(t=TRANSACTIONS))
    closed(shop, "raw_retail_db/transactions is closed", reason)
    assert shop.rows("select * from ops.gate_marks") == []


# Which rows are looked at


def test_rows_that_passed_are_not_looked_at_again_but_for_the_key(shop: Stack):
    load(shop, 1)
    gate(shop)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1")
    second = load(shop, 2)
    gate(shop)
    counted = "select measured_value, load_ids from ops.gate_results where check_name = 'row_count' order by checked_at"
    assert shop.rows(counted)[-1] == (20, [second["load_id"]])
    load(shop, 3)
    spoil(
        shop, f"update {TRANSACTIONS} set basket_id = 1000, product_id = 1 where transaction_at < '2019-11-01 01:00Z'"
    )
    spoil(
        shop, f"update {TRANSACTIONS} set basket_id = 1000, product_id = 1 where transaction_at = '2019-11-03 00:00Z'"
    )
    closed(shop, "key basket_id, product_id: FAILED, measured 1")


def test_rows_that_failed_are_looked_at_until_they_are_mended(shop: Stack):
    load(shop, 1)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id = 2")
    closed(shop, "range:quantity: FAILED, measured 1")
    load(shop, 2)
    closed(shop, "range:quantity: FAILED, measured 1")
    ungated = shop.rows("select load_id from ops.ungated_loads where stream = 'transactions' order by 1")
    assert len(ungated) == 2
    load(shop, 1, 2)
    gate(shop)
    assert shop.rows("select load_id from ops.ungated_loads where stream = 'transactions'") == []


def test_a_gate_that_is_cleared_looks_at_all_rows_again(shop: Stack):
    load(shop, 1)
    gate(shop)
    assert gate(shop)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1")
    closed(shop, "range:quantity: FAILED, measured 20")


def test_another_contract_looks_at_all_rows(shop: Stack, declarations: Callable[..., Path]):
    load(shop, 1)
    gate(shop)
    load(shop, 2)
    declarations(CONTRACT, "logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: 0, maximum: 3}")
    load_source.cache_clear()
    closed(shop, "range:quantity: FAILED, measured 10")


def test_a_slice_without_rows_is_no_failure_if_the_ledger_says_so(shop: Stack):
    load(shop, 1)
    gate(shop)
    shop.shop("delete from transactions where transaction_at >= '2019-11-02' and transaction_at < '2019-11-03'")
    load(shop, 2)
    outcomes = dict(shop.rows(OUTCOMES)) if gate(shop) else {}
    assert outcomes["row_count"] == "PASSED"
    assert shop.one("select load_id from ops.gate_marks where stream = 'transactions'") == 4
    load(shop, 3)
    spoil(shop, f"delete from {TRANSACTIONS} where _load_id = 5")
    closed(shop, "row_count: FAILED, measured 0, must be greater than: 0")


def test_rows_that_nobody_loaded_where_the_ledger_says_none_close_the_gate(shop: Stack):
    load(shop, 1)
    gate(shop)
    shop.shop("delete from transactions where transaction_at >= '2019-11-02' and transaction_at < '2019-11-03'")
    empty = load(shop, 2)["load_id"]
    spoil(shop, f"update {TRANSACTIONS} set _load_id = {empty} where product_id = 2")
    closed(shop, "row_count: FAILED, measured 1, must be: 0")


# Freshness, bands and references


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_snapshot_that_gives_way_while_it_is_checked_is_checked_again(
    shop: Stack, monkeypatch: pytest.MonkeyPatch, is_broken: bool
):
    month = ("2019-11-01T00:00:00Z", "2019-12-01T00:00:00Z")
    shop.gate("retail_db", "products")
    shop.load("retail_db", "products", month)
    run_gate, runs = gating.run_gate, []

    def disturbed(*arguments: Any) -> Any:
        runs.append(1)
        if len(runs) == 1:
            shop.load("retail_db", "products", month)  # all rows are those of this load from here on
            if is_broken:
                spoil(shop, "delete from raw_retail_db.products")
        return run_gate(*arguments)

    monkeypatch.setattr(gating, "run_gate", disturbed)
    if is_broken:
        with pytest.raises(GateError, match="row_count: FAILED, measured 0"):
            shop.gate("retail_db", "products")
    else:
        assert set(shop.gate("retail_db", "products")) == {"PASSED"}
    assert len(runs) == 2
    found = {outcome for _, outcome in shop.rows(OUTCOMES)}
    assert found == ({"PASSED", "FAILED"} if is_broken else {"PASSED"})


def test_freshness_is_of_the_newest_slice_so_that_history_can_come_later(shop: Stack):
    load(shop, 20)
    gate(shop)
    load(shop, 1)
    gate(shop)
    shop.shop("delete from transactions where transaction_at >= '2019-11-21'")
    load(shop, 21, 22)
    closed(shop, "transaction_at: freshness in hours: FAILED, measured 48")


def test_a_slice_that_has_not_ended_counts_up_to_when_it_was_read(shop: Stack):
    shop.shop("update transactions set transaction_at = now() - interval '47 hours'")
    shop.load("retail_db", "transactions", ("2019-11-01T00:00:00Z", "2999-01-01T00:00:00Z"))
    assert gate(shop)


def test_a_band_needs_some_slices_and_then_tells_a_thin_one(shop: Stack):
    for day in range(1, 5):
        load(shop, day)
        gate(shop)
    bands = "select outcome, measured_value, detail from ops.gate_results where check_name like 'row_count_band%'"
    found = shop.rows(f"{bands} order by gate_result_id")
    assert [(outcome, rows) for outcome, rows, _ in found] == [("PASSED", 20)] * 4
    assert found[3][2] == "no band: 3 slices of its length are loaded in the 4 weeks before it; 4 make a median"
    shop.shop("delete from transactions where transaction_at > '2019-11-05 02:30Z' and transaction_at < '2019-11-06'")
    load(shop, 5)
    assert gate(shop)["WARN"] == 1
    low = "select outcome, level, measured_value, threshold_low, threshold_high from ops.gate_results"
    assert ("WARN", "warn", 3, 8, 50) in shop.rows(low)


def test_what_refers_to_nothing_is_found(shop: Stack):
    load(shop, 1)
    spoil(shop, "delete from raw_retail_db.products where product_id = 2")
    assert gate(shop)["WARN"] == 1
    warned = "select column_name, measured_value, level from ops.gate_results where outcome = 'WARN'"
    assert shop.rows(warned) == [("product_id", 1, "warn")]


def test_a_stream_that_was_never_loaded_has_nothing_to_refer_to(stack: Stack, declarations: Callable[..., Path]):
    load(stack, 1)
    assert gate(stack)["WARN"] == 2
    declarations(CONTRACT, "                value: warning\n", "                value: error\n")
    load_source.cache_clear()
    closed(stack, "household_id: reference:household_id in retail_db.households.household_id: FAILED, measured 20",
           "retail_db.households was never loaded")  # fmt: skip


# Waivers

SOON = datetime.now(UTC).date() + timedelta(days=90)
WAIVED = f"""customProperties:
  - property: waivers
    value:
      - {{check: "range:quantity", reason: goods come back, link: "https://example.com/7", expires: {SOON}}}
"""


def test_a_waived_check_lets_pass_and_is_seen(shop: Stack, declarations: Callable[..., Path], caplog: Any):
    declarations(CONTRACT, "customProperties:\n", WAIVED)
    load_source.cache_clear()
    load(shop, 1)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id = 2")
    operator = GateStreamOperator(task_id="gate", source="retail_db", stream="transactions")
    assert shop.run(operator)["WAIVED"] == 1
    assert f"waived: goods come back (https://example.com/7), until {SOON}" in caplog.text
    waiver = shop.one("select waiver from ops.gate_results where outcome = 'WAIVED'")
    assert waiver == {"reason": "goods come back", "link": "https://example.com/7", "expires": str(SOON)}
    [dataset] = operator.get_openlineage_facets_on_complete(None).inputs
    found = {each.name: each for each in dataset.inputFacets["dataQualityAssertions"].assertions}["range:quantity"]
    assert (found.success, found.severity, found.params, found.column) == (
        False, "warn", {"outcome": "WAIVED"}, "quantity",
    )  # fmt: skip


def test_a_waiver_that_has_expired_fails_and_says_so(shop: Stack, declarations: Callable[..., Path]):
    declarations(CONTRACT, "customProperties:\n", WAIVED.replace(str(SOON), "2001-12-31"))
    load_source.cache_clear()
    load(shop, 1)
    gate(shop)  # it is not needed
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id = 2")
    closed(
        shop, "range:quantity: FAILED", "its waiver has expired: goods come back (https://example.com/7), until 2001"
    )


def test_rows_that_passed_by_a_waiver_are_looked_at_again_when_it_has_expired(
    shop: Stack, declarations: Callable[..., Path]
):
    declarations(CONTRACT, "customProperties:\n", WAIVED)
    load_source.cache_clear()
    load(shop, 1)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id = 2")
    gate(shop)
    declarations(CONTRACT, str(SOON), "2001-12-31")
    load_source.cache_clear()
    load(shop, 2)
    closed(shop, "range:quantity: FAILED, measured 1", "has expired")


def test_a_waiver_that_nobody_needs_is_named(shop: Stack, declarations: Callable[..., Path], caplog: Any):
    declarations(CONTRACT, "customProperties:\n", WAIVED)
    load_source.cache_clear()
    load(shop, 1)
    gate(shop)
    assert "its waiver is no longer needed, remove it: goods come back" in caplog.text


# What is kept


def test_failing_rows_are_sampled_with_personal_columns_masked(shop: Stack, caplog: Any):
    load(shop, 1, 9)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id < 30")
    closed(shop, "range:quantity: FAILED")
    query = "select gate_result_id, rows from ops.gate_samples inner join ops.gate_results using (gate_result_id)"
    [(result_id, rows)] = shop.rows(query)
    assert f"select rows from ops.gate_samples where gate_result_id = {result_id}" in caplog.text
    assert len(rows) == 20
    assert {row["household_id"] for row in rows} == {"***"}
    assert all(row["quantity"] == -1 and row["product_id"] < 30 and row["_load_id"] for row in rows)


def test_columns_that_no_contract_knows_are_masked_too(shop: Stack):
    load(shop, 1)
    spoil(shop, f"alter table {TRANSACTIONS} add column phone text default '555-1234'")
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1")
    closed(shop, "range:quantity: FAILED")
    assert "555-1234" not in str(shop.rows("select * from ops.gate_samples"))


@pytest.mark.parametrize("role", ["analyst", "ml", "transformer"])
def test_samples_are_for_the_loader_only(shop: Stack, role: str):
    import psycopg

    password = shop.servers.secrets[f"PG_{role.upper()}_PASSWORD"]
    with shop.warehouse.connect("warehouse", role, password) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select * from ops.gate_samples")


def test_results_are_kept_with_numbers_when_the_gate_is_closed_too(shop: Stack):
    load(shop, 1)
    spoil(shop, f"update {TRANSACTIONS} set quantity = -1 where product_id = 2")
    closed(shop, "range:quantity")
    columns = "column_name, level, measured_value, threshold_low, threshold_high, threshold, contract_version, load_ids"
    [found] = shop.rows(f"select {columns} from ops.gate_results where outcome = 'FAILED'")
    assert found == ("quantity", "fail", 1, None, 0, "must be less than or equal: 0.0", "1.0.0", [3])


# Without a warehouse


def test_a_gate_on_a_table_that_was_never_loaded_is_closed(stack: Stack):
    closed(stack, "raw_retail_db/transactions is closed", 'relation "raw_retail_db.transactions" does not exist')
    reasons = stack.rows("select detail from ops.gate_results where check_type = 'gate'")
    assert any("does not exist" in reason for (reason,) in reasons)


def test_a_gate_without_its_warehouse_is_closed_and_on_the_lineage(shop: Stack):
    load(shop, 1)
    operator = GateStreamOperator(task_id="gate", source="retail_db", stream="transactions")
    with stopped(shop.warehouse), pytest.raises(GateError, match=r"raw_retail_db/transactions is closed(.|\n)*refused"):
        shop.run(operator)
    [dataset] = operator.get_openlineage_facets_on_failure(None).inputs
    [assertion] = dataset.inputFacets["dataQualityAssertions"].assertions
    assert (assertion.success, assertion.params) == (False, {"outcome": "NOT_EVALUATED"})
    assert gate(shop)


def test_a_wrong_password_closes_the_gate(shop: Stack):
    load(shop, 1)
    shop.connect("warehouse_loader", password="hush-hush-hush")
    with pytest.raises(GateError, match="raw_retail_db/transactions is closed") as failure:
        gate(shop)
    assert "hush-hush-hush" not in str(failure.value)


def test_soda_alone_is_refused_and_that_is_recorded(shop: Stack, monkeypatch: pytest.MonkeyPatch):
    from datastack.operators import connections
    from datastack.quality.gate import Warehouse

    load(shop, 1)
    place = connections.soda_warehouse("warehouse_loader")
    gone = Warehouse(place.host, 1, place.database, place.user, place.password)
    monkeypatch.setattr(connections, "soda_warehouse", lambda _: gone)
    closed(shop, "raw_retail_db/transactions is closed")
    kept = shop.rows("select check_type, outcome, detail from ops.gate_results")
    assert {(kind, outcome) for kind, outcome, _ in kept} == {("gate", "NOT_EVALUATED")}
    assert any("efused" in detail for *_, detail in kept)


def test_a_session_that_is_killed_midway_closes_the_gate(shop: Stack):
    load(shop, 1)
    waiting = """
        select pid from pg_stat_activity
        where wait_event_type = 'Lock' and usename = 'loader' and query ~ 'raw_retail_db'
    """
    with shop.warehouse.connect("warehouse") as db:
        db.execute("begin")
        db.execute(f"lock table {TRANSACTIONS} in access exclusive mode")
        finish = in_thread(gate, shop)
        wait_for(lambda: shop.rows(waiting) != [])
        shop.rows(f"select pg_terminate_backend(pid) from ({waiting}) as sessions")
        db.execute("rollback")
    with pytest.raises(GateError, match="raw_retail_db/transactions is closed"):
        finish()
    assert shop.rows("select * from ops.gate_marks") == []
    assert gate(shop)
