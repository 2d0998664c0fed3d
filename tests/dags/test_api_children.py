"""Streams that come from another one hang on that one's extract task, wherever they are declared."""

from collections.abc import Callable
from pathlib import Path

from tests.dags.conftest import no_network

SOURCE = "sources/marketing_api.yml"
CHILD = """    path: /campaigns/{campaign}/coupons
    parent: {stream: campaigns, fields: {campaign: campaign_id}}
"""


def test_children_hang_on_their_parents_extract(declarations: Callable[..., Path]):
    file = declarations(SOURCE, "    path: /coupons\n", CHILD)
    head, streams = file.read_text().split("streams:\n")
    campaigns, rest = streams.split("  campaign_households:")
    file.write_text(f"{head}streams:\n  campaign_households:{rest}{campaigns}")  # the parent last
    from airflow.sdk import DAG

    from datastack.pipelines.ingest import ingest_streams

    with no_network(), DAG("ingest_family", schedule=None) as dag:
        ingest_streams("marketing_api")
    upstream = {task: sorted(dag.get_task(task).upstream_task_ids) for task in dag.task_ids}
    assert upstream["coupons.extract"] == ["campaigns.extract"]
    assert upstream["campaign_households.conform"] == ["campaigns.extract"]
    assert upstream["campaigns.conform"] == ["campaigns.extract"]
    assert upstream["campaigns.extract"] == upstream["redemptions.extract"] == []
    assert "campaign_households.extract" not in upstream
    streams = ("campaign_households", "campaigns", "coupons", "redemptions")
    assert upstream["announce"] == [f"{stream}.gate" for stream in streams]
