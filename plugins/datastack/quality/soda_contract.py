"""Reads and lints hand-written Soda contracts, before a typo can make one of their checks vanish."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from datastack.contract.errors import DeclarationError
from datastack.contract.odcs import read_yaml
from datastack.contract.registry import include_dir


def mart_contract_files(domain: str) -> list[Path]:
    """Contract files of a domain's marts, sorted by name.

    :raises DeclarationError: if there is none, as a gate of nothing would pass.
    """
    folder = include_dir() / "soda" / domain
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise DeclarationError(folder, "(folder)", "holds no mart contract", "Add one <mart>.yml for each mart.")
    return files


def read_mart_contract(file: Path) -> dict[str, Any]:
    """Read and lint one mart contract.

    :raises DeclarationError: naming what Soda would only warn of, or let pass.
    """
    content: dict[str, Any] = read_yaml(file)
    lint(file, content)
    table = str(content.get("dataset", "")).split("/")[-1]
    if table != file.stem:
        raise DeclarationError(file, "dataset", f"ends in {table!r}", f"End it in the file's own name, {file.stem!r}.")
    return content


def lint(file: Path, content: dict[str, Any]) -> None:
    """Check a Soda contract against Soda's own JSON schema, and that it counts rows.

    :raises DeclarationError: naming the field.
    """
    error = jsonschema.exceptions.best_match(_validator().iter_errors(content))
    if error:
        field = ".".join(str(part) for part in error.absolute_path) or "(whole file)"
        raise DeclarationError(file, field, error.message[:300], "Follow Soda's contract language, version 4.")
    if not any("row_count" in check for check in content.get("checks") or ()):
        raise DeclarationError(file, "checks", "no row_count check", "Add one: on no rows every other check passes.")


def check_paths(content: dict[str, Any]) -> list[str]:
    """Checks that a contract declares, on the dataset and on its columns, by the paths that Soda knows them by."""
    places = [("", content), *((f"columns.{each['name']}.", each) for each in content.get("columns") or ())]
    return [f"{place}checks.{_path(check)}" for place, owner in places for check in owner.get("checks") or ()]


def _path(check: dict[str, Any]) -> str:
    [(kind, body)] = check.items()
    return ".".join(filter(None, (kind, (body or {}).get("qualifier"))))


@cache
def _validator() -> jsonschema.protocols.Validator:
    path = resources.files("soda_core") / "contracts" / "soda_data_contract_json_schema_1_0_0.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)
