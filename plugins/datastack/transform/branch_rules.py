"""A model that decides something has a unit test: read from its SQL by sqlglot, not by its words."""

import re
from collections.abc import Iterator
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.transform.graph import Graph
from datastack.transform.manifest import Model

_BLOCK = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_REFERENCE = re.compile(r"\{\{\s*(?:ref|source)\s*\(.*?['\"](\w+)['\"]\s*\)\s*\}\}", re.DOTALL)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def branch_failures(graph: Graph, queries: dict[str, str]) -> Iterator[DeclarationError]:
    """Models that branch and have no unit test.

    :param queries: what dbt made of each model, by unique id; read where the template itself is no SQL.
    """
    for model in graph.project.models:
        if model.name in graph.unit_tested:
            continue
        template = str(graph.project.manifest["nodes"][model.unique_id].get("raw_code", ""))
        found = sorted(set(branches(template, queries.get(model.unique_id, ""))))
        if found:
            problem = f"has {', '.join(found)} and no unit test"
            remedy = f"Add a unit test of it to {_yaml(model)}, with rows for each branch."
            yield DeclarationError(model.file, model.name, problem, remedy)


def branches(template: str, query: str) -> Iterator[str]:
    """Name what a query decides. What a macro decides is the macro's matter, so the template is read first."""
    from sqlglot import exp

    for node in _parsed(template, query).walk():
        if isinstance(node, exp.Case | exp.Coalesce | exp.Nullif | exp.Greatest | exp.Least):
            yield node.sql_name().lower()
        elif isinstance(node, exp.Join) and node.side:
            yield f"{node.side.lower()} join"
        elif isinstance(node, exp.SetOperation):
            yield node.key
        elif isinstance(node, exp.Where | exp.Having | exp.Qualify) and _is_computed(node.this):
            yield f"{node.key} on something computed"


def _parsed(template: str, query: str) -> Any:
    import sqlglot
    from sqlglot.errors import ErrorLevel, SqlglotError

    sql = _EXPRESSION.sub("placeholder", _REFERENCE.sub(r"\1", _BLOCK.sub("", template)))
    try:
        return sqlglot.parse_one(sql, dialect="postgres", error_level=ErrorLevel.RAISE)
    except SqlglotError:
        return sqlglot.parse_one(query or "select 1", dialect="postgres")


def _is_computed(condition: Any) -> bool:
    """Whether a condition does more than compare plain columns with constants."""
    from sqlglot import exp

    plain = (
        *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Not),
        *(exp.And, exp.Or, exp.Is, exp.In, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    )
    return any(not isinstance(node, plain) for node in condition.walk())


def _yaml(model: Model) -> str:
    return model.yaml_file.name if model.yaml_file else f"{model.name}.yml"
