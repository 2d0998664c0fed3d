"""What a contract promises of its rows as a whole: read from ODCS's own fields, and refused where nothing checks it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.model import Band, Level, Reference, Rule, Waiver
from datastack.contract.promises import check_ids
from datastack.contract.registry import load_source

FILE = "contracts/retail_db/transactions.odcs.yaml"
REFERENCE = "          - to: products.product_id\n"
LAST = datetime.now(UTC).date() + timedelta(days=180)
WAIVER = f"""  - property: waivers
    value:
      - {{check: key, reason: till 7 is broken, link: "https://example.com/7", expires: {LAST}}}
"""
DRIFT = "customProperties:\n  - property: drift\n"
WEEK = "        logicalTypeOptions: {minimum: 1, maximum: 53}\n"
DISC = "        description: US dollars off by the shop's loyalty card\n"


def test_promises_are_read(declarations: Callable[..., Path]):
    declarations(FILE, DRIFT, f"customProperties:\n{WAIVER}  - property: drift\n")
    rule = "{metric: invalidValues, mustBeLessOrEqualTo: 2, unit: percent, severity: warning}"
    declarations(FILE, WEEK, f"{WEEK}        quality: [{rule}]\n")
    contract = load_source("retail_db").contracts["transactions"]
    columns = {column.name: column for column in contract.columns}
    assert (contract.freshness, contract.freshness_column) == (timedelta(days=2), "transaction_at")
    assert contract.band == Band(low=40, high=250, weeks=4, level=Level.WARN)
    assert columns["product_id"].references == (
        Reference(source="retail_db", stream="products", column="product_id", level=Level.WARN),
    )
    assert columns["week"].invalid == Rule(at_most=2, unit="percent", level=Level.WARN)
    told = Waiver(check="key", reason="till 7 is broken", link="https://example.com/7", expires=LAST)
    assert contract.waivers == (told,)


def test_a_reference_may_lead_to_another_source():
    [product, campaign] = [
        reference
        for column in load_source("marketing_api").contracts["coupons"].columns
        for reference in column.references
    ]
    assert (str(product), product.level) == ("retail_db.products.product_id", Level.WARN)
    assert (str(campaign), campaign.level) == ("marketing_api.campaigns.campaign_id", Level.FAIL)


def test_a_missing_value_may_be_tolerated(declarations: Callable[..., Path]):
    rule = "        quality: [{metric: nullValues, mustBeLessOrEqualTo: 5}]\n"
    name = "contracts/retail_db/products.odcs.yaml"
    declarations(name, "        description: Type within the category\n", f"        description: Type\n{rule}")
    contract = load_source("retail_db").contracts["products"]
    assert "missing:product_type" in check_ids(contract)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (REFERENCE, "          - to: product_id.\n", ["Follow the Open Data Contract Standard v3"]),
        (REFERENCE, "          - to: a.b.c.d\n", ["product_id.relationships.0.to", "Write stream.column"]),
        (REFERENCE, "          - to: goods.product_id\n", ["relationships.0.to", "retail_db has no stream 'goods'"]),
        (REFERENCE, "          - to: shop.goods.id\n", ["relationships.0.to", "shop has no stream 'goods'"]),
        (REFERENCE, "          - to: products.id\n", ["products.odcs.yaml stores no 'id'", "Name one of product_id"]),
        (REFERENCE, "          - to: products.brand\n", ["products.brand is text, product_id is bigint"]),
        ("          - to: households.household_id\n", "          - to: products.brand\n",
         ["household_id and retail_db.products.brand are not stored alike", "Hash both, or none"]),
        ("                value: warning\n", "                value: mild\n",
         ["relationships.0.severity: is 'mild'", "Write error or warning"]),
        ("              - property: severity\n", "              - property: mood\n", ["only one known is severity"]),
        ("    unit: d\n", "    unit: fortnight\n", ["slaProperties.freshness: is 2 'fortnight'", "one of d, h, min"]),
        ("property: freshness", "property: latency", ["slaProperties: declares latency"]),
        ("element: transactions.transaction_at", "element: transactions.week", ["freshness.element: is 'transactions"]),
        ("mustBeBetween: [40, 250]", "mustBeBetween: [120, 250]", ["schema.quality.1", "does not hold the median"]),
        ("unit: percent", "unit: rows", ["schema.quality.1: does not say percent of what", "trailingWeeks"]),
        ("trailingWeeks: 4", "trailingWeeks: 0", ["schema.quality.1.weeks", "greater than or equal to 1"]),
        ("      - metric: rowCount\n        mustBeBetween", "      - metric: duplicateValues\n        mustBeBetween",
         ["schema.quality.1: nothing checks duplicateValues mustBeBetween"]),
        ("mustBeGreaterOrEqualTo: 1\n", "mustBeGreaterOrEqualTo: 1\n        severity: warning\n",
         ["schema.quality.0: the least number of rows is no warning"]),
        (DISC, DISC + "        quality: [{metric: nullValues, mustBe: 0}]\n", ["required, so no value is missing"]),
        (DISC, DISC + "        quality: [{metric: invalidValues, mustBe: 3}]\n", ["nothing checks invalidValues"]),
        ("      - metric: rowCount\n        mustBeGreaterOrEqualTo: 1\n", "",
         ["schema.quality: no rowCount rule", "passes on nothing"]),
        ("        description: Where it was bought\n",
         "        description: Where\n        quality: [{metric: invalidValues, mustBe: 0}]\n",
         ["store_id.quality.0: nothing says which values are valid", "Add enum"]),
        (DISC, DISC + "        quality: [{metric: invalidValues, mustBeLessOrEqualTo: 3, unit: dozens}]\n",
         ["retail_disc.quality.0.unit", "'rows' or 'percent'"]),
        (WAIVER, WAIVER.replace("check: key", "check: keys"),
         ["waivers.0.check: 'keys' is no check that may be waived. Use one of row_count_band, freshness, key"]),
        *((WAIVER, WAIVER.replace("check: key", f"check: {firm}"), [f"waivers.0.check: '{firm}' is no check that may"])
          for firm in ("schema", "row_count", "minimum_rows")),
        (WAIVER, WAIVER.replace(str(LAST), str(LAST + timedelta(days=2))),  # midnight may pass meanwhile
         [f"waivers.0.expires: {LAST + timedelta(days=2)} is more than 180 days from today", "or sooner"]),
        (WAIVER, WAIVER + WAIVER.splitlines()[2] + "\n", ["waivers.1.check: 'key' is waived twice"]),
        (WAIVER, WAIVER.replace("https://example.com/7", "TICKET-7"), ["waivers.0.link", "pattern"]),
        (WAIVER, WAIVER.replace(str(LAST), "2031-02-31"), ["not valid YAML: day is out of range for month"]),
        (WAIVER, WAIVER.replace("reason: till 7 is broken, ", ""), ["waivers.0.reason: Field required"]),
    ],
)  # fmt: skip
def test_a_promise_that_nothing_can_check_is_refused(
    declarations: Callable[..., Path], old: str, new: str, says: list[str]
):
    if old == WAIVER:
        declarations(FILE, DRIFT, f"customProperties:\n{WAIVER}  - property: drift\n")
    file = declarations(FILE, old, new)
    with pytest.raises(DeclarationError) as failure:
        load_source("retail_db")
    assert str(failure.value).startswith(f"{file}: ")
    for text in says:
        assert text in str(failure.value)


def test_streams_may_refer_to_each_other(declarations: Callable[..., Path]):
    name = "contracts/retail_db/products.odcs.yaml"
    more = "        description: The shop's product number\n"
    declarations(
        name, more, f"{more}        relationships: [{{to: transactions.product_id}}, {{to: products.product_id}}]\n"
    )
    assert load_source("retail_db").contracts["products"].columns[0].references
