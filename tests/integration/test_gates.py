"""Gates on real data by real Soda: they pass on good data only, and every way to check nothing closes them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source
from datastack.quality.gate import GateError, GateReport, Warehouse, run_gate
from tests.integration.harness import Stack, days, stopped

DATASET = "warehouse/warehouse/build_retail/things"
ROW_COUNT = {"row_count": {"threshold": {"must_be_greater_than": 0}}}


@pytest.fixture
def things(stack: Stack) -> Stack:
    """Three good rows in build_retail.things."""
    with stack.warehouse.connect("warehouse", "transformer", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"]) as db:
        db.execute("create table build_retail.things (thing_id bigint, name text, amount numeric(10, 2))")
        db.execute("insert into build_retail.things values (1, 'a', 10), (2, 'b', 20), (3, 'c', null)")
    return stack


def contract(*checks: dict[str, Any], name: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    """Soda contract on the things: checks on the table, and on their name."""
    columns = [{"name": "name", "checks": list(name)}] if name else []
    return {"dataset": DATASET, "checks": list(checks), "columns": columns} | more


def run(stack: Stack, content: dict[str, Any], **changes: Any) -> GateReport:
    """Run a contract against the warehouse."""
    place = {
        "host": "127.0.0.1", "port": stack.warehouse.port, "database": "warehouse", "user": "transformer",
        "password": stack.servers.secrets["PG_TRANSFORMER_PASSWORD"],
    }  # fmt: skip
    return run_gate(content, Warehouse(**place | changes))


@pytest.fixture
def silent_soda() -> Iterator[None]:
    """Switch Soda's log off, as an eager logging configuration does; its error count lives in there."""
    logger = logging.getLogger("soda")
    level, off, propagate = logger.level, logger.disabled, logger.propagate
    logger.disabled, logger.propagate = True, False
    logger.setLevel(logging.CRITICAL + 1)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    logger.setLevel(level)
    logger.disabled, logger.propagate = off, propagate


def test_good_data_passes(things: Stack):
    report = run(things, contract(ROW_COUNT, {"duplicate": {"columns": ["thing_id"]}}, name=({"missing": None},)))
    report.require_open()
    assert [result.outcome for result in report.results] == ["PASSED"] * 3
    assert report.dataset == "build_retail/things"


def test_a_warning_passes(things: Stack):
    warn = {"row_count": {"threshold": {"level": "warn", "must_be_greater_than": 100}}}
    report = run(things, contract(warn))
    report.require_open()
    assert [result.outcome for result in report.results] == ["WARN"]


def test_bad_data_fails_and_says_what_was_measured(things: Stack):
    content = contract(ROW_COUNT, name=({"invalid": {"valid_values": ["a", "b"]}},))
    with pytest.raises(GateError, match=r"build_retail/things is closed(.|\n)*name: .*FAILED, measured .*1"):
        run(things, content).require_open()


BAD_SQL = {"failed_rows": {"name": "bad", "expression": "no_such_column > 1"}}
METRIC = {"metric": {"name": "sum", "expression": "sum(amount)", "threshold": {"must_be_greater_than": 0}}}
WAYS = {
    "missing table": (contract(ROW_COUNT, dataset=f"{DATASET}_gone"), 'relation "build_retail.things_gone" does not'),
    "bad SQL in a check": (contract(ROW_COUNT, BAD_SQL), 'column "no_such_column" does not exist'),
    "missing variable": (contract(ROW_COUNT, filter="thing_id = ${var.day}"), "Variable 'day' was used and not"),
    "missing column": (contract(ROW_COUNT, columns=[{"name": "x", "checks": [{"missing": None}]}]), 'column "x" does'),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_can_not_be_checked_closes_the_gate(things: Stack, way: str):
    content, message = WAYS[way]
    with pytest.raises(GateError, match=message):
        run(things, content).require_open()


@pytest.mark.usefixtures("silent_soda")
@pytest.mark.parametrize("way", WAYS)
def test_it_does_so_with_the_log_switched_off(things: Stack, way: str):
    with pytest.raises(GateError, match="is closed"):
        run(things, WAYS[way][0]).require_open()


@pytest.mark.parametrize("change", [{"port": 1}, {"password": "hush-hush"}, {"database": "gone"}])
def test_a_refused_connection_closes_the_gate(things: Stack, change: dict[str, Any]):
    with pytest.raises(GateError, match="build_retail/things") as failure:
        run(things, contract(ROW_COUNT), **change).require_open()
    assert "hush-hush" not in str(failure.value)


def test_a_table_that_may_not_be_read_closes_the_gate(things: Stack):
    analyst = {"user": "analyst", "password": things.servers.secrets["PG_ANALYST_PASSWORD"]}
    with pytest.raises(GateError, match="permission denied for schema build_retail"):
        run(things, contract(ROW_COUNT), **analyst).require_open()


@pytest.mark.usefixtures("silent_soda")
def test_a_refused_connection_closes_the_gate_with_the_log_switched_off(things: Stack):
    with pytest.raises(GateError, match="build_retail/things"):
        run(things, contract(ROW_COUNT), port=1).require_open()


def test_no_rows_close_the_gate_though_missing_and_duplicate_pass(things: Stack):
    with things.warehouse.connect("warehouse") as db:
        db.execute("truncate build_retail.things")
    report = run(things, contract(ROW_COUNT, {"duplicate": {"columns": ["thing_id"]}}, name=({"missing": None},)))
    assert sorted(result.outcome for result in report.results) == ["FAILED", "PASSED", "PASSED"]
    with pytest.raises(GateError, match=r"row_count|Row count"):
        report.require_open()


def test_a_metric_that_was_not_evaluated_closes_the_gate(things: Stack):
    with things.warehouse.connect("warehouse") as db:
        db.execute("update build_retail.things set amount = null")
    report = run(things, contract(ROW_COUNT, METRIC))
    assert sorted(result.outcome for result in report.results) == ["NOT_EVALUATED", "PASSED"]
    with pytest.raises(GateError, match="sum: NOT_EVALUATED"):
        report.require_open()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (contract({"row_count": {"threshold": {"must_be_greater_then": 0}}}), r"must_be_greater_then"),
        (contract(ROW_COUNT, {"duplicates": {"columns": ["thing_id"]}}), r"duplicates"),
        (contract({"duplicate": {"columns": ["thing_id"]}}), r"no row_count check\. Add one"),
        (contract(), r"checks: \[\] should be non-empty"),
    ],
    ids=["threshold", "kind of check", "no row count", "no check"],
)
def test_a_contract_that_checks_less_than_it_seems_to_is_refused(things: Stack, content: dict[str, Any], message: str):
    with pytest.raises(DeclarationError, match=message):
        run(things, content)


def test_a_check_that_soda_leaves_out_closes_the_gate(things: Stack, monkeypatch: pytest.MonkeyPatch):
    from datastack.quality import gate

    verify = gate._verify

    def forgetful(content: dict[str, Any], warehouse: Warehouse) -> Any:
        return verify(content | {"columns": []}, warehouse)

    monkeypatch.setattr(gate, "_verify", forgetful)
    with pytest.raises(GateError, match="1 checks were evaluated, 2 are declared"):
        run(things, contract(ROW_COUNT, name=({"missing": None},))).require_open()


# The operator on raw tables

STREAMS = [
    ("retail_db", "households"), ("retail_db", "products"), ("retail_db", "transactions"),
    ("marketing_api", "campaigns"), ("marketing_api", "coupons"), ("marketing_api", "redemptions"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "stream"), STREAMS)
def test_every_stream_passes_its_gate(stack: Stack, source: str, stream: str):
    stack.load(source, stream, days(1, 29))
    outcomes = stack.gate(source, stream)
    assert list(outcomes) == ["PASSED"]
    declared = load_source(source).contracts[stream]
    assert outcomes["PASSED"] >= 2 + sum(column.required for column in declared.stored)
    recorded = "select count(*), min(gate), min(dataset), min(run_id) from ops.gate_results"
    assert stack.rows(recorded) == [(outcomes["PASSED"], f"{stream}.gate", f"raw_{source}/{stream}", "test")]


def spoil(stack: Stack, statement: str) -> None:
    with stack.warehouse.connect("warehouse") as db:
        db.execute(statement)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("delete from raw_retail_db.transactions", "row_count|Row count"),
        ("update raw_retail_db.transactions set sales_value = -1 where week = 44", "sales_value: .*FAILED"),
        ("update raw_retail_db.transactions set household_id = '105' where week = 44", "household_id: .*FAILED"),
        ("insert into raw_retail_db.transactions select * from raw_retail_db.transactions limit 2", "key basket_id"),
        ("alter table raw_retail_db.transactions rename column week to weeks", "week"),
    ],
)
def test_a_stream_that_breaks_its_promise_is_stopped(stack: Stack, statement: str, reason: str):
    stack.load("retail_db", "transactions", days(1, 9))
    spoil(stack, statement)
    with pytest.raises(GateError, match=f"raw_retail_db/transactions is closed; (.|\n)*({reason})"):
        stack.gate("retail_db", "transactions")


def test_results_are_kept_when_the_gate_is_closed_too(stack: Stack):
    stack.load("retail_db", "transactions", days(1))
    spoil(stack, "update raw_retail_db.transactions set quantity = -1 where product_id = 2")
    with pytest.raises(GateError):
        stack.gate("retail_db", "transactions")
    found = stack.rows("select column_name, outcome, measured from ops.gate_results where outcome <> 'PASSED'")
    assert [(column, outcome) for column, outcome, _ in found] == [("quantity", "FAILED")]
    assert 1 in found[0][2].values()


def test_a_gate_on_a_table_that_was_never_loaded_is_closed(stack: Stack):
    with pytest.raises(GateError, match="raw_retail_db/transactions is closed"):
        stack.gate("retail_db", "transactions")


def test_a_gate_without_its_warehouse_is_closed(stack: Stack):
    stack.load("retail_db", "transactions", days(1))
    with stopped(stack.warehouse), pytest.raises(Exception, match=r"raw_retail_db/transactions|refused"):
        stack.gate("retail_db", "transactions")
    assert stack.gate("retail_db", "transactions")


# The operator on marts


@pytest.fixture
def mart(things: Stack, declarations: Callable[..., Path]) -> Callable[[str], Any]:
    """Give a gate on a domain of one mart, whose contract is made of these lines."""
    from datastack.contract.registry import include_dir
    from datastack.operators.gate import GateMartsOperator

    folder = include_dir() / "soda" / "retail"

    def gate(lines: str) -> GateMartsOperator:
        for file in folder.glob("*.yml"):
            file.unlink()
        (folder / "things.yml").write_text(f"dataset: {DATASET}\n{lines}")
        return GateMartsOperator(task_id="gate", domain="retail")

    return gate


def test_a_domains_marts_are_gated_together(things: Stack, mart: Callable[[str], Any]):
    gate = mart("columns: []\nchecks:\n  - row_count:\n")
    assert things.run(gate) == {"PASSED": 1}
    facet = gate.get_openlineage_facets_on_complete(None).inputs[0]
    assert (facet.namespace, facet.name) == (
        f"postgres://127.0.0.1:{things.warehouse.port}", "warehouse.build_retail.things",
    )  # fmt: skip
    [assertion] = facet.inputFacets["dataQualityAssertions"].assertions
    assert (assertion.assertion, assertion.success) == ("row_count", True)


def test_a_closed_gate_is_on_the_lineage_too(things: Stack, mart: Callable[[str], Any]):
    gate = mart("checks:\n  - row_count:\ncolumns:\n  - name: amount\n    checks:\n      - missing:\n")
    with pytest.raises(GateError, match=r"amount: .*FAILED"):
        things.run(gate)
    [dataset] = gate.get_openlineage_facets_on_failure(None).inputs
    assertions = dataset.inputFacets["dataQualityAssertions"].assertions
    assert sorted((one.column or "", one.success) for one in assertions) == [("", True), ("amount", False)]
    assert things.one("select count(*) from ops.gate_results where outcome = 'FAILED'") == 1


def test_a_domain_without_a_contract_is_not_let_through(things: Stack, mart: Callable[[str], Any]):
    from datastack.contract.registry import include_dir

    gate = mart("columns: []\nchecks:\n  - row_count:\n")
    (include_dir() / "soda" / "retail" / "things.yml").unlink()
    with pytest.raises(DeclarationError, match="holds no mart contract"):
        things.run(gate)
