"""`dbt source freshness` on a real warehouse: what a contract promises, measured by the ledger."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from datastack.contract.registry import load_source
from tests.integration.harness import Stack, days

NODE = "source.datastack.retail_db.transactions"


def freshness(stack: Stack, folder: Path) -> dict[str, object]:
    """Run dbt as the transformer; return what it measured."""
    from datastack.transform.project_files import project_dir

    project = str(project_dir())
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(folder)]
    command = ["source", "freshness", "--select", "source:retail_db.transactions", *where]
    environment = {
        **os.environ,
        "DATASTACK_WAREHOUSE_PORT": str(stack.warehouse.port),
        "DATASTACK_WAREHOUSE_PASSWORD": stack.servers.secrets["PG_TRANSFORMER_PASSWORD"],
    }
    program = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--quiet"]
    ended = subprocess.run([*program, *command], env=environment, capture_output=True, text=True, check=False)
    assert (folder / "sources.json").exists(), ended.stdout + ended.stderr
    found = json.loads((folder / "sources.json").read_text())["results"]
    assert [each["unique_id"] for each in found] == [NODE]
    return found[0]


def test_freshness_is_that_of_the_newest_slice(stack: Stack, declarations: Callable[..., Path], tmp_path: Path):
    stack.load("retail_db", "transactions", days(1))
    assert freshness(stack, tmp_path)["status"] == "error"  # loaded a moment ago, but it is a slice of 2019
    promised = load_source("retail_db").contracts["transactions"].freshness
    for status, age in {"pass": 0.9, "warn": 1.1, "error": 2.1}.items():
        until = datetime.now(UTC) - age * promised
        with stack.warehouse.connect("warehouse") as db:
            db.execute("update ops.loads set slice_end = %s", [until])
        found = freshness(stack, tmp_path)
        assert found["status"] == status
        assert datetime.fromisoformat(found["max_loaded_at"]) == until


def test_a_stream_that_was_never_loaded_is_stale(stack: Stack, declarations: Callable[..., Path], tmp_path: Path):
    assert freshness(stack, tmp_path)["status"] == "error"
