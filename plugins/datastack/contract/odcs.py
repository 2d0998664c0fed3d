"""Reads Open Data Contract Standard v3 files into our frozen contracts.

https://bitol-io.github.io/open-data-contract-standard/
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pydantic
import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

from datastack.contract.errors import DeclarationError, from_validation
from datastack.contract.model import Column, Contract, Privacy
from datastack.contract.odcs_quality import column_rules, freshness, references, row_rules

_OURS = {"path", "privacy", "drift", "quarantine", "retention", "waivers"}


def read_contract(file: Path, source: str, stream: str) -> Contract:
    """Read and validate one contract file.

    :raises DeclarationError: naming the field that is wrong and what would be right.
    """
    raw = read_yaml(file)
    _check_standard(file, raw)
    document = OpenDataContractStandard.model_validate(raw)
    table = _only_table(file, document, stream)
    try:
        return Contract(
            source=source,
            stream=stream,
            version=document.version,
            description=(document.description.purpose if document.description else None) or "",
            grain=table.dataGranularityDescription or "",
            owner=_owner(document),
            columns=tuple(_column(file, source, prop) for prop in table.properties or ()),
            file=file,
            **row_rules(file, table),
            **freshness(file, document, table),
            **_custom(file, "customProperties", document.customProperties, rename={"quarantine": "tolerance"}),
        )
    except pydantic.ValidationError as error:
        raise from_validation(file, error) from error


def read_yaml(file: Path) -> Any:
    """Parse a YAML file.

    :raises DeclarationError: if it is missing, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DeclarationError(file, "(whole file)", "there is no such file", "Create it.") from error
    except (yaml.YAMLError, ValueError) as error:  # of a day that there is not, for one
        raise DeclarationError(file, "(whole file)", f"not valid YAML: {error}", "Correct the syntax.") from error
    if not isinstance(content, dict):
        raise DeclarationError(file, "(whole file)", "not a mapping", "Start with field: value lines.")
    return content


@cache
def _validator() -> jsonschema.protocols.Validator:
    schema = json.loads(OpenDataContractStandard.json_schema())
    return jsonschema.validators.validator_for(schema)(schema)


def _check_standard(file: Path, raw: Any) -> None:
    error = jsonschema.exceptions.best_match(_validator().iter_errors(raw))
    if error:
        field = ".".join(str(part) for part in error.absolute_path) or "(whole file)"
        raise DeclarationError(file, field, error.message, "Follow the Open Data Contract Standard v3.")


def _only_table(file: Path, document: OpenDataContractStandard, stream: str) -> SchemaObject:
    tables = document.schema_ or []
    if [table.name for table in tables] != [stream]:
        found = [table.name for table in tables]
        raise DeclarationError(file, "schema", f"describes {found}", f"Describe exactly the stream {stream!r}.")
    return tables[0]


def _owner(document: OpenDataContractStandard) -> str:
    team = document.team
    return (getattr(team, "name", None) or "") if team else ""


def _column(file: Path, source: str, prop: SchemaProperty) -> Column:
    field = f"schema.properties.{prop.name}"
    options = prop.logicalTypeOptions or {}
    custom = _custom(file, field, prop.customProperties)
    if prop.classification == "personal" and "privacy" not in custom:
        remedy = f"Add the custom property privacy: one of {', '.join(Privacy)}."
        raise DeclarationError(file, field, "personal data without a privacy rule", remedy)
    try:
        return Column(
            name=prop.name,
            type=prop.physicalType,
            description=prop.description or "",
            required=bool(prop.required),
            key_position=(prop.primaryKeyPosition or 1) if prop.primaryKey else None,
            minimum=options.get("minimum"),
            maximum=options.get("maximum"),
            pattern=options.get("pattern"),
            allowed=tuple(item.value for item in prop.enum or ()),
            references=references(file, source, prop),
            **column_rules(file, prop),
            **({"path": prop.name} | custom),
        )
    except pydantic.ValidationError as error:
        raise from_validation(file, error).at(field) from error


def _custom(file: Path, field: str, properties: Any, rename: dict[str, str] | None = None) -> dict[str, Any]:
    found = {item.property: item.value for item in properties or ()}
    for name in found:
        if name not in _OURS:
            remedy = f"Use one of {', '.join(sorted(_OURS))}."
            raise DeclarationError(file, f"{field}.{name}", "unknown custom property", remedy)
    return {(rename or {}).get(name, name): value for name, value in found.items()}
