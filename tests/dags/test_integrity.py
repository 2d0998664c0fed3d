"""Every DAG loads, and keeps the house rules."""

import json
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dags.conftest import no_network

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dags").rglob("*.py"))
EXPECTED = {
    "ingest_leaflets",
    "ingest_marketing_api",
    "ingest_promotions",
    "ingest_retail_db",
    "maintain_lake",
    "maintain_quarantine",
    "maintain_reconform",
    "maintain_rollback",
    "transform_retail",
}
HEADINGS = ("Purpose", "Grain", "Owner", "Re-run", "Triage")


def test_exactly_the_expected_dags_are_found(dagbag):
    assert set(dagbag.dags) == EXPECTED


def test_nothing_fails_to_import(dagbag):
    assert dagbag.import_errors == {}


def test_every_dag_file_gave_a_dag(dagbag):
    assert {Path(dag.fileloc) for dag in dagbag.dags.values()} == set(FILES)


def test_a_wrong_declaration_is_an_import_error_that_names_it(dagbag, declarations):
    from airflow.dag_processing.dagbag import DagBag

    source = declarations("sources/retail_db.yml", "tier: 1", "tier: 9")
    broken = DagBag(dag_folder=str(ROOT / "dags" / "ingest"))
    assert set(broken.dags) == {dag for dag in EXPECTED if dag.startswith("ingest_")} - {"ingest_retail_db"}
    [error] = broken.import_errors.values()
    assert f"{source}: tier: Input should be less than or equal to 3 (found 9). Correct the value." in error


def test_parsing_with_a_socket_would_be_seen():
    with no_network(), pytest.raises(AssertionError, match="opened a socket"):
        socket.create_connection(("127.0.0.1", 9), timeout=1)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_wiring_that_fits_on_a_screen(file: Path):
    assert len(file.read_text().splitlines()) <= 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_catchup_is_said_in_the_file(file: Path):
    assert "catchup=" in file.read_text()


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
class TestEachDag:
    def test_owner(self, dagbag, dag_id: str):
        owners = {task.owner for task in dagbag.dags[dag_id].tasks}
        assert owners
        assert "airflow" not in owners

    def test_tags(self, dagbag, dag_id: str):
        kinds = {tag.split(":")[0] for tag in dagbag.dags[dag_id].tags}
        assert kinds == {"kind", "domain", "tier"}
        assert dagbag.dags[dag_id].tags & {"tier:1", "tier:2", "tier:3"}
        assert f"kind:{dag_id.split('_')[0]}" in dagbag.dags[dag_id].tags

    def test_doc_has_the_five_headings(self, dagbag, dag_id: str):
        missing = [heading for heading in HEADINGS if f"**{heading}.**" not in dagbag.dags[dag_id].doc_md]
        assert not missing

    def test_retries_and_time_limits(self, dagbag, dag_id: str):
        dag = dagbag.dags[dag_id]
        assert dag.dagrun_timeout
        assert len(dag.tasks) > 1
        for task in dag.tasks:
            assert task.retries == 2, task.task_id
            assert task.execution_timeout, task.task_id
            assert task.execution_timeout <= timedelta(hours=1), task.task_id

    def test_catchup_is_off(self, dagbag, dag_id: str):
        assert dagbag.dags[dag_id].catchup is False

    def test_no_cycle_and_no_lone_task(self, dagbag, dag_id: str):
        dag = dagbag.dags[dag_id]
        dag.check_cycle()
        for task in dag.tasks:
            assert task.upstream_task_ids or task.downstream_task_ids, task.task_id


def test_a_cycle_would_be_seen():
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.sdk.exceptions import AirflowDagCycleException

    with DAG("cyclic", schedule=None) as dag:
        first, second = EmptyOperator(task_id="first"), EmptyOperator(task_id="second")
        first >> second >> first
    with pytest.raises(AirflowDagCycleException):
        dag.check_cycle()


# What a gate looks for in other streams of its source.
AWAITED = {
    "campaign_households": ["campaigns"],
    "coupons": ["campaigns"],
    "redemptions": ["campaigns", "coupons"],
}
LOADING = {"postgres": "move", "rest_api": "copy", "files": "copy"}


def test_every_stream_is_loaded_gated_and_announced(dagbag):
    from datastack.contract.registry import load_source, source_names

    for name in source_names():
        dag = dagbag.dags[f"ingest_{name}"]
        for stream in load_source(name).source.streams:
            gate, loading = dag.get_task(f"{stream}.gate"), LOADING[load_source(name).source.kind]
            assert gate.upstream_task_ids == {f"{each}.{loading}" for each in {stream, *AWAITED.get(stream, ())}}
            assert gate.downstream_task_ids == {"announce"}
        outlets = {asset.uri for asset in dag.get_task("announce").outlets}
        assert outlets == {f"x-datastack://raw/{name}/{stream}" for stream in load_source(name).source.streams}


def test_what_is_maintained_is_gated_before_it_is_announced(dagbag):
    for dag_id, gate in {"maintain_reconform": "gate", "maintain_quarantine": "stream.gate"}.items():
        dag = dagbag.dags[dag_id]
        assert gate in dag.get_task("announce").upstream_task_ids, dag_id
        assert dag.get_task("announce").outlets, dag_id


def test_the_lake_forgets_nothing_that_was_not_planned(dagbag):
    dag = dagbag.dags["maintain_lake"]
    assert dag.get_task("delete").upstream_task_ids == {"plan"}
    assert dag.params["dry_run"] is False


def test_a_stream_to_conform_again_is_chosen_among_those_declared(dagbag):
    from datastack.contract.registry import load_source, source_names

    declared = {name: set(load_source(name).source.streams) for name in source_names()}
    for dag_id in ("maintain_reconform", "maintain_quarantine"):
        params = dagbag.dags[dag_id].params
        choices = {name: set(params.get_param(name).schema["enum"]) - {None} for name in ("source", "stream")}
        assert choices == {"source": set(declared), "stream": set().union(*declared.values())}, dag_id


def test_the_transform_waits_for_the_raw_assets(dagbag):
    from datastack.contract.registry import load_source

    condition = dagbag.dags["transform_retail"].timetable.asset_condition
    waited = {asset.uri for asset in condition.objects}
    manifest = json.loads((ROOT / "include" / "dbt" / "target" / "manifest.json").read_text())
    nodes = (node for model in manifest["nodes"].values() for node in model["depends_on"]["nodes"])
    read = {manifest["sources"][node]["source_name"] for node in nodes if node.startswith("source.")}
    read -= {"ledger"}  # what is planned, and no source's rows
    assert len(read) > 1
    assert waited == {f"x-datastack://raw/{name}/{s}" for name in read for s in load_source(name).source.streams}


def test_nothing_is_published_before_the_gate(dagbag):
    dag = dagbag.dags["transform_retail"]
    assert "gate" in dag.get_task("publish").upstream_task_ids
    models = {task.task_id for task in dag.tasks if task.task_id.startswith("dbt.")}
    assert len(models) > 20
    assert models <= {task.task_id for task in dag.get_task("gate").get_flat_relatives(upstream=True)}
