"""What a warehouse holds for its readers, and a comparison that names the rows in which two differ."""

from collections import Counter
from dataclasses import dataclass

from tests.integration.harness import Stack

_TABLES = """
    select pg_class.oid::regclass::text from pg_class
    where relkind in ('r', 'v', 'm') and (relnamespace::regnamespace::text in ('marts', 'ml')
        or relnamespace::regnamespace::text like 'raw\\_%' and relname not like '\\_%')
    order by 1"""
_COLUMNS = """
    select string_agg(quote_ident(attname), ', ' order by attname),
        array_agg(attname || ' ' || format_type(atttypid, atttypmod) order by attname)
    from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped
        and attname not in ('_load_id', '_extracted_at', 'modified_at', 'lake_key')"""
# Hashes of rows are summed: their order does not matter.
_SUM = """
    select count(*), coalesce(sum(hashint8extended(hash_record_extended(row({columns}), 0), 0)), 0)::text
    from {table}"""
SHOWN = 5


@dataclass(frozen=True)
class Table:
    """A table's columns with their types, its rows as texts, how many there are, and their checksum."""

    columns: tuple[str, ...]
    rows: Counter[str]
    count: int
    checksum: str


def snapshot(stack: Stack) -> dict[str, Table]:
    """Read all marts, the views for machine learning, and the raw tables but for what says when and where."""
    return {table: _read(stack, table) for (table,) in stack.rows(_TABLES)}


def readers(stack: Stack) -> dict[str, Table]:
    """Read what consumers do."""
    return {name: table for name, table in snapshot(stack).items() if not name.startswith("raw_")}


def _read(stack: Stack, table: str) -> Table:
    [(names, columns)] = stack.rows(_COLUMNS, table)
    [(count, checksum)] = stack.rows(_SUM.format(columns=names, table=table))
    rows = Counter(text for (text,) in stack.rows(f"select made::text from (select {names} from {table}) as made"))
    return Table(tuple(columns), rows, count, checksum)


def differences(one: dict[str, Table], other: dict[str, Table]) -> list[str]:
    """Say in which tables, columns and rows they differ."""
    found = [f"{table} is in one of them only" for table in sorted(set(one) ^ set(other))]
    for table in sorted(set(one) & set(other)):
        first, second = one[table], other[table]
        if first.columns != second.columns:
            found.append(f"{table} has other columns: {sorted(set(first.columns) ^ set(second.columns))}")
        if first.checksum != second.checksum or first.count != second.count or first.rows != second.rows:
            missing, extra = first.rows - second.rows, second.rows - first.rows
            counts = f"{missing.total()} rows of {first.count} are missing, {extra.total()} are extra"
            rows = [f"- {row}" for row in sorted(missing)[:SHOWN]] + [f"+ {row}" for row in sorted(extra)[:SHOWN]]
            found.append("\n    ".join([f"{table}: {counts}", *rows]))
    return found


def told(one: dict[str, Table], other: dict[str, Table]) -> str:
    """Return a table of all checksums."""
    lines = [f"{'table':42} {'rows':>6} {'checksum':>26}  equal"]
    for table, found in one.items():
        equal = table in other and found.checksum == other[table].checksum
        lines.append(f"{table:42} {found.count:6} {found.checksum:>26}  {'yes' if equal else 'NO'}")
    return "\n".join(lines)
