"""The commands behind `make check` and `make generate`, on a project that somebody broke."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from datastack.contract.registry import include_dir
from tests.dbt_manifest import copy_manifest

Edit = Callable[..., Path]
PURCHASES = "soda/retail/fct_purchases.yml"


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of a command on the declarations in use."""
    command = [sys.executable, "-m", "datastack", *arguments]
    plugins = str(Path(__file__).parents[3] / "plugins")
    environment = {"DATASTACK_INCLUDE": str(include_dir()), "PYTHONPATH": plugins}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def parsed(declarations: Edit) -> Edit:
    """Declarations whose project dbt has parsed."""
    copy_manifest()
    return declarations


def test_what_is_wrong_is_told_at_once_with_file_and_remedy(declarations: Edit):
    """Each in a file of its own: a mart contract, a function of one dialect, a query that is none."""
    contract = declarations(PURCHASES, "  - name: quantity\n", "  - name: quantities\n")
    only_postgres = declarations("dbt/models/marts/retail/dim_campaign.sql", "select", "select now() as at, ")
    broken = declarations("dbt/models/staging/retail_db/stg_retail_db__products.sql", "{{ source(", "{{ sauce(")
    assert run("manifest")[0] == 0
    status, said = run("check")
    assert status == 1
    for line in (
        f"{contract}: columns.quantities: is no column of fct_purchases.yml. Remove it, or add it to the model.",
        f"{contract}: columns.quantity: is missing, fct_purchases.yml has it. Add it with its data_type.",
    ):
        assert line in said
    assert f"{only_postgres}: dim_campaign, line " in said
    assert "Redshift lacks now: it runs on the leader node only" in said
    assert f"{broken}: stg_retail_db__products: dbt can't compile it for postgres: " in said


def test_a_source_file_of_dbt_that_is_out_of_date(parsed: Edit):
    assert run("generate")[0] == 0
    assert run("generate", "--check") == (0, "dbt sources, manifest and interfaces follow from what is declared\n")
    parsed("contracts/retail_db/products.odcs.yaml", "name: brand", "name: label")
    file = include_dir() / "dbt/models/staging/retail_db/_retail_db__sources.yml"
    told = f"{file}: (whole file): does not follow from the contracts. Run `make generate`.\n"
    assert run("generate", "--check") == (1, told)


def test_a_project_that_does_not_parse(parsed: Edit):
    file = parsed("dbt/models/marts/retail/dim_date.sql", "{{ ref(", "{{ ref((")
    for command in (["manifest"], ["generate"], ["check"], ["generate", "--check"]):
        status, said = run(*command)
        assert status == 1, command
        assert f"{include_dir() / 'dbt'}: (project): dbt can't parse it: " in said
        assert f"models/marts/retail/{file.name}" in said
        assert said.endswith("Correct it. Run `make generate`, which lets dbt parse the project.\n")


def test_a_promise_to_consumers_is_not_generated_away(declarations: Edit):
    assert run("generate")[0] == 0
    interfaces = include_dir() / "interfaces.yml"
    before = interfaces.read_text()
    file = include_dir() / "dbt/models/marts/retail/dim_date.yml"
    content = yaml.safe_load(file.read_text())
    gone = content["models"][0]["columns"].pop()["name"]
    file.write_text(yaml.safe_dump(content))
    status, said = run("generate")
    assert status == 1
    assert (
        f"{interfaces}: marts.retail.dim_date.columns.{gone}: is in use, and dim_date has it no more. Keep it" in said
    )
    assert interfaces.read_text() == before
