"""Rows that don't fit their contract are kept with the reason, counted, and tolerated as far as the contract says."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datastack.contract.conform import DriftError
from datastack.lake.manifest import ManifestError
from datastack.operators.stream import ToleranceError
from tests.integration.harness import TRANSACTIONS, Stack, days
from tests.integration.stub_api import StubApi

CONTRACT = "contracts/marketing_api/coupons.odcs.yaml"
GOOD = {"coupon_upc": 1, "product_id": 2, "campaign_id": 3}
BAD = [{**GOOD, "product_id": "two"}, {**GOOD, "campaign_id": None}, {"coupon_upc": 1, "product_id": 2}]
DISCARD = "  - property: drift\n    value: discard"


def tolerate(declarations: Callable[..., Path], contract: str, rows: int, share: float) -> None:
    """Let so many rows of a contract go to quarantine."""
    quarantine = f"  - property: quarantine\n    value: {{rows: {rows}, share: {share}}}"
    declarations(contract, DISCARD, f"{DISCARD}\n{quarantine}")


def rejected(stack: Stack) -> list[dict[str, Any]]:
    """Rows in the lake's quarantine zone."""
    bodies = [stack.get(key) for key in stack.objects("quarantine/")]
    return [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]


def test_rows_that_do_not_fit_are_kept_with_reason_and_counted(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path]
):
    tolerate(declarations, CONTRACT, rows=5, share=0.5)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    assert stack.load("marketing_api", "coupons", days(1))["rows"] == 7
    assert [(row["reason"], json.loads(row["row"])) for row in rejected(stack)] == [
        ("product_id: 'two' is not of type bigint", BAD[0]),
        ("campaign_id: required, but null", BAD[1]),
        ("campaign_id: required, but missing", BAD[2]),
    ]
    [load] = stack.loads("coupons")
    counts = ("source_rows", "lake_rows", "loaded_rows", "quarantined_rows")
    assert [load[count] for count in counts] == [10, 7, 7, 3]
    [key] = stack.objects("quarantine/")
    reasons = {
        "product_id: 'two' is not of type bigint": 1,
        "campaign_id: required, but null": 1,
        "campaign_id: required, but missing": 1,
    }
    indexed = stack.rows("select load_id, part_key, rows, reasons, replayed_at from ops.quarantine")
    assert indexed == [(load["load_id"], key, 3, reasons, None)]


def test_a_retried_copy_does_not_index_its_quarantine_twice(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path]
):
    tolerate(declarations, CONTRACT, rows=5, share=0.5)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    key = stack.prepare("marketing_api", "coupons", days(1))
    stack.copy("marketing_api", "coupons", key)
    assert stack.copy("marketing_api", "coupons", key)["status"] == "already loaded"
    assert stack.one("select count(*) from ops.quarantine") == 1


@pytest.mark.parametrize(("rows", "share"), [(0, 0.0), (2, 1.0), (100, 0.2)])
def test_more_than_is_tolerated_fails_and_names_file_count_and_place(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path], rows: int, share: float
):
    tolerate(declarations, CONTRACT, rows, share)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    landed = stack.extract("marketing_api", "coupons", days(1))
    before = stack.state()
    with pytest.raises(ToleranceError) as failure:
        stack.conform("coupons", landed)
    [key] = stack.objects("quarantine/")
    for part in ("marketing_api.coupons", "3 of 10 rows", "coupons.odcs.yaml", f"s3://landing/{key}", "'two'"):
        assert part in str(failure.value)
    assert stack.manifests("conformed/") == []
    assert stack.state() == before
    assert str(failure.value).endswith("or raise its tolerance, and clear this task")


def test_rows_of_a_database_that_do_not_fit_are_kept_too(stack: Stack, declarations: Callable[..., Path]):
    tolerate(declarations, "contracts/retail_db/products.odcs.yaml", rows=5, share=0.5)
    stack.shop("update products set department = null where product_id in (3, 4)")
    assert stack.load("retail_db", "products", days(1))["rows"] == 38
    assert [row["reason"] for row in rejected(stack)] == ["department: required, but null"] * 2
    assert sorted(json.loads(row["row"])["product_id"] for row in rejected(stack)) == [3, 4]


def test_a_database_beyond_tolerance_loads_nothing(stack: Stack):
    stack.load("retail_db", "products", days(1))
    before = stack.state()
    stack.shop("update products set department = null where product_id = 3")
    with pytest.raises(ToleranceError, match=r"retail_db\.products .*1 of 40 rows don't fit products\.odcs\.yaml"):
        stack.prepare("retail_db", "products", days(2))
    assert stack.state() == before


@pytest.fixture
def wider(stack: Stack) -> Any:
    """Give the shop's purchases a column that their contract does not know."""
    stack.shop("alter table transactions add column till integer default 7")
    yield stack
    stack.shop("alter table transactions drop column till")


def test_an_unknown_column_is_discarded_and_counted(wider: Stack):
    key = wider.prepare("retail_db", "transactions", days(1))
    manifest = json.loads(wider.get(key))
    assert manifest["discarded"] == {"till": 20}
    wider.copy("retail_db", "transactions", key)
    assert len(wider.table(TRANSACTIONS)[0]) == 11


def test_an_unknown_column_stops_a_frozen_stream(wider: Stack, declarations: Callable[..., Path]):
    declarations("contracts/retail_db/transactions.odcs.yaml", DISCARD, DISCARD.replace("discard", "freeze"))
    with pytest.raises(DriftError, match=r"transactions\.till: not in transactions\.odcs\.yaml, which is frozen"):
        wider.prepare("retail_db", "transactions", days(1))
    assert wider.manifests() == []


@pytest.mark.parametrize("drift", ["discard", "freeze"])
def test_an_unknown_field_is_discarded_or_stops_the_stream(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path], drift: str
):
    declarations(CONTRACT, DISCARD, DISCARD.replace("discard", drift))
    stub_api.records["/coupons"] = [GOOD, GOOD | {"colour": "red"}]
    landed = stack.extract("marketing_api", "coupons", days(1))
    if drift == "discard":
        assert stack.copy("marketing_api", "coupons", stack.conform("coupons", landed))["rows"] == 2
        return
    with pytest.raises(DriftError, match=r"coupons\.colour: not in coupons\.odcs\.yaml, which is frozen"):
        stack.conform("coupons", landed)
    assert stack.manifests("conformed/") == []


def test_a_quarantined_part_that_is_lost_stops_the_copy(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path]
):
    tolerate(declarations, CONTRACT, rows=5, share=0.5)
    stub_api.records["/coupons"] = [GOOD] * 7 + BAD
    key = stack.prepare("marketing_api", "coupons", days(1))
    [part] = stack.objects("quarantine/")
    stack.delete(part)
    with pytest.raises(ManifestError, match=f"s3://landing/{part} is not there"):
        stack.copy("marketing_api", "coupons", key)
    assert stack.loads("coupons") == []
