"""What was landed is conformed: again at any time, for several slices at once, and for the child tables in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.registry import load_source
from datastack.operators.conform import ConformError, ConformOperator
from datastack.operators.stream import ToleranceError
from tests.integration.harness import ROOT, Stack, days
from tests.integration.stub_api import StubApi

COUPONS = "contracts/marketing_api/coupons.odcs.yaml"
PERIOD = {"start_date": "2019-11-01", "end_date": "2019-11-30"}


def coupon(number: int) -> dict[str, Any]:
    return {"coupon_upc": number, "product_id": 2, "campaign_id": 3}


def manifest(stack: Stack, key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(stack.get(key))
    return content


def test_several_landings_are_conformed_in_order(stack: Stack, stub_api: StubApi):
    landed = []
    for day in (1, 2):
        stub_api.records["/coupons"] = [coupon(number) for number in range(day)]
        landed.append(stack.extract("marketing_api", "coupons", days(day)))
    names = {"source": "marketing_api", "stream": "coupons"}
    keys = stack.run(ConformOperator(task_id="conform", manifest_key=landed, **names))
    found = [manifest(stack, key) for key in keys]
    assert [each["source_rows"] for each in found] == [1, 2]
    assert [each["landing"] for each in found] == landed
    assert stack.run(ConformOperator(task_id="conform", manifest_key=[], **names)) == []


def test_a_landing_is_conformed_again_with_a_new_version_of_the_contract(
    stack: Stack, stub_api: StubApi, declarations: Callable[..., Path]
):
    stub_api.records["/coupons"] = [coupon(1) | {"product_id": "two"}]
    landed = stack.extract("marketing_api", "coupons", days(1))
    with pytest.raises(ToleranceError, match=r"product_id: 'two' is not of type bigint \(1 rows\)"):
        stack.conform("coupons", landed)
    contract = (ROOT / "include" / COUPONS).read_text()
    product = contract[contract.index("      - name: product_id") : contract.index("      - name: campaign_id")]
    text = product.replace("integer", "string").replace("bigint", "text")
    declarations(COUPONS, product, text[: text.index("        relationships:")])  # the catalogue has numbers
    load_source.cache_clear()
    first, second = (manifest(stack, stack.conform("coupons", landed)) for _ in range(2))
    assert first["columns"]["product_id"] == "text"
    assert first["landing"] == second["landing"] == landed
    assert first["attempt"] != second["attempt"]


def test_records_that_are_not_found_again_stop_the_task(stack: Stack, stub_api: StubApi):
    stub_api.records["/coupons"] = [coupon(1)]
    landed = stack.extract("marketing_api", "coupons", days(1))
    content = manifest(stack, landed)
    content["source_rows"] = content["parts"][0]["rows"] = 2
    stack.put(landed, json.dumps(content).encode())
    with pytest.raises(
        ConformError, match=r"marketing_api\.coupons .*: 2 records were landed, but 1 were found in landing/"
    ):
        stack.conform("coupons", landed)
    assert stack.manifests("conformed/") == []


def test_a_child_table_is_conformed_from_its_parents_landing(stack: Stack, stub_api: StubApi):
    stub_api.records["/campaigns"] = [
        {"campaign_id": 8, "campaign_type": "Type A", "period": PERIOD,
         "households": [{"household_id": 5}, {"household_id": 6}]},
        {"campaign_id": 9, "campaign_type": "Type B", "period": PERIOD, "households": []},
    ]  # fmt: skip
    landed = stack.extract("marketing_api", "campaigns", days(1))
    key = stack.conform("campaign_households", landed)
    assert manifest(stack, key)["landing"] == landed
    stack.copy("marketing_api", "campaign_households", key)
    assert stack.table("raw_marketing_api.campaign_households") == sorted(
        (8, stack.pseudonym(household)) for household in (5, 6)
    )
