"""Reads what an ODCS file promises of its rows as a whole, and how strictly it is checked."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic
from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaObject, SchemaProperty

from datastack.contract.errors import DeclarationError, from_validation
from datastack.contract.model import Band, Level, Reference, Rule
from datastack.contract.types import IN_TIME

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}
_LEVELS = {None: Level.FAIL, "error": Level.FAIL, "warning": Level.WARN}
_OF_COLUMNS = {"nullValues": "missing", "invalidValues": "invalid"}
_OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
_COUNT = "{metric: rowCount, mustBeGreaterOrEqualTo: n}"
_BAND = "{metric: rowCount, mustBeBetween: [low, high], unit: percent, arguments: {trailingWeeks: n}}"


def freshness(file: Path, document: OpenDataContractStandard, table: SchemaObject) -> dict[str, Any]:
    """How old the newest row may be, and the column that tells: ``slaProperties`` of the property freshness.

    :raises DeclarationError: if another property is declared, or one that is not understood.
    """
    names = [sla.property for sla in document.slaProperties or ()]
    if names not in ([], ["freshness"]):
        remedy = "Keep one property: freshness, with value, unit and element."
        raise DeclarationError(file, "slaProperties", f"declares {', '.join(map(str, names))}", remedy)
    for sla in document.slaProperties or ():
        unit = _UNITS.get(sla.unit or "")
        if unit is None or isinstance(sla.value, bool) or not isinstance(sla.value, int | float):
            remedy = f"Write a number as value, and one of {', '.join(_UNITS)} as unit."
            raise DeclarationError(file, "slaProperties.freshness", f"is {sla.value!r} {sla.unit!r}", remedy)
        types = {f"{table.name}.{prop.name}": prop.physicalType for prop in table.properties or ()}
        if types.get(sla.element or "") not in IN_TIME:
            remedy = f"Name a column as {table.name}.<column>, of type {', '.join(IN_TIME)}: it tells how old a row is."
            raise DeclarationError(file, "slaProperties.freshness.element", f"is {sla.element!r}", remedy)
        return {"freshness": sla.value * unit, "freshness_column": str(sla.element).split(".")[1]}
    return {}


def row_rules(file: Path, table: SchemaObject) -> dict[str, Any]:
    """The least number of rows, and the band that a slice's must lie in: ``quality`` of the schema.

    :raises DeclarationError: if there is no least number, or a rule that nothing would check.
    """
    found: dict[str, Any] = {}
    for place, rule in enumerate(table.quality or ()):
        field = f"schema.quality.{place}"
        written = _operators(rule)
        if rule.metric == "rowCount" and written == ["mustBeGreaterOrEqualTo"] and "minimum_rows" not in found:
            found["minimum_rows"] = int(rule.mustBeGreaterOrEqualTo or 0)
            _plain(file, field, rule)
        elif rule.metric == "rowCount" and written == ["mustBeBetween"] and "band" not in found:
            found["band"] = _band(file, field, rule)
        else:
            remedy = f"Write {_COUNT} and, for a band, {_BAND}, each once."
            raise DeclarationError(file, field, f"nothing checks {rule.metric} {' '.join(written)}", remedy)
    if "minimum_rows" not in found:
        remedy = f"Add {_COUNT}: a gate without a row count passes on nothing."
        raise DeclarationError(file, "schema.quality", "no rowCount rule", remedy)
    return found


def column_rules(file: Path, prop: SchemaProperty) -> dict[str, Any]:
    """How many values of a column may be missing or invalid, and what comes of more: ``quality`` of the property.

    :raises DeclarationError: if there is a rule that nothing would check.
    """
    found: dict[str, Any] = {}
    for place, rule in enumerate(prop.quality or ()):
        field = f"schema.properties.{prop.name}.quality.{place}"
        name, written = _OF_COLUMNS.get(rule.metric or ""), _operators(rule)
        limit = {"mustBe": rule.mustBe, "mustBeLessOrEqualTo": rule.mustBeLessOrEqualTo}.get("".join(written))
        if name is None or name in found or not isinstance(limit, int | float) or ("mustBe" in written and limit != 0):
            remedy = "Write {metric: nullValues or invalidValues, mustBeLessOrEqualTo: n}, each once; or mustBe: 0."
            raise DeclarationError(file, field, f"nothing checks {rule.metric} {' '.join(written)}", remedy)
        if name == "missing" and prop.required:
            remedy = "Remove it, or required: true, which allows none."
            raise DeclarationError(file, field, "the column is required, so no value is missing", remedy)
        if name == "invalid" and not (prop.enum or _has_limits(prop)):
            remedy = "Add enum, or logicalTypeOptions with pattern, minimum or maximum."
            raise DeclarationError(file, field, "nothing says which values are valid", remedy)
        with_unit = {"unit": rule.unit} if rule.unit else {}
        try:
            found[name] = Rule(at_most=limit, level=_level(file, field, rule.severity), **with_unit)
        except pydantic.ValidationError as error:
            raise from_validation(file, error).at(field) from error
    return found


def references(file: Path, source: str, prop: SchemaProperty) -> tuple[Reference, ...]:
    """Columns that a column's values must be found in: ``relationships`` of the property.

    :raises DeclarationError: if one is not written as ``stream.column`` or ``source.stream.column``.
    """
    found = []
    for place, relationship in enumerate(prop.relationships or ()):
        field = f"schema.properties.{prop.name}.relationships.{place}"
        path = relationship.to.split(".") if isinstance(relationship.to, str) else []
        if len(path) not in (2, 3):
            remedy = "Write stream.column, or source.stream.column."
            raise DeclarationError(file, f"{field}.to", f"is {relationship.to!r}", remedy)
        custom = {item.property: item.value for item in relationship.customProperties or ()}
        if set(custom) - {"severity"}:
            raise DeclarationError(file, field, f"has {', '.join(map(str, custom))}", "The only one known is severity.")
        whose, stream, column = [source, *path][-3:]
        try:
            level = _level(file, field, custom.get("severity"))
            found.append(Reference(source=whose, stream=stream, column=column, level=level))
        except pydantic.ValidationError as error:
            raise from_validation(file, error).at(field) from error
    return tuple(found)


def _band(file: Path, field: str, rule: DataQuality) -> Band:
    arguments = rule.arguments or {}
    if rule.unit != "percent" or set(arguments) != {"trailingWeeks"}:
        raise DeclarationError(file, field, "does not say percent of what", f"Write it as {_BAND}.")
    low, high = rule.mustBeBetween or (0, 0)
    try:
        return Band(low=low, high=high, weeks=arguments["trailingWeeks"], level=_level(file, field, rule.severity))
    except pydantic.ValidationError as error:
        raise from_validation(file, error).at(field) from error


def _operators(rule: DataQuality) -> list[str]:
    return [name for name in _OPERATORS if getattr(rule, name) is not None]


def _has_limits(prop: SchemaProperty) -> bool:
    return bool({"pattern", "minimum", "maximum"} & set(prop.logicalTypeOptions or {}))


def _level(file: Path, field: str, severity: Any) -> Level:
    if severity not in _LEVELS:
        raise DeclarationError(file, f"{field}.severity", f"is {severity!r}", "Write error or warning.")
    return _LEVELS[severity]


def _plain(file: Path, field: str, rule: DataQuality) -> None:
    """A gate that only warns of an empty table would be open on nothing."""
    if rule.severity not in (None, "error") or rule.unit not in (None, "rows"):
        raise DeclarationError(file, field, "the least number of rows is no warning", "Remove severity and unit.")
