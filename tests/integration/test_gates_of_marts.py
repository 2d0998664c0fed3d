"""Gates on built marts: hand-written contracts, waivers beside them, samples, results by plan."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir
from datastack.operators.gate import GateMartsOperator
from datastack.quality.outcomes import GateError
from tests.dbt_manifest import model, write_manifest
from tests.integration.harness import Stack

DATASET = "warehouse/warehouse/build_retail/things"
AMOUNT = "checks:\n  - row_count:\ncolumns:\n  - name: amount\n    checks:\n      - missing:\n"
SOON = datetime.now(UTC).date() + timedelta(days=90)
WAIVER = """waivers:
  - mart: things
    check: columns.amount.checks.missing
    reason: prices come tomorrow
    link: https://example.com/8
    expires: {}
"""


def waive(text: str) -> Path:
    """Write the domain's waivers."""
    file = include_dir() / "waivers" / "retail.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def things(stack: Stack) -> Stack:
    """Three good rows in build_retail.things."""
    with stack.warehouse.connect("warehouse", "transformer", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"]) as db:
        db.execute("create table build_retail.things (thing_id bigint, name text, amount numeric(10, 2))")
        db.execute("insert into build_retail.things values (1, 'a', 10), (2, 'b', 20), (3, 'c', null)")
    return stack


@pytest.fixture
def mart(things: Stack, declarations: Callable[..., Path]) -> Callable[[str], Any]:
    """Give a gate on a domain of one mart, whose contract is made of these lines."""
    folder = include_dir() / "soda" / "retail"

    def gate(lines: str) -> GateMartsOperator:
        for file in folder.glob("*.yml"):
            file.unlink()
        (folder / "things.yml").write_text(f"dataset: {DATASET}\n{lines}")
        write_manifest(model("things"))
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

    gate = mart("columns: []\nchecks:\n  - row_count:\n")
    (include_dir() / "soda" / "retail" / "things.yml").unlink()
    with pytest.raises(DeclarationError, match="holds no mart contract"):
        things.run(gate)


def test_a_mart_without_a_contract_closes_the_gate(things: Stack, mart: Callable[[str], Any]):
    gate = mart("columns: []\nchecks:\n  - row_count:\n")
    write_manifest(model("things"), model("anythings"))
    with pytest.raises(DeclarationError, match=r"soda/retail: .*holds no contract of anythings"):
        things.run(gate)


def test_a_waived_check_of_a_mart_lets_pass(
    things: Stack, mart: Callable[[str], Any], caplog: pytest.LogCaptureFixture
):
    gate = mart(AMOUNT)
    waive(WAIVER.format(SOON))
    assert things.run(gate) == {"PASSED": 1, "WAIVED": 1}
    assert "amount: " in caplog.text
    assert f"waived: prices come tomorrow (https://example.com/8), until {SOON}" in caplog.text
    waive(WAIVER.format("2020-01-31"))
    with pytest.raises(GateError, match="its waiver has expired: prices come tomorrow"):
        things.run(gate)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mart: things", "mart: thongs", "waivers.0.mart: 'thongs' has no contract. Use one of things."),
        ("checks.missing", "checks.mising", "that may be waived. Use one of columns.amount.checks.missing."),
        ("columns.amount.checks.missing", "checks.row_count", "'checks.row_count' is no check that may be waived"),
        ("columns.amount.checks.missing", "checks.schema", "'checks.schema' is no check that may be waived"),
        (str(SOON), "2999-12-31", "waivers.0.expires: 2999-12-31 is more than 180 days from today"),
        ("https://example.com/8", "TICKET-8", "waivers.0.link: String should match pattern"),
        ("reason: prices come tomorrow", "because: of this", "waivers.0.reason: Field required"),
        (str(SOON), "soon", "waivers.0.expires: Input should be a valid date"),
    ],
)
def test_a_waiver_that_waives_nothing_is_refused(
    things: Stack, mart: Callable[[str], Any], old: str, new: str, says: str
):
    gate = mart(AMOUNT.replace("row_count:\n", "row_count:\n  - schema:\n"))
    file = waive(WAIVER.format(SOON).replace(old, new))
    with pytest.raises(DeclarationError) as failure:
        things.run(gate)
    assert str(failure.value).startswith(f"{file}: ")
    assert says in str(failure.value)


KINDS = {
    "missing": ("name: amount\n    checks:\n      - missing:\n", [3]),
    "invalid": ("name: amount\n    checks:\n      - invalid: {valid_max: 15}\n", [2]),
    "reference": (
        "name: name\n    checks:\n      - invalid:\n          valid_reference_data:\n"
        "            dataset: warehouse/warehouse/build_retail/names\n            column: name\n",
        [2, 3],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_each_kind_of_check_are_sampled(
    things: Stack, mart: Callable[[str], Any], kind: str, monkeypatch: pytest.MonkeyPatch
):
    with things.warehouse.connect("warehouse", "transformer", things.servers.secrets["PG_TRANSFORMER_PASSWORD"]) as db:
        db.execute("create table build_retail.names as select 'a' as name")
    monkeypatch.setattr(GateMartsOperator, "_readable", lambda self, mart: ["thing_id"])
    column, ids = KINDS[kind]
    with pytest.raises(GateError):
        things.run(mart(f"checks:\n  - row_count:\ncolumns:\n  - {column}"))
    rows = things.one("select rows from ops.gate_samples")
    assert sorted(row["thing_id"] for row in rows) == ids
    assert {row["name"] for row in rows} == {"***"}


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("failed_rows: {expression: thing_id > 2}", [{"thing_id": 3, "name": "***", "amount": None}]),
        ("failed_rows: {query: 'select thing_id, name as other from build_retail.things where thing_id = 1;'}",
         [{"thing_id": 1, "other": "***"}]),
        ("duplicate: {columns: [thing_id]}", [{"thing_id": 1, "rows": 2}]),
    ],
)  # fmt: skip
def test_rows_of_each_kind_of_check_on_the_mart_are_sampled(
    things: Stack, mart: Callable[[str], Any], check: str, found: list[Any], monkeypatch: pytest.MonkeyPatch
):
    if check.startswith("duplicate"):
        with things.warehouse.connect("warehouse") as db:
            db.execute("insert into build_retail.things values (1, 'd', 1)")
    monkeypatch.setattr(GateMartsOperator, "_readable", lambda self, mart: ["thing_id"])
    with pytest.raises(GateError):
        things.run(mart(f"columns: []\nchecks:\n  - row_count:\n  - {check}\n"))
    assert things.one("select rows from ops.gate_samples") == found


def test_a_sample_of_a_mart_that_dbt_does_not_know_shows_nothing(things: Stack, mart: Callable[[str], Any]):
    gate = mart(AMOUNT)
    write_manifest()
    with pytest.raises(GateError, match=r"amount: .*FAILED"):
        things.run(gate)
    found = things.rows("select rows from ops.gate_samples")
    assert found == [([{"thing_id": "***", "name": "***", "amount": None}],)]


def test_all_marts_are_looked_at_before_the_gate_is_closed(things: Stack, mart: Callable[[str], Any]):
    gate = mart(AMOUNT)
    other = include_dir() / "soda" / "retail" / "anythings.yml"
    other.write_text(f"dataset: {DATASET.replace('things', 'anythings')}\ncolumns: []\nchecks:\n  - row_count:\n")
    with pytest.raises(GateError, match=r"anythings is closed(.|\n)*does not exist(.|\n)*/things is closed"):
        things.run(gate)
    assert things.rows("select distinct dataset from ops.gate_results order by 1") == [
        ("build_retail/anythings",), ("build_retail/things",),
    ]  # fmt: skip


def test_results_name_the_loads_that_were_planned(things: Stack, mart: Callable[[str], Any]):
    things.load("retail_db", "products", ("2019-11-01T00:00:00Z", "2019-11-02T00:00:00Z"))
    with things.warehouse.connect("warehouse") as db:
        plan = "insert into ops.plans (domain, dag_id, run_id, try_number, whole, reason) values "
        db.execute(f"{plan} ('retail', 'd', 'r', 1, true, 'first')")
        db.execute("insert into ops.plan_loads values ('retail', 1)")
    things.run(mart("columns: []\nchecks:\n  - row_count:\n"))
    assert things.one("select load_ids from ops.gate_results") == [1]
