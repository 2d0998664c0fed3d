"""Soda contracts that follow from data contracts."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.model import Contract
from datastack.contract.promises import check_ids
from datastack.contract.registry import load_source, source_names
from datastack.quality.derive import NewSlice, Scope, digest, soda_contract
from datastack.quality.outcomes import CheckResult, judged
from datastack.quality.soda_contract import check_paths, lint

DATASET = "warehouse/warehouse/raw_retail_db/transactions"
FILE = "contracts/retail_db/transactions.odcs.yaml"
DAY = date(2026, 1, 2)
WAIVER = """customProperties:
  - property: waivers
    value:
      - {check: "range:week", reason: leap week, link: "https://example.com/7", expires: 2026-01-02}
"""


def transactions() -> Contract:
    """Contract of transactions as it is declared now."""
    load_source.cache_clear()
    return load_source("retail_db").contracts["transactions"]


def new_slice(slices: int, median: float | None) -> NewSlice:
    return NewSlice(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), (7, 8), slices, median)


def check(content: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """Body of the check on the table whose name begins so."""
    [found] = [each[kind] for each in content["checks"] if kind in each and each[kind]["name"].startswith(name)]
    return found


def test_every_contract_gives_one_that_soda_accepts_with_the_checks_that_waivers_may_name():
    for source in source_names():
        for stream, contract in load_source(source).contracts.items():
            slices = (new_slice(4, 10.0),)
            for scope in (Scope(slices=slices), Scope(3, 9, 5, slices=slices)):
                derived = soda_contract(contract, f"a/b/raw_{source}/{stream}", scope)
                lint(contract.file, derived.content)
                assert sorted(derived.notes) == sorted(check_paths(derived.content))
                found = {path.split("checks.")[1].split(".", 1)[1].split(" ")[0] for path in derived.notes}
                assert found == set(check_ids(contract)), stream


def test_the_reference_names_every_kind_of_check():
    text = (Path(__file__).parents[3] / "docs" / "reference" / "gates.md").read_text()
    named = re.findall(r"^\| `([a-z_]+)(?::<column>)?` \|", text, re.MULTILINE)
    found = {check.split(":")[0] for name in source_names() for each in load_source(name).contracts.values()
             for check in check_ids(each)}  # fmt: skip
    assert set(named) == found


def test_rows_of_new_loads_are_looked_at():
    content = soda_contract(transactions(), DATASET, Scope(3, 9, 5)).content
    assert content["filter"] == "_load_id > 3 and _load_id <= 9"
    assert check(content, "row_count", "row_count")["threshold"] == {"must_be_greater_than": 0}
    assert "where _load_id > 3 and _load_id <= 9" in check(content, "failed_rows", "key")["query"]


def test_a_table_that_is_looked_at_whole_has_no_filter():
    content = soda_contract(transactions(), DATASET).content
    assert "filter" not in content
    assert "_load_id" not in str(content)


def test_without_rows_to_check_only_the_table_is_looked_at():
    content = soda_contract(transactions(), DATASET, Scope(3, 9, 0)).content
    assert check(content, "row_count", "row_count")["threshold"] == {"must_be": 0}
    kinds = [kind for each in content["checks"] for kind in each]
    assert kinds == ["schema", "row_count", "metric", "metric"]
    assert not any("checks" in column for column in content["columns"])


def test_a_history_has_its_key_once_among_current_rows():
    content = soda_contract(transactions(), DATASET, versions=True).content
    assert "where _is_current" in check(content, "failed_rows", "key")["query"]


@pytest.mark.parametrize(
    ("slices", "median", "threshold"),
    [
        (4, 200.0, {"must_be_between": {"greater_than_or_equal": 80, "less_than_or_equal": 500}, "level": "warn"}),
        (3, 200.0, {"must_be_greater_than_or_equal": 0}),
        (9, 0.0, {"must_be_greater_than_or_equal": 0}),
        (0, None, {"must_be_greater_than_or_equal": 0}),
    ],
)
def test_a_band_is_of_the_median_of_enough_slices(slices: int, median: float | None, threshold: dict[str, Any]):
    derived = soda_contract(transactions(), DATASET, Scope(slices=(new_slice(slices, median),)))
    found = check(derived.content, "metric", "row_count_band of 2026-01-01 00:00Z to 2026-01-02 00:00Z")
    assert found["threshold"] == threshold
    assert "load_id in (7, 8)" in found["query"]
    detail = derived.notes[f"checks.metric.{found['name']}"].detail
    assert (detail is None) == ("must_be_between" in threshold)


def test_freshness_is_measured_from_the_end_of_the_newest_slice():
    content = soda_contract(transactions(), DATASET, Scope(loaded_until=datetime(2026, 1, 2, tzinfo=UTC))).content
    found = check(content, "metric", "freshness")
    assert "timestamptz '2026-01-02T00:00:00+00:00' - max(\"transaction_at\")" in found["query"]
    assert found["threshold"] == {"must_be_less_than_or_equal": 48}


def test_a_digest_changes_with_what_is_checked_and_not_with_words(declarations: Callable[..., Path]):
    first = digest(transactions(), DAY)
    declarations(FILE, "description: Where it was bought", "description: The store")
    declarations(FILE, "version: 1.0.0", "version: 1.0.1")
    assert digest(transactions(), DAY) == first
    declarations(FILE, "maximum: 53", "maximum: 54")
    assert digest(transactions(), DAY) != first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value: 2\n    unit: d", "value: 3\n    unit: d"),
        ("[40, 250]", "[40, 251]"),
        ("products.product_id", "transactions.product_id"),
        ("customProperties:\n", WAIVER),
    ],
)
def test_a_digest_changes_with_every_promise(declarations: Callable[..., Path], old: str, new: str):
    first = digest(transactions(), DAY)
    declarations(FILE, old, new)
    assert digest(transactions(), DAY) != first


def test_a_digest_changes_when_a_waiver_expires(declarations: Callable[..., Path]):
    declarations(FILE, "customProperties:\n", WAIVER)
    assert digest(transactions(), DAY) == digest(transactions(), date(2025, 1, 1))
    assert digest(transactions(), DAY) != digest(transactions(), date(2026, 1, 3))


@pytest.mark.parametrize(
    ("outcome", "day", "becomes", "says"),
    [
        ("FAILED", 1, "WAIVED", "waived: leap week"),
        ("FAILED", 2, "WAIVED", "waived: leap week"),
        ("FAILED", 3, "FAILED", "has expired"),
        ("PASSED", 1, "PASSED", "no longer needed"),
        ("WARN", 1, "WARN", None),
        ("NOT_EVALUATED", 1, "NOT_EVALUATED", None),
        ("EXCLUDED", 1, "EXCLUDED", None),
    ],
)
def test_a_waiver_lets_pass_what_failed_until_its_last_day(
    declarations: Callable[..., Path], outcome: str, day: int, becomes: str, says: str | None
):
    declarations(FILE, "customProperties:\n", WAIVER)
    [waiver] = transactions().waivers
    result = judged(CheckResult("range:week", "invalid", "week", outcome, waiver=waiver), date(2026, 1, day))
    assert result.outcome == becomes
    assert (says in str(result.detail)) if says else result.detail is None
