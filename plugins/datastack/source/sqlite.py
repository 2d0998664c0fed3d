r"""The dialect of SQLite, whose columns hold values of any type.

A value is read by the type that it has itself: integers, text and dates as text, reals as doubles where the contract
has them as doubles or text, else with 15 significant digits (what a decimal number keeps when it is stored as a
double), blobs as bytes where the contract says so, else as ``\x…`` in hexadecimal. What does not fit the contract
goes to quarantine.

ConnectorX takes a column's type from the first row, and fails at a null there: so a row of examples comes first, with
a count of -1, and is taken away again. It also parses statements and writes them anew, by which a quote after a
backslash is lost: so texts are written by their bytes.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.source.bounds import Kind, needed
from datastack.source.database import Bound
from datastack.source.dialects import COUNT, Dialect, Rule, Selected, TableColumn
from datastack.source.errors import SourceError
from datastack.source.naive import first_not_before

_TEXT = (
    "case typeof({c}) when 'real' then printf('%.15g', {c}) when 'blob' then '\\x' || lower(hex({c})) "
    "else cast({c} as text) end"
)
_REAL = "case typeof({c}) when 'real' then {c} end"
_NO_REAL = "case typeof({c}) when 'blob' then '\\x' || lower(hex({c})) when 'real' then null else cast({c} as text) end"
_QUOTED = re.compile(r"-?[0-9.]+(e[+-]?\d+)?|-?9\.0e\+999|'([^']|'')*'|X'([0-9A-F]{2})*'")


class SQLite(Dialect):
    """SQLite."""

    kind = "sqlite"
    text = _TEXT
    nth = "{n} % {rows} = 0"
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"date", Kind.DATE, _TEXT),
        Rule(r"(datetime|timestamp).*", Kind.DATETIME, _TEXT),
        Rule(r".*(char|clob|text).*", Kind.TEXT, _TEXT),
    )
    other = Rule("", Kind.NUMBER, _TEXT)

    def selected(self, column: TableColumn, alias: str, wanted: str | None) -> Selected:
        """Doubles come beside what is none, as they are: SQLite writes them with too few digits."""
        name, rule = self.quote(column.name), self.rule(column.type)
        if wanted == "bytea":
            return Selected(alias, f"cast({name} as blob)", rule, wanted, example="x''")
        if rule.kind is Kind.NUMBER and wanted in ("double precision", "real", "text", None):
            return Selected(alias, _REAL.format(c=name), rule, wanted, _NO_REAL.format(c=name), example="0.0")
        return Selected(alias, rule.select.format(c=name), rule, wanted)

    def query(self, table: str, selected: Sequence[Selected], conditions: Sequence[str]) -> str:
        """Rows after a row of examples."""
        parts = [part for column in selected for part in column.parts]
        examples = ", ".join(f"{example} as {self.quote(alias)}" for alias, _, example in parts)
        return f"select {examples}, -1 as {COUNT} union all {super().query(table, selected, conditions)}"

    def rows(self, result: pa.Table) -> pa.Table:
        """Rows after the row of examples."""
        return result.slice(1)

    def key_text(self, column: TableColumn, sql: str) -> str:
        """Literal of a value, whatever type it has."""
        return f"quote({sql})"

    def literal(self, kind: Kind, value: str) -> str:
        """Write a text by its bytes, see the module; the concatenation has no affinity, as plain texts have none."""
        return f"(cast(x'{value.encode().hex()}' as text) || '')" if kind is Kind.TEXT else super().literal(kind, value)

    def key_literal(self, column: TableColumn, text: str) -> str:
        """Take a literal of :meth:`key_text` as it is.

        :raises SourceError: if it is no literal.
        """
        if not _QUOTED.fullmatch(text):
            raise SourceError(f"{text!r} is no key of a SQLite table")
        return self.literal(Kind.TEXT, text[1:-1].replace("''", "'")) if text.startswith("'") else text

    def compared(self, column: TableColumn, sign: str, bound: Bound, zone: ZoneInfo | None) -> str:
        """Compare times as text, of whatever precision: a bound without trailing zeros sorts before its equals."""
        if not isinstance(bound, datetime):
            text = self.literal(Kind.TEXT, bound) if isinstance(bound, str) else repr(bound)
            return f"{self.quote(column.name)} {sign} {text}"
        is_date = self.rule(column.type).kind is Kind.DATE
        known = zone or ZoneInfo("UTC") if is_date else needed(column.name, zone)
        text = first_not_before(bound, known).isoformat(" ", "microseconds").rstrip("0").removesuffix(".")
        text = text.removesuffix(":00").removesuffix(" 00:00")
        return f"replace({self.quote(column.name)}, 'T', ' ') {sign} '{text}'"

    def misfits(self, table: str, column: TableColumn) -> str | None:
        """Numbers, and times with an offset."""
        name = self.quote(column.name)
        offset = " or ".join(f"{name} glob '{form}'" for form in ("*Z", "*:*[+-][0-9]*"))
        misfit = f"typeof({name}) not in ('text', 'null') or {offset}"
        return f"select count(*) as {COUNT} from {self.table(table)} where {misfit}"  # noqa: S608 quoted

    def plain(self, text: str) -> str | None:
        """Take the quotes off."""
        if text == "NULL":
            return None
        return text[1:-1].replace("''", "'") if text.startswith("'") else text
