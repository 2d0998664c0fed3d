"""Gates on real data by real Soda: they pass on good data only, and every way to check nothing closes them."""

import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.quality.gate import Warehouse, run_gate
from datastack.quality.outcomes import GateError, GateReport
from tests.integration.harness import Stack

DATASET = "warehouse/warehouse/build_retail/things"
TODAY = date(2019, 12, 1)
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
    return run_gate(content, Warehouse(**place | changes), TODAY)


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
