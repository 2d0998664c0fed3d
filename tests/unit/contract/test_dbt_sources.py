"""What dbt's source files say of freshness follows from the contracts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from datastack.contract.dbt_sources import sources_yaml
from datastack.contract.registry import load_source

ODCS = "contracts/retail_db/transactions.odcs.yaml"


def config(stream: str = "transactions") -> dict[str, object]:
    [source] = yaml.safe_load(sources_yaml("retail_db"))["sources"]
    return {table["name"]: table.get("config") for table in source["tables"]}[stream]


@pytest.mark.parametrize(
    ("value", "unit", "warn", "error"),
    [
        (1, "d", {"count": 1, "period": "day"}, {"count": 2, "period": "day"}),
        (36, "h", {"count": 36, "period": "hour"}, {"count": 3, "period": "day"}),
        (90, "min", {"count": 90, "period": "minute"}, {"count": 3, "period": "hour"}),
    ],
)
def test_late_warns_and_twice_as_late_fails(declarations: Callable[..., Path], value: int, unit: str, warn, error):
    file = declarations(ODCS, "slaProperties:", "slaProperties:")
    content = yaml.safe_load(file.read_text())
    content["slaProperties"][0] |= {"value": value, "unit": unit}
    file.write_text(yaml.safe_dump(content))
    assert config()["freshness"] == {"warn_after": warn, "error_after": error}
    assert "from ops.loads where source = 'retail_db' and stream = 'transactions'" in config()["loaded_at_query"]


def test_no_promise_no_freshness(declarations: Callable[..., Path]):
    assert load_source("retail_db").contracts["products"].freshness is None
    assert config("products") is None
