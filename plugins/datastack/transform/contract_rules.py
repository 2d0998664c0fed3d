"""Rules on mart contracts: each mart has one that describes it as its model does, and asserts nothing twice."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir
from datastack.transform.graph import Graph, is_mart
from datastack.transform.manifest import Model

_Asserted = tuple[str, frozenset[str]]  # what, and of which columns
_DBT = {"unique": "unique", "unique_combination": "unique", "not_null": "not null", "accepted_values": "allowed values"}
_SODA = {"missing": "not null", "duplicate": "unique"}


def contract_failures(graph: Graph, contracts: Mapping[Path, Mapping[str, Any]]) -> Iterator[DeclarationError]:
    """Every way in which mart contracts and models do not go together.

    :param contracts: content of each mart contract, by its file.
    """
    marts = {_file(model): model for model in graph.project.models if is_mart(model)}
    for file, model in marts.items():
        if file not in contracts:
            problem = f"there is no contract of the mart {model.name}"
            yield DeclarationError(file, "(whole file)", problem, "Write what its data must be: no gate, no mart.")
    for file, content in contracts.items():
        if found := marts.get(file):
            yield from _same_columns(found, file, content)
            yield from _nothing_twice(graph, found, file, content)
        else:
            remedy = "Name it as its mart, or delete it."
            yield DeclarationError(file, "(whole file)", f"there is no mart {file.parent.name}/{file.stem}", remedy)


def _file(model: Model) -> Path:
    return include_dir() / "soda" / model.schema.removeprefix("build_") / f"{model.alias}.yml"


def _same_columns(model: Model, file: Path, content: Mapping[str, Any]) -> Iterator[DeclarationError]:
    dataset = str(content.get("dataset", ""))
    if dataset.split("/")[-2:] != [model.schema, model.alias]:
        remedy = f"Let it end in {model.schema}/{model.alias}: the gate reads a mart where dbt builds it."
        yield DeclarationError(file, "dataset", f"is {dataset}", remedy)
    promised = {column.name: column.type for column in model.columns}
    given = {column["name"]: column for column in content.get("columns") or ()}
    where = (model.yaml_file or model.file).name
    for name in promised.keys() - given.keys():
        yield DeclarationError(file, f"columns.{name}", f"is missing, {where} has it", "Add it with its data_type.")
    for name in given.keys() - promised.keys():
        problem = f"is no column of {where}"
        yield DeclarationError(file, f"columns.{name}", problem, "Remove it, or add it to the model.")
    for name in promised.keys() & given.keys():
        if (found := _soda_type(given[name])) is None:
            remedy = f"Add data_type: {promised[name]}."
            yield DeclarationError(file, f"columns.{name}.data_type", "there is none", remedy)
        elif not _is_same(promised[name], found):
            problem = f"is {found}, {where} has {promised[name]}"
            remedy = f"Write data_type: {promised[name].split('(')[0].strip()}, or correct the model."
            yield DeclarationError(file, f"columns.{name}.data_type", problem, remedy)


def _soda_type(column: Mapping[str, Any]) -> str | None:
    """The type as SQL writes it, with what Soda names in fields of their own."""
    if "data_type" not in column:
        return None
    sizes = [column.get(name) for name in ("character_maximum_length", "numeric_precision", "numeric_scale")]
    given = ", ".join(str(size) for size in sizes if size is not None)
    return f"{column['data_type']}({given})" if given else str(column["data_type"])


def _is_same(promised: str, found: str) -> bool:
    """Whether two types are the same; sizes count if the mart contract names any."""
    from sqlglot import exp

    one, other = (exp.DataType.build(text, dialect="postgres") for text in (promised, found))
    if not other.expressions:
        one = exp.DataType(this=one.this)
    return one.sql("postgres") == other.sql("postgres")


def _nothing_twice(graph: Graph, model: Model, file: Path, content: Mapping[str, Any]) -> Iterator[DeclarationError]:
    by_dbt = dict(_asserted_by_dbt(graph, model))
    for field, what in _asserted_by_soda(content):
        if what in by_dbt:
            problem = f"{what[0]} of {', '.join(sorted(what[1]))} is asserted here and by {by_dbt[what]}"
            yield DeclarationError(file, field, problem, "Keep one: dbt for what our logic must do, Soda for the data.")


def _asserted_by_dbt(graph: Graph, model: Model) -> Iterator[tuple[_Asserted, str]]:
    for column in graph.project.manifest["nodes"][model.unique_id]["columns"].values():
        for constraint in column.get("constraints") or ():
            if constraint["type"] == "not_null":
                yield ("not null", frozenset({column["name"]})), f"the constraint not_null of {model.name}"
    for check in graph.checks_of(model):
        if what := _DBT.get(check.kind):
            yield (what, frozenset(check.columns)), f"the data test {check.kind} of {model.name}"
        elif check.kind == "relationships":
            yield ("reference", frozenset(check.columns)), f"the data test relationships of {model.name}"


def _asserted_by_soda(content: Mapping[str, Any]) -> Iterator[tuple[str, _Asserted]]:
    for check in content.get("checks") or ():
        columns = (check.get("duplicate") or {}).get("columns")
        if columns:
            yield "checks.duplicate", ("unique", frozenset(columns))
    for column in content.get("columns") or ():
        for check in column.get("checks") or ():
            [(kind, rules)] = check.items()
            field, name = f"columns.{column['name']}.{kind}", frozenset({column["name"]})
            if kind in _SODA:
                yield field, (_SODA[kind], name)
            if kind == "invalid" and "valid_values" in (rules or {}):
                yield field, ("allowed values", name)
            if kind == "invalid" and "valid_reference_data" in (rules or {}):
                yield field, ("reference", name)
