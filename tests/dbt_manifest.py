"""Writes a manifest as dbt would, of a few models that are given as dictionaries."""

import json
import shutil
from pathlib import Path
from typing import Any

from datastack.transform.project_files import DIGEST, files_digest, manifest_file, require_current


def model(name: str, **fields: Any) -> dict[str, Any]:
    """A model's node with what dbt fills in; ``columns`` is {name: type}, ``config`` adds to the usual one."""
    config = {"materialized": "table", "tags": [], "meta": {}, "contract": {"enforced": True}} | fields.pop(
        "config", {}
    )
    columns = {
        column: {"name": column, "data_type": type_, "description": f"The {column}.", "config": {"meta": {}}}
        for column, type_ in fields.pop("columns", {"id": "bigint"}).items()
    }
    return {
        "unique_id": f"model.datastack.{name}",
        "resource_type": "model",
        "name": name,
        "alias": name,
        "schema": "build_retail",
        "description": f"The {name}.",
        "access": "public",
        "group": "retail",
        "columns": columns,
        "config": config,
        "checksum": {"name": "sha256", "checksum": f"code of {name}"},
        "depends_on": {"macros": [], "nodes": []},
        "original_file_path": f"models/marts/retail/{name}.sql",
        "patch_path": f"datastack://models/marts/retail/{name}.yml",
    } | fields


def check(kind: str, of: str, *columns: str, **config: Any) -> dict[str, Any]:
    """A data test's node."""
    return {
        "unique_id": f"test.datastack.{kind}_{of}_{'_'.join(columns)}.0",
        "resource_type": "test",
        "name": f"{kind}_{of}",
        "attached_node": f"model.datastack.{of}",
        "original_file_path": f"models/marts/retail/{of}.yml",
        "config": {"severity": "ERROR", "warn_if": "!= 0", "error_if": "!= 0", "where": None, "meta": {}} | config,
        "test_metadata": {"name": kind, "kwargs": {"columns": list(columns)}},
    }


def source(name: str, table: str, *columns: str, restricted: str = "") -> dict[str, Any]:
    """A source table's node."""
    meta = {column: {"config": {"meta": {"privacy": "restrict"} if column == restricted else {}}} for column in columns}
    return {
        "unique_id": f"source.datastack.{name}.{table}",
        "source_name": name,
        "name": table,
        "schema": f"raw_{name}",
        "identifier": table,
        "columns": meta,
    }


def write_manifest(*models: dict[str, Any], **parts: Any) -> Path:
    """Write the manifest of the include folder in use, made from its files as they stand."""
    metadata = {"env": {DIGEST: files_digest()}, "dbt_version": "1.11.16", "project_name": "datastack"}
    nodes = {each["unique_id"]: each for each in models}
    file = manifest_file()
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"metadata": metadata, "nodes": nodes, "macros": {}} | parts))
    return file


def copy_manifest() -> Path:
    """Take the repository's manifest into the include folder in use, which has the same files still."""
    file = manifest_file()
    file.parent.mkdir()
    shutil.copy(Path(__file__).parents[1] / "include" / "dbt" / "target" / "manifest.json", file)
    return require_current()
