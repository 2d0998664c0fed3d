"""A dbt project whose manifest can't be trusted is an import error of its DAG, which says what to do in the UI."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from datastack.contract.errors import DeclarationError
from datastack.transform.parse import make_manifest
from datastack.transform.project_files import manifest_file
from tests.dbt_manifest import copy_manifest

ROOT = Path(__file__).parents[2]
MODEL = "dbt/models/marts/retail/dim_date.sql"
Edit = Callable[..., Path]


@pytest.fixture
def parsed(dagbag, declarations: Edit) -> Edit:
    """Declarations whose project dbt has parsed, and an Airflow that is set up."""
    copy_manifest()
    return declarations


def import_errors() -> str:
    """What the UI shows for the transform's DAG file; empty if it loads."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags" / "transform"))
    assert set(bag.dags) == (set() if bag.import_errors else {"transform_retail"})
    return "".join(bag.import_errors.values())


def test_a_manifest_of_the_files_as_they_stand(parsed: Edit):
    os.utime(manifest_file(), (0, 0))  # as a checkout or an image may leave it
    assert import_errors() == ""


def test_a_manifest_of_other_files(parsed: Edit):
    parsed(MODEL, "select", "select  ")
    error = import_errors()
    assert (
        f"{manifest_file()}: (whole file): was made before the project's files last changed. Run `make generate`"
        in error
    )


def test_no_manifest(parsed: Edit):
    manifest_file().unlink()
    assert f"{manifest_file()}: (whole file): there is no such file. Run `make generate`" in import_errors()


def test_a_project_that_does_not_parse(parsed: Edit):
    file = parsed(MODEL, "{{ ref(", "{{ ref((")
    with pytest.raises(DeclarationError):
        make_manifest()
    error = import_errors()
    assert f"{manifest_file().parents[1]}: (project): dbt can't parse it: " in error
    assert f"models/marts/retail/{file.name}" in error
    assert "Run `make generate`" in error


def test_a_manifest_that_dbt_wrote_without_the_others(parsed: Edit):
    manifest_file().write_text(manifest_file().read_text().replace("DATASTACK_FILES", "ELSE", 1))
    assert "nobody knows from which files. Run `make generate`" in import_errors()
