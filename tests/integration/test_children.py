"""A child endpoint is asked for once for each landed record of its parent, and its rows carry the parent's keys."""

from collections.abc import Callable
from pathlib import Path

import pytest

from datastack.operators.extract_api import ExtractApiOperator
from datastack.source.errors import SourceError
from tests.integration.harness import Stack, days
from tests.integration.stub_api import StubApi

SOURCE, CONTRACT = "sources/marketing_api.yml", "contracts/marketing_api/coupons.odcs.yaml"
CHILD = """    path: /campaigns/{campaign}/coupons
    parent: {stream: campaigns, fields: {campaign: campaign_id}}
"""


def campaign(number: int) -> dict[str, object]:
    period = {"start_date": "2019-11-01", "end_date": "2019-11-30"}
    return {"campaign_id": number, "campaign_type": "Type A", "period": period, "households": [{"household_id": 1}]}


@pytest.fixture
def family(stub_api: StubApi, declarations: Callable[..., Path]) -> StubApi:
    """Two campaigns, with coupons that don't say whose they are."""
    declarations(SOURCE, "    path: /coupons\n", CHILD)
    where = "        description: The campaign that issued it\n"
    path = "        customProperties:\n          - property: path\n            value: ^.campaign\n"
    declarations(CONTRACT, where, where + path)
    stub_api.records = {
        "/campaigns": [campaign(8), campaign(9), campaign(10)],
        "/campaigns/8/coupons": [{"coupon_upc": upc, "product_id": 1} for upc in (1, 2)],
        "/campaigns/9/coupons": [{"coupon_upc": 3, "product_id": 1}],
    }
    return stub_api


def extract(stack: Stack, parent: str | None) -> str:
    names = {"source": "marketing_api", "stream": "coupons"}
    operator = ExtractApiOperator(task_id="coupons.extract", parent_manifest_key=parent, **names)
    key: str = stack.run(operator, days(1))
    return key


def test_children_reach_the_warehouse_with_their_parents_keys(stack: Stack, family: StubApi):
    parent = stack.extract("marketing_api", "campaigns", days(1))
    key = stack.conform("coupons", extract(stack, parent))
    assert stack.copy("marketing_api", "coupons", key)["rows"] == 3
    rows = stack.rows("select campaign_id, coupon_upc from raw_marketing_api.coupons order by 1, 2")
    assert rows == [(8, 1), (8, 2), (9, 3)]


def test_a_child_table_and_its_parent_come_from_one_landing(stack: Stack, family: StubApi):
    landed = stack.extract("marketing_api", "campaigns", days(1))
    key = stack.conform("campaign_households", landed)
    assert stack.copy("marketing_api", "campaign_households", key)["rows"] == 3
    assert len(stack.manifests("landing/")) == 1


def test_an_error_names_stream_slice_and_request(stack: Stack, family: StubApi):
    family.records["/campaigns"].append(campaign(11) | {"campaign_id": ".."})
    parent = stack.extract("marketing_api", "campaigns", days(1))
    with pytest.raises(SourceError) as caught:
        extract(stack, parent)
    for part in ("marketing_api.coupons [2019-11-01", "the parent's campaign is '..'", "Nothing was loaded"):
        assert part in str(caught.value)


def test_lineage_has_endpoint_and_parent(stack: Stack, family: StubApi):
    operator = ExtractApiOperator(task_id="coupons.extract", source="marketing_api", stream="coupons")
    inputs, [output] = operator.lineage()
    assert [(each.namespace, each.name) for each in inputs] == [
        (family.url, "/campaigns/{campaign}/coupons"),
        (output.namespace, "landing/marketing_api/campaigns/v1"),
    ]
