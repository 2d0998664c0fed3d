"""SQL of databases that ConnectorX reads: names, values, and how each column is selected so that it arrives exact.

ConnectorX makes doubles of decimals, loses what Arrow has no type for, and panics at types that it does not know. So
each dialect has rules by source type: what arrives exact is selected as it is, all else as text in a stated form,
and the contract's types are made of the text afterwards.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.contract.sql import sql
from datastack.source.bounds import NUMBER, Kind, bound_text
from datastack.source.database import Bound, Range
from datastack.source.errors import SourceError

COUNT = "datastack_rows"  # column beside the table's own: rows of the statement
RANK = "datastack_rank"


@dataclass(frozen=True)
class Rule:
    """How columns of some source types are read.

    :param pattern: regular expression on the whole source type, in lower case.
    :param select: SQL of the value, ``{c}`` is the column.
    :param compare: SQL by which rows are ordered and compared, where the column itself would order and compare
        differently.
    :param literal: SQL around a literal ``{l}`` that is compared with it.
    :param is_hex: bytes arrive in hexadecimal.
    """

    pattern: str
    kind: Kind
    select: str = "{c}"
    compare: str = "{c}"
    literal: str = "{l}"
    is_hex: bool = False


@dataclass(frozen=True)
class TableColumn:
    """A column as the catalogue has it."""

    name: str
    type: str


@dataclass(frozen=True)
class Selected:
    """A column in a select list.

    :param alias: its name in the result.
    :param sql: its value.
    :param wanted: the contract's type; None for a column that it does not know.
    :param rest: SQL of the values, as text, for which ``sql`` is null though they aren't.
    :param example: a value of the type that ``sql`` has, for engines that know types by values only.
    """

    alias: str
    sql: str
    rule: Rule
    wanted: str | None
    rest: str | None = None
    example: str = "''"

    @property
    def rest_alias(self) -> str:
        """Name of the rest in the result."""
        return f"datastack_rest_{self.alias}"

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """Columns of the result: alias, SQL, example."""
        rest = [(self.rest_alias, self.rest, "''")] if self.rest else []
        return [(self.alias, self.sql, self.example), *rest]


class Dialect:
    """SQL of one kind of database. Subclasses state what differs."""

    kind: ClassVar[str]
    quotes: ClassVar[str] = '""'
    rules: ClassVar[tuple[Rule, ...]] = ()
    other: ClassVar[Rule]  # for types without a rule
    text: ClassVar[str]  # a number as text
    hexadecimal: ClassVar[str] = "hex({c})"
    count: ClassVar[str] = "count(*) over ()"
    nth: ClassVar[str] = "mod({n}, {rows}) = 0"
    own_schema: ClassVar[str] = "''"  # SQL of the schema of tables that are named without one
    session: ClassVar[tuple[str, ...]] = ()  # statements before each query

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        closing = self.quotes[1]
        return self.quotes[0] + name.replace(closing, closing * 2) + closing

    def path(self, table: str) -> list[str]:
        """Take a table's name from the source file apart, as the catalogue spells it."""
        return table.split(".")

    def table(self, table: str) -> str:
        """Quote a table's name from the source file."""
        return ".".join(self.quote(part) for part in self.path(table))

    def catalogue(self, table: str) -> str:
        """Query for names and types of a table's columns, in order."""
        *scope, schema, name = ["", "", *self.path(table)]
        return sql(
            f"{self.kind}/table_columns",
            scope="".join(self.quote(part) + "." for part in scope if part),
            schema=self.literal(Kind.TEXT, schema) if schema else self.own_schema,
            schema_name=self.quote(schema),
            table=self.literal(Kind.TEXT, name),
        )

    def rule(self, source_type: str) -> Rule:
        """How columns of a source type are read."""
        found = (rule for rule in self.rules if re.fullmatch(rule.pattern, source_type.lower().strip()))
        return next(found, self.other)

    def selected(self, column: TableColumn, alias: str, wanted: str | None) -> Selected:
        """How a column stands in the select list."""
        rule = self.rule(column.type)
        return Selected(alias, rule.select.format(c=self.quote(column.name)), rule, wanted)

    def query(self, table: str, selected: Sequence[Selected], conditions: Sequence[str]) -> str:
        """Statement that reads rows, and counts them in :data:`COUNT`."""
        parts = [part for column in selected for part in column.parts]
        columns = ", ".join(f"{sql} as {self.quote(alias)}" for alias, sql, _ in parts)
        return f"select {columns}, {self.count} as {COUNT} from {self.table(table)}{where(conditions)}"  # noqa: S608 quoted

    def rows(self, result: pa.Table) -> pa.Table:
        """Rows of the table in what :meth:`query` gave."""
        return result

    def bounds(self, table: str, key: Sequence[TableColumn], rows: int, conditions: Sequence[str]) -> str:
        """Statement that gives, as text, the key of every so-many-th row by its order, as ``k0``, ``k1``."""
        compared = ", ".join(self.ordered(column) for column in key)
        inner = ", ".join(f"{self.quote(column.name)} as k{number}" for number, column in enumerate(key))
        outer = ", ".join(f"{self.key_text(column, f'k{number}')} as k{number}" for number, column in enumerate(key))
        ranked = f"{inner}, row_number() over (order by {compared}) as {RANK}"
        numbered = f"select {ranked} from {self.table(table)}{where(conditions)}"  # noqa: S608 quoted
        nth = self.nth.format(n=RANK, rows=rows)
        return f"select {outer} from ({numbered}) datastack_keys where {nth} order by {RANK}"  # noqa: S608 quoted

    def nulls(self, table: str, key: Sequence[TableColumn], conditions: Sequence[str]) -> str:
        """Statement that counts rows with a null in the key, in :data:`COUNT`."""
        null = " or ".join(f"{self.quote(column.name)} is null" for column in key)
        return f"select count(*) as {COUNT} from {self.table(table)}{where([*conditions, null])}"  # noqa: S608 quoted

    def highest(self, table: str, column: TableColumn, conditions: Sequence[str]) -> str:
        """Statement that gives a column's highest value as text, as ``highest``."""
        value = self.key_text(column, f"max({self.quote(column.name)})")
        return f"select {value} as highest from {self.table(table)}{where(conditions)}"  # noqa: S608 quoted

    def ordered(self, column: TableColumn) -> str:
        """SQL by which a key's column is ordered, as comparison orders it."""
        return self.rule(column.type).compare.format(c=self.quote(column.name))

    def key_text(self, column: TableColumn, sql: str) -> str:
        """SQL of a column's value as text from which :meth:`literal` makes the value again."""
        rule = self.rule(column.type)
        if rule.kind is Kind.BYTES:
            return self.hexadecimal.format(c=sql)
        return (self.text if rule.select == "{c}" and rule.kind is Kind.NUMBER else rule.select).format(c=sql)

    def beyond(self, key: Sequence[TableColumn], values: Sequence[str], operator: str) -> str:
        """Condition that a row's key is ``>`` or ``<=`` a key, compared column by column, as few engines do rows."""
        column, strict = key[0], operator[0]
        left, right = self.ordered(column), self.key_literal(column, values[0])
        if len(key) == 1:
            return f"{left} {operator} {right}"
        rest = self.beyond(key[1:], values[1:], operator)
        return f"{left} {strict}= {right} and ({left} {strict} {right} or ({rest}))"

    def key_literal(self, column: TableColumn, text: str) -> str:
        """Make a key's value of what :meth:`key_text` gave."""
        rule = self.rule(column.type)
        return rule.literal.format(l=self.literal(rule.kind, text))

    def within(self, column: TableColumn, bounds: Range, zone: ZoneInfo | None) -> list[str]:
        """Conditions that a cursor lies in a range.

        :raises SourceError: if a bound can't be compared with the column, or needs a zone.
        """
        pairs = ((">=", bounds.start), ("<", bounds.end))
        return [self.compared(column, sign, bound, zone) for sign, bound in pairs if bound is not None]

    def compared(self, column: TableColumn, sign: str, bound: Bound, zone: ZoneInfo | None) -> str:
        """Condition that a cursor lies on one side of a bound."""
        text = bound_text(column.name, self.rule(column.type).kind, bound, zone)
        return f"{self.ordered(column)} {sign} {self.key_literal(column, text)}"

    def misfits(self, table: str, column: TableColumn) -> str | None:
        """Statement that counts, in :data:`COUNT`, cursors that no time can be compared with; None for no need."""
        return None

    def plain(self, text: str) -> str | None:
        """Text of a value that :meth:`highest` gave."""
        return text

    def literal(self, kind: Kind, value: str) -> str:
        """Write a value as SQL.

        :raises SourceError: if a number is none.
        """
        if kind is Kind.NUMBER:
            if not NUMBER.fullmatch(value):
                raise SourceError(f"{value!r} is no number, but the column that it is compared with is one")
            return value
        if kind is Kind.BYTES:
            return f"x'{bytes.fromhex(value).hex()}'"
        return "'" + value.replace("'", "''") + "'"


def where(conditions: Sequence[str]) -> str:
    """SQL clause of conditions that all hold; empty without any."""
    return f" where {' and '.join(f'({condition})' for condition in conditions)}" if conditions else ""
