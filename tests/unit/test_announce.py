"""Streams that were loaded are told to whoever is scheduled on them."""

from typing import Any

import pytest
from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from datastack.operators.announce import AnnounceOperator
from datastack.pipelines.assets import raw_asset

COUPONS = {"source": "marketing_api", "stream": "coupons", "rows": 3}
PRODUCTS = {"source": "retail_db", "stream": "products"}


def announced(streams: Any) -> list[str]:
    """Addresses of the assets that are updated."""
    events = OutletEventAccessors()
    AnnounceOperator(task_id="announce", streams=streams, asset=raw_asset).execute({"outlet_events": events})
    return [event.dest_asset_key.uri for event in events[AssetAlias("maintained")].asset_alias_events]


@pytest.mark.parametrize(
    ("streams", "uris"),
    [
        ([COUPONS, PRODUCTS], ["x-datastack://raw/marketing_api/coupons", "x-datastack://raw/retail_db/products"]),
        ([PRODUCTS], ["x-datastack://raw/retail_db/products"]),
        (COUPONS, ["x-datastack://raw/marketing_api/coupons"]),
    ],
)
def test_the_assets_of_the_streams_are_updated(streams: Any, uris: list[str]):
    assert announced(streams) == uris


@pytest.mark.parametrize("nothing", [None, []])
def test_where_nothing_was_loaded_nobody_is_told(nothing: Any):
    with pytest.raises(AirflowSkipException, match="no stream was changed"):
        announced(nothing)
