"""Columns are followed through the SQL: a model has those that it promises, and restricted ones carry their mark.

dbt compares a contract with what the warehouse says of the query; here it is done without one, names only.
"""

from collections.abc import Iterator
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.model import Privacy
from datastack.transform.graph import Graph, is_mart, wrong
from datastack.transform.manifest import Model

_Restricted = dict[str, dict[str, str]]  # relation, column: the source column that it comes from


def column_failures(graph: Graph, queries: dict[str, str]) -> Iterator[DeclarationError]:
    """Columns that a model promises and has not, and restricted columns of sources that reach a mart without a mark.

    :param queries: what dbt made of each model, by unique id.
    """
    restricted: _Restricted = {}
    known: dict[str, list[str]] = {}
    for source in graph.project.manifest.get("sources", {}).values():
        relation = f"{source['schema']}.{source['identifier']}"
        known[relation] = list(source["columns"])
        restricted[relation] = {
            name: f"{source['source_name']}.{source['name']}.{name}"
            for name, column in source["columns"].items()
            if ((column.get("config") or {}).get("meta") or {}).get("privacy") == Privacy.RESTRICT
        }
    for model in graph.in_order():
        followed = _followed(queries.get(model.unique_id, ""), known, restricted)
        names, origins = followed or _by_name(model, restricted)
        known[model.relation], restricted[model.relation] = names, origins
        if followed and model.contract_enforced:
            yield from _as_promised(model, names)
        if is_mart(model):
            yield from _unmarked(model, origins)


def _unmarked(model: Model, origins: dict[str, str]) -> Iterator[DeclarationError]:
    marked = {column.name for column in model.columns if column.privacy == Privacy.RESTRICT}
    for name in sorted(origins.keys() - marked):
        problem = f"comes from {origins[name]}, which is restricted"
        remedy = (
            "Leave it out, or mark it with config: {meta: {privacy: restrict}}: then only granted roles read the mart."
        )
        yield wrong(model, f".columns.{name}", problem, remedy)


def _as_promised(model: Model, names: list[str]) -> Iterator[DeclarationError]:
    promised = {column.name for column in model.columns}
    for name in sorted(promised - set(names)):
        remedy = f"Select it in {model.file.name}, or remove it."
        yield wrong(model, f".columns.{name}", "is promised, and the query has no such column", remedy)
    for name in sorted(set(names) - promised):
        remedy = "Describe it, or select it no more."
        yield wrong(model, f".columns.{name}", "is a column of the query that the contract does not promise", remedy)


def _by_name(model: Model, restricted: _Restricted) -> tuple[list[str], dict[str, str]]:
    """The columns that a model promises; restricted if any restricted column has the same name."""
    by_name = {name: origin for columns in restricted.values() for name, origin in columns.items()}
    names = [column.name for column in model.columns]
    return names, {name: by_name[name] for name in names if name in by_name}


def _followed(
    query: str, known: dict[str, list[str]], restricted: _Restricted
) -> tuple[list[str], dict[str, str]] | None:
    """Columns of a query, and the restricted source column that each comes from; None if the SQL is beyond sqlglot."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    schema: dict[str, Any] = {}
    for relation, columns in known.items():
        folder, _, name = relation.partition(".")
        schema.setdefault(folder, {})[name] = dict.fromkeys(columns, "text")
    try:
        tree = parse_one(query, dialect="postgres")
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)
        followed = lineage(None, tree, schema, dialect="postgres", trim_selects=False, validate_qualify_columns=False)
        names = list(followed)
        found = {name: _origin(node, restricted) for name, node in followed.items()}
    except (SqlglotError, ValueError):
        return None
    if "*" in names:
        return None
    return names, {name: origin for name, origin in found.items() if origin}


def _origin(node: Any, restricted: _Restricted) -> str | None:
    """The restricted source column among those that a column is made of; by name where one can't be traced."""
    from sqlglot import exp

    for each in node.walk():
        if each.downstream:
            continue
        column = each.name.split(".")[-1].strip('"')
        if isinstance(each.source, exp.Table):
            origins = [restricted.get(f"{each.source.db}.{each.source.name}", {})]
        else:
            origins = list(restricted.values())
        if found := next((origin[column] for origin in origins if column in origin), None):
            return found
    return None
