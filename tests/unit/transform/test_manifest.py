"""What is read from dbt's manifest, and that it is read only if it was made from the project as it stands."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.transform.manifest import ModelColumn, Slices, read_project
from datastack.transform.parse import make_manifest
from datastack.transform.project_files import failure_file, files_digest, manifest_file, require_current
from tests.dbt_manifest import model, write_manifest

Edit = Callable[..., Path]
SLICES = {"source": "retail_db", "stream": "transactions", "column": "purchased_at"}


def test_models_are_read_as_dbt_understood_them(declarations: Edit):
    fact = model("fct_purchases", columns={"basket_id": "bigint", "purchased_at": "timestamp with time zone"})
    fact["columns"]["purchased_at"]["config"]["meta"] = {"privacy": "restrict"}
    fact["config"] |= {"materialized": "incremental", "meta": {"slices": SLICES}, "tags": ["domain:retail"]}
    staging = model("stg_a", schema="staging", access="protected")
    write_manifest(fact, model("dim_a"), staging)
    project = read_project()
    assert (project.version, project.dbt_version) == ("0.1.0", "1.11.16")
    assert [mart.name for mart in project.marts("retail")] == ["dim_a", "fct_purchases"]
    assert project.marts("hr") == ()
    found = project.model("fct_purchases")
    assert found.columns[1] == ModelColumn(
        "purchased_at", "timestamp with time zone", "The purchased_at.", privacy="restrict"
    )
    assert found.slices == Slices("retail_db", "transactions", "purchased_at")
    assert (found.relation, found.materialized) == ("build_retail.fct_purchases", "incremental")
    assert (found.tags, found.is_restricted) == (("domain:retail",), True)
    assert project.model("stg_a").relation == "staging.stg_a"
    with pytest.raises(KeyError):
        project.model("fct_b")


def test_of_a_model_in_versions_the_latest_is_meant_or_the_one_that_is_named(declarations: Edit):
    versions = [
        model("dim_a", unique_id=f"model.datastack.dim_a.v{v}", version=v, latest_version=2, alias=f"dim_a_v{v}")
        for v in (1, 2)
    ]
    write_manifest(*versions)
    assert read_project().model("dim_a").alias == "dim_a_v2"
    assert read_project().model("dim_a", "1").alias == "dim_a_v1"


@pytest.mark.parametrize("wrong", ["retail_db", {"source": "retail_db"}, {**SLICES, "colum": "a"}])
def test_slices_that_are_not_three_names_are_refused(declarations: Edit, wrong: Any):
    write_manifest(model("fct_a", config={"meta": {"slices": wrong}}))
    with pytest.raises(DeclarationError, match=r"fct_a\.yml: fct_a\.config\.meta\.slices: is .*Write \{source"):
        read_project()


def checksum(**changes: Any) -> str:
    """Checksum of a model that reads another one and calls a macro, which calls one more."""
    fact = model("fct_a", columns=changes.get("columns", {"id": "bigint"}))
    fact["checksum"]["checksum"] = changes.get("code", "code")
    fact["description"] = changes.get("description", "")
    fact["config"]["materialized"] = changes.get("materialized", "incremental")
    fact["depends_on"] = {
        "macros": ["macro.datastack.a", "macro.dbt.ref"],
        "nodes": ["model.datastack.stg_a", "source.s"],
    }
    staging = model("stg_a")
    staging["checksum"]["checksum"] = changes.get("parent", "code")
    macros = {
        "macro.datastack.a": {"macro_sql": "a", "depends_on": {"macros": ["macro.datastack.b"]}},
        "macro.datastack.b": {
            "macro_sql": changes.get("macro", "b"),
            "depends_on": {"macros": ["macro.datastack.a"]},
        },
    }
    write_manifest(fact, staging, macros=macros)
    return read_project().model("fct_a").checksum


@pytest.mark.parametrize(
    "change",
    [
        {"code": "other"},
        {"parent": "other"},
        {"macro": "other"},
        {"columns": {"id": "integer"}},
        {"columns": {"id": "bigint", "more": "text"}},
        {"materialized": "table"},
    ],
)
def test_a_checksum_changes_with_what_decides_the_rows(declarations: Edit, change: dict[str, Any]):
    assert checksum() == checksum(description="said better")
    assert checksum(**change) != checksum()


def test_a_variable_of_the_project_decides_rows_too(declarations: Edit):
    before = checksum()
    declarations("dbt/dbt_project.yml", "unknown_member: UNKNOWN", "unknown_member: NONE")
    assert checksum() != before


def test_the_manifest_of_the_project_is_current_whatever_its_time_says(declarations: Edit):
    file = write_manifest(model("dim_a"))
    os.utime(file, (0, 0))
    assert require_current() == file


def test_no_manifest(declarations: Edit):
    with pytest.raises(DeclarationError, match=r"manifest\.json: .*there is no such file\. Run `make generate`"):
        require_current()


def test_a_manifest_that_dbt_wrote_without_us(declarations: Edit):
    file = write_manifest(model("dim_a"))
    file.write_text(file.read_text().replace("DATASTACK_FILES", "OTHER"))
    with pytest.raises(DeclarationError, match=r"wrote it by hand.*Run `make generate`"):
        require_current()


@pytest.mark.parametrize("content", ["", "{}", '{"metadata": {"env": ', '{"nodes": {}}'])
def test_a_manifest_that_was_cut_short(declarations: Edit, content: str):
    manifest_file().parent.mkdir()
    manifest_file().write_text(content)
    with pytest.raises(DeclarationError, match=r"manifest\.json: .*Run `make generate`"):
        require_current()


def changed(include: Path) -> None:
    (include / "dbt/models/marts/retail/dim_date.sql").write_text("select 1")


def added(include: Path) -> None:
    (include / "dbt/macros/new.sql").write_text("{% macro new() %}{% endmacro %}")


def removed(include: Path) -> None:
    (include / "dbt/models/_columns.md").unlink()


def renamed(include: Path) -> None:
    (include / "dbt/dbt_project.yml").rename(include / "dbt/dbt_projects.yml")


@pytest.mark.parametrize("change", [changed, added, removed, renamed])
def test_a_manifest_of_other_files(declarations: Edit, tmp_path: Path, change: Callable[[Path], None]):
    write_manifest(model("dim_a"))
    change(tmp_path / "include")
    with pytest.raises(
        DeclarationError, match=r"was made before the project's files last changed\. Run `make generate`"
    ):
        require_current()


def test_what_dbt_writes_beside_does_not_count(declarations: Edit, tmp_path: Path):
    before = files_digest()
    (tmp_path / "include/dbt/logs").mkdir()
    (tmp_path / "include/dbt/logs/a.sql").write_text("select 1")
    (tmp_path / "include/dbt/.user.yml").write_text("id: 1")
    write_manifest(model("dim_a"))
    assert files_digest() == before


def test_dbt_parses_the_real_project_once(declarations: Edit):
    """And again after a change; what it can't parse is said by whoever asks for the manifest."""
    assert make_manifest().endswith("was made")
    assert json.loads(manifest_file().read_text())["metadata"]["env"]["DATASTACK_FILES"] == files_digest()
    marts = {mart.name for mart in read_project().marts("retail")}
    assert {"dim_household", "dim_product", "fct_purchases", "rpt_weekly_sales"} <= marts
    assert all(mart.file.exists() and mart.yaml_file for mart in read_project().marts("retail"))
    assert make_manifest().endswith("is what dbt makes of the project")
    file = declarations("dbt/models/marts/retail/dim_date.sql", "{{ ref(", "{{ ref((")
    says = r"dbt: \(project\): dbt can't parse it: (.|\n)*dim_date(.|\n)*Correct it\. Run `make generate`"
    for ask in (make_manifest, require_current, read_project):
        with pytest.raises(DeclarationError, match=says):
            ask()
    file.write_text(file.read_text().replace("{{ ref((", "{{ ref("))
    assert require_current() == manifest_file()
    assert failure_file().exists()
    shutil.rmtree(manifest_file().parent)
    assert make_manifest().endswith("was made")
