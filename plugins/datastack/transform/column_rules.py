"""Columns are followed through the SQL: a model has those that it promises, and restricted ones carry their mark.

dbt compares a contract with what the warehouse says of the query; here it is done without one, names only. Where
restricted columns may be among what a model is made of, a column that can't be followed is a failure: under another
name it could be any of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.model import Privacy
from datastack.transform.graph import Graph, is_mart, wrong
from datastack.transform.manifest import Model

_Restricted = dict[str, dict[str, str]]  # relation, column: the source column that it comes from


@dataclass(frozen=True)
class _Followed:
    """Columns of a query, the restricted source column that each comes from, and those whose origin is not known."""

    names: list[str]
    origins: dict[str, str]
    lost: list[str]


class _LostError(ValueError):
    """A column comes from something that can't be followed."""


def column_failures(graph: Graph, queries: dict[str, str]) -> Iterator[DeclarationError]:
    """Columns that a model promises and has not, and restricted columns of sources that reach a mart without a mark.

    :param queries: what dbt made of each model, by unique id.
    """
    restricted: _Restricted = {}
    known: dict[str, list[str]] = {}
    relations = {model.unique_id: model.relation for model in graph.project.models}
    for unique_id, source in graph.project.manifest.get("sources", {}).items():
        relation = f"{source['schema']}.{source['identifier']}"
        relations[unique_id], known[relation] = relation, list(source["columns"])
        restricted[relation] = {
            name: f"{source['source_name']}.{source['name']}.{name}"
            for name, column in source["columns"].items()
            if ((column.get("config") or {}).get("meta") or {}).get("privacy") == Privacy.RESTRICT
        }
    for model in graph.in_order():
        query = queries.get(model.unique_id, "")
        followed = _followed(query, known, restricted)
        read = {relations[name] for name in model.parents if name in relations}
        at_risk = _at_risk(read, query, restricted)
        if at_risk and (followed is None or followed.lost):
            yield _not_followed(model, followed, at_risk)
        known[model.relation] = followed.names if followed else [column.name for column in model.columns]
        restricted[model.relation] = followed.origins if followed else {}
        if followed and model.contract_enforced:
            yield from _as_promised(model, followed.names)
        if followed and is_mart(model):
            yield from _unmarked(model, followed.origins)


def _at_risk(read: set[str], query: str, restricted: _Restricted) -> list[str]:
    """The restricted source columns that stand in what a query reads, by ``ref`` or by a name that it spells out."""
    text = query.replace('"', "")
    found = (columns.values() for relation, columns in restricted.items() if relation in read or relation in text)
    return sorted({column for columns in found for column in columns})


def _not_followed(model: Model, followed: _Followed | None, at_risk: list[str]) -> DeclarationError:
    what = f"column {', '.join(followed.lost)}" if followed else "its SQL"
    problem = f"{what} can't be followed, and may come from what is restricted: {', '.join(at_risk)}"
    remedy = (
        "Write it as selects that name each column of each table, without whole rows, functions in FROM and renamed "
        "columns of a table; or have it read a model that leaves the restricted columns out."
    )
    return DeclarationError(model.file, model.name, problem, remedy)


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


def _followed(query: str, known: dict[str, list[str]], restricted: _Restricted) -> _Followed | None:
    """Follow the columns of a query; None if its SQL is beyond sqlglot."""
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
        nodes = lineage(None, tree, schema, dialect="postgres", trim_selects=False, validate_qualify_columns=False)
    except (SqlglotError, ValueError):
        return None
    if "*" in nodes:
        return None
    origins, lost = {}, []
    for name, node in nodes.items():
        try:
            if origin := _origin(node, known, restricted):
                origins[name] = origin
        except _LostError:
            lost.append(name)
    return _Followed(list(nodes), origins, lost)


def _origin(node: Any, known: dict[str, list[str]], restricted: _Restricted) -> str | None:
    """The restricted source column among those that a column is made of.

    :raises _LostError: if it is made of something else than columns that are known.
    """
    from sqlglot import exp

    found = []
    for each in node.walk():
        if each.expression.find(exp.TableColumn):  # a whole row
            raise _LostError
        if each.downstream:
            continue
        column = each.name.split(".")[-1].strip('"')
        relation = f"{each.source.db}.{each.source.name}" if isinstance(each.source, exp.Table) else ""
        if column in known.get(relation, ()):
            found.append(restricted[relation].get(column))
        elif not _is_constant(each):
            raise _LostError
    return next(filter(None, found), None)


def _is_constant(leaf: Any) -> bool:
    """Whether what a column comes from is made of no column, as ``1`` or ``generate_series(1, 9)`` is."""
    from sqlglot import exp

    if isinstance(leaf.source, exp.Placeholder):  # sqlglot found no table that has it
        return False
    is_select = isinstance(leaf.source, exp.Query)
    made_of = leaf.expression if is_select else leaf.source
    is_relation = isinstance(made_of, exp.Table) and isinstance(made_of.this, exp.Identifier)
    return not is_relation and made_of.find(exp.Column, exp.TableColumn) is None
