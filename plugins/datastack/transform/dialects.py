"""Refuses SQL that one of the dialects does not have: what dbt sends must run on Postgres and on Redshift.

What Redshift lacks: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html and the pages
on unsupported data types and functions beside it. sqlglot's Redshift dialect reads some of it all the same.
"""

from collections.abc import Callable, Iterator
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.transform.compiled import Compiled, Statement, file_of
from datastack.transform.manifest import Project

_REMEDY = "Put it into a macro that dispatches on the dialect, with a version for each."
# Functions that Postgres has and Redshift has not, with the reason or what stands in for them there.
FUNCTIONS = {
    "array_agg": "there are no arrays; listagg makes a text",
    "array_length": "there are no arrays",
    "cardinality": "there are no arrays",
    "clock_timestamp": "it runs on the leader node only; getdate() is the time",
    "date_bin": "it does not exist",
    "every": "it does not exist; bool_and does",
    "format": "it does not exist",
    "gen_random_uuid": "it does not exist",
    "generate_series": "it runs on the leader node only, never beside a table",
    "json_agg": "it does not exist",
    "json_build_object": "it does not exist",
    "jsonb_agg": "there is no jsonb",
    "jsonb_build_object": "there is no jsonb",
    "make_date": "it does not exist; to_date does",
    "make_interval": "it does not exist",
    "make_timestamptz": "it does not exist",
    "mode": "it does not exist",
    "now": "it runs on the leader node only; getdate() is the time",
    "num_nonnulls": "it does not exist",
    "num_nulls": "it does not exist",
    "regexp_match": "it does not exist; regexp_substr does",
    "regexp_matches": "it does not exist; regexp_substr does",
    "regexp_split_to_table": "it does not exist",
    "statement_timestamp": "it runs on the leader node only; getdate() is the time",
    "string_agg": "it is called listagg",
    "string_to_array": "there are no arrays",
    "unnest": "there are no arrays",
    "width_bucket": "it does not exist",
}
# Types by their names in sqlglot.
TYPES = {
    "ARRAY": "there are no arrays",
    "BIT": "there are no bit strings; strtol reads hexadecimal digits",
    "INET": "the type does not exist",
    "JSON": "the type does not exist; super does",
    "JSONB": "the type does not exist; super does",
    "MONEY": "the type does not exist",
    "OBJECT_IDENTIFIER": "names can't be cast to catalogue entries beside tables",
    "UUID": "the type does not exist",
    "XML": "the type does not exist",
}
DATE_PARTS = {"ISODOW": "dow counts from Sunday, 0", "ISOYEAR": "the year of the week's Thursday is the same"}


def dialect_failures(project: Project, compiled: Compiled) -> Iterator[DeclarationError]:
    """Whatever does not parse in the dialect, or is known not to run there: once for each model and kind."""
    seen: set[tuple[str, str]] = set()
    for statement in compiled.statements:
        for line, problem, remedy in _found(statement, compiled.dialect):
            if (statement.node, problem) not in seen:
                seen.add((statement.node, problem))
                where = f"{statement.node.split('.')[2]}, " if statement.node.count(".") > 1 else f"{statement.node}, "
                field = f"{where}line {line} for {compiled.dialect} ({_line(statement.sql, line)})"
                yield DeclarationError(file_of(project, statement.node), field, problem, remedy)


def _found(statement: Statement, dialect: str) -> Iterator[tuple[int, str, str]]:
    """Line, problem and remedy of each finding in one statement."""
    import sqlglot
    from sqlglot.errors import ErrorLevel, SqlglotError

    try:
        parsed = sqlglot.parse(statement.sql, dialect=dialect, error_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        first: dict[str, Any] = (getattr(error, "errors", None) or [{}])[0]
        said = str(first.get("description") or error).splitlines()[0].rstrip(".")
        yield first.get("line") or 1, f"{dialect} does not read it: {said}", f"Correct it. {_REMEDY}"
        return
    if dialect == "redshift":
        yield from _words(statement.sql)
    for expression in parsed:
        if expression is not None:
            yield from _unreadable(expression, dialect)
            if dialect == "redshift":
                yield from _lacking(expression)


def _unreadable(expression: Any, dialect: str) -> Iterator[tuple[int, str, str]]:
    from sqlglot import exp

    for command in expression.find_all(exp.Command):
        yield 1, f"nothing is known in {dialect} of {str(command.this)[:40]!r}", f"Correct it. {_REMEDY}"


def _words(sql: str) -> Iterator[tuple[int, str, str]]:
    """Functions and operators by the words that were written: parsed, some have other names already."""
    from sqlglot.dialects import Redshift
    from sqlglot.tokenizer_core import TokenType

    tokens = Redshift().tokenize(sql)
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        name = token.text.lower()
        is_call = after is not None and after.token_type is TokenType.L_PAREN
        if is_call and name in FUNCTIONS and token.token_type not in (TokenType.IDENTIFIER, TokenType.STRING):
            yield token.line, f"Redshift lacks {name}: {FUNCTIONS[name]}", _REMEDY
        if token.token_type in (TokenType.ARROW, TokenType.DARROW):
            yield token.line, f"Redshift lacks {name}: json_extract_path_text does the same", _REMEDY


def _lacking(expression: Any) -> Iterator[tuple[int, str, str]]:
    for node in expression.walk():
        for found in _LOOKS:
            if reason := found(node):
                yield _line_of(node), f"Redshift lacks {reason}", _REMEDY


def _type(node: Any) -> str | None:
    from sqlglot import exp

    if not isinstance(node, exp.DataType):
        return None
    kind = getattr(node.this, "name", None) or type(node.this).__name__
    kind = "OBJECT_IDENTIFIER" if isinstance(node, exp.ObjectIdentifier) else str(kind)
    return f"the type {kind.lower()}: {TYPES[kind]}" if kind in TYPES else None


def _date_part(node: Any) -> str | None:
    from sqlglot import exp

    part = node.name.upper() if isinstance(node, exp.Extract) else ""
    return f"the date part {part.lower()}: {DATE_PARTS[part]}" if part in DATE_PARTS else None


def _construct(node: Any) -> str | None:
    from sqlglot import exp

    kinds: dict[type, str] = {
        exp.Filter: "filter (where …): sum over a case does the same",
        exp.Lateral: "lateral: joins can't read the row beside them",
        exp.OnConflict: "on conflict: unique keys are not enforced",
        exp.Returning: "returning: it does not exist",
        exp.Fetch: "fetch first: limit does the same",
        exp.NullSafeEQ: "is not distinct from: compare, and compare nulls",
        exp.NullSafeNEQ: "is distinct from: compare, and compare nulls",
        exp.Array: "array[…]: there are no arrays",
    }
    if isinstance(node, exp.Distinct) and node.args.get("on"):
        return "distinct on: row_number() does the same"
    if isinstance(node, exp.Values) and not isinstance(node.parent, exp.Insert):
        return "values as a table: union all of selects does the same"
    if isinstance(node, exp.Create) and node.args.get("kind") == "INDEX":
        return "indexes: sort keys stand in for them"
    return kinds.get(type(node))


_LOOKS: tuple[Callable[[Any], str | None], ...] = (_type, _date_part, _construct)


def _line_of(node: Any) -> int:
    """Line of the first word in an expression that knows its own; sqlglot keeps lines of names only."""
    return next((each.meta["line"] for each in node.walk() if "line" in each.meta), 1)


def _line(sql: str, line: int) -> str:
    lines = sql.splitlines()
    return lines[line - 1].strip()[:100] if 0 < line <= len(lines) else ""
