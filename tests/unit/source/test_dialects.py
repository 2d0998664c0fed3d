"""SQL for every database that ConnectorX reads: it parses in its dialect, and casts what would not arrive exact.

SQL Server, Oracle, Trino and BigQuery are tested here only; SQLite and MariaDB run in tests/integration/databases.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlglot
from sqlglot import exp

from datastack.source.connectorx import DIALECTS
from datastack.source.database import Range
from datastack.source.dialects import Dialect, TableColumn
from datastack.source.errors import SourceError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SQLGLOT = {"mssql": "tsql"}
TABLES = {"bigquery": "project.dataset.a table", "trino": "lake.shop.order", "sqlite": "order"}

CASTS = {  # source type: SQL of a column `v`; what is not here is selected as it is
    "mysql": {
        "decimal(38,10)": "cast(`v` as char)",
        "year(4)": "cast(`v` as char)",
        "bit(64)": "cast(`v` + 0 as char)",
        "date": "cast(`v` as char)",
        "datetime(6)": "cast(`v` as char)",
        "timestamp": "cast(`v` as char)",
        "time(6)": "cast(`v` as char)",
        "enum('a','b')": "cast(`v` as char)",
        "json": "cast(`v` as char)",
        "geometry": "st_aswkb(`v`)",
    },
    "mssql": {
        "decimal": "convert(varchar(60), [v])",
        "money": "convert(varchar(60), [v], 2)",
        "datetime": "left(convert(varchar(33), [v], 126), 26)",
        "datetime2": "left(convert(varchar(33), [v], 126), 26)",
        "datetimeoffset": "left(convert(varchar(33), cast(switchoffset([v], '+00:00') as datetime2(7)), 126), 26)",
        "date": "convert(varchar(10), [v], 23)",
        "time": "cast([v] as nvarchar(max))",
        "uniqueidentifier": "lower(convert(varchar(36), [v]))",
        "timestamp": "cast([v] as binary(8))",
        "varchar": "cast([v] as nvarchar(max))",
        "xml": "cast([v] as nvarchar(max))",
        "hierarchyid": "[v].ToString()",
    },
    "oracle": {
        "NUMBER": """to_char("v", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')""",
        "FLOAT": """to_char("v", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')""",
        "DATE": """to_char(cast("v" as timestamp(0)), 'YYYY-MM-DD"T"HH24:MI:SS.FF6')""",
        "TIMESTAMP(9)": """to_char("v", 'YYYY-MM-DD"T"HH24:MI:SS.FF6')""",
        "TIMESTAMP(6) WITH TIME ZONE": """to_char(sys_extract_utc("v"), 'YYYY-MM-DD"T"HH24:MI:SS.FF6')""",
        "TIMESTAMP(6) WITH LOCAL TIME ZONE": """to_char(sys_extract_utc("v"), 'YYYY-MM-DD"T"HH24:MI:SS.FF6')""",
        "INTERVAL DAY(2) TO SECOND(6)": 'to_char("v")',
        "NCLOB": 'to_clob("v")',
        "RAW": 'to_blob("v")',
        "ROWID": 'rowidtochar("v")',
    },
    "trino": {
        "decimal(38,2)": 'cast("v" as varchar)',
        "double": 'cast("v" as varchar)',
        "char(3)": 'cast("v" as varchar)',
        "varchar(3)": 'cast("v" as varchar)',
        "timestamp(12)": 'substr(cast("v" as varchar), 1, 26)',
        "timestamp(6) with time zone": (
            """substr(cast(cast("v" at time zone 'UTC' as timestamp(12)) as varchar), 1, 26)"""
        ),
        "time(6)": 'cast("v" as varchar)',
        "varbinary": 'to_hex("v")',
        "map(varchar, bigint)": 'json_format(cast("v" as json))',
        "row(a bigint)": 'json_format(cast("v" as json))',
        "array(varchar)": 'json_format(cast("v" as json))',
        "json": 'json_format("v")',
        "uuid": 'cast("v" as varchar)',
    },
    "bigquery": {
        "NUMERIC(10, 2)": "cast(`v` as string)",
        "BIGNUMERIC": "cast(`v` as string)",
        "FLOAT64": "cast(`v` as string)",
        "DATE": "cast(`v` as string)",
        "DATETIME": "format_datetime('%Y-%m-%dT%H:%M:%E6S', `v`)",
        "TIMESTAMP": "format_timestamp('%Y-%m-%dT%H:%M:%E6S', `v`, 'UTC')",
        "TIME": "cast(`v` as string)",
        "BYTES": "to_hex(`v`)",
        "STRUCT<a INT64>": "to_json_string(`v`)",
        "ARRAY<STRING>": "to_json_string(`v`)",
        "JSON": "to_json_string(`v`)",
        "INTERVAL": "cast(`v` as string)",
    },
}
AS_IT_IS = {
    "mysql": [
        "tinyint(1)",
        "int(10) unsigned",
        "bigint(20)",
        "float",
        "double",
        "varchar(9)",
        "longtext",
        "varbinary(9)",
    ],
    "mssql": ["tinyint", "bigint", "real", "float", "bit"],
    "oracle": ["BINARY_DOUBLE", "VARCHAR2", "NVARCHAR2", "CHAR", "CLOB", "BLOB"],
    "trino": ["tinyint", "bigint", "boolean"],
    "bigquery": ["INT64", "BOOL", "STRING"],
}


def parsed(dialect: Dialect, statement: str) -> Any:
    return sqlglot.parse_one(statement, dialect=SQLGLOT.get(dialect.kind, dialect.kind))


@pytest.fixture(params=sorted(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.mark.parametrize("kind", sorted(CASTS))
def test_what_would_not_arrive_exact_is_cast_and_the_rest_is_not(kind: str):
    sql = DIALECTS[kind]
    expected = CASTS[kind] | {name: sql.quote("v") for name in AS_IT_IS[kind]}
    assert {name: sql.selected(TableColumn("v", name), "v", None).sql for name in expected} == expected


def test_every_statement_parses(dialect: Dialect):
    table = TABLES.get(dialect.kind, "shop.order")
    types = [*CASTS.get(dialect.kind, {}), *AS_IT_IS.get(dialect.kind, []), "never heard of"]
    columns = [TableColumn(f"c{number} select", type_) for number, type_ in enumerate(types)]
    selected = [dialect.selected(column, column.name, None) for column in columns]
    key = [TableColumn("a", types[0]), TableColumn("b", types[-1])]
    conditions = [dialect.beyond(key, ("7", "'x'"), sign) for sign in (">", "<=")]
    for statement in (
        dialect.catalogue(table),
        dialect.query(table, selected, conditions),
        dialect.bounds(table, key, 1000, conditions),
        dialect.nulls(table, key, []),
        dialect.highest(table, columns[0], conditions),
    ):
        tree = parsed(dialect, statement)
        assert isinstance(tree, exp.Query), statement
        assert not tree.find(exp.Command), statement
    read = parsed(dialect, dialect.query(table, selected, conditions))
    assert [column.alias_or_name for column in read.selects][-1] == "datastack_rows"
    assert {name.name for name in read.find_all(exp.Table)} <= {table.split(".")[-1], table.split(".")[-1].upper()}


def test_a_name_is_quoted_so_that_it_reads_back(dialect: Dialect):
    for name in ("select", "Mixed Case", "ü" * 31, 'a"b', "a`b", "a]b", "a'b", "1st"):
        tree = parsed(dialect, f"select {dialect.quote(name)} from t")
        assert tree.selects[0].name == name


def test_keys_are_compared_column_by_column():
    key = [TableColumn(name, "int") for name in ("a", "b", "c")]
    sql = DIALECTS["mssql"]
    assert sql.beyond(key[:1], ("1",), "<=") == "[a] <= 1"
    assert sql.beyond(key, ("1", "2", "3"), ">") == ("[a] >= 1 and ([a] > 1 or ([b] >= 2 and ([b] > 2 or ([c] > 3))))")
    assert sql.beyond(key[:2], ("1", "2"), "<=") == "[a] <= 1 and ([a] < 1 or ([b] <= 2))"
    with pytest.raises(SourceError, match="is no number"):
        sql.beyond(key[:1], ("1 or 1=1",), ">")


BOUNDS = {
    ("mssql", "datetime2"): "[t] >= cast('2024-07-01T12:00:00.000000' as datetime2(6))",
    ("mssql", "datetimeoffset"): "[t] >= cast('2024-07-01T10:00:00.000000+00:00' as datetimeoffset(6))",
    ("mssql", "date"): "[t] >= cast('2024-07-02' as date)",
    ("oracle", "DATE"): "\"t\" >= timestamp '2024-07-01 12:00:00.000000'",
    ("oracle", "TIMESTAMP(6) WITH TIME ZONE"): "\"t\" >= timestamp '2024-07-01 10:00:00.000000 +00:00'",
    ("trino", "timestamp(3)"): "\"t\" >= timestamp '2024-07-01 12:00:00.000000'",
    ("trino", "timestamp(3) with time zone"): "\"t\" >= timestamp '2024-07-01 10:00:00.000000 +00:00'",
    ("trino", "date"): "\"t\" >= date '2024-07-02'",
    ("bigquery", "DATETIME"): "`t` >= datetime '2024-07-01 12:00:00.000000'",
    ("bigquery", "TIMESTAMP"): "`t` >= timestamp '2024-07-01 10:00:00.000000 +00:00'",
    ("mysql", "timestamp"): "`t` >= '2024-07-01 10:00:00.000000'",
    ("mysql", "datetime"): "`t` >= '2024-07-01 12:00:00.000000'",
    ("sqlite", "datetime"): "replace(\"t\", 'T', ' ') >= '2024-07-01 12:00'",
}


@pytest.mark.parametrize(("kind", "source_type"), BOUNDS)
def test_a_bound_is_local_for_naive_times_and_utc_for_others(kind: str, source_type: str):
    bounds = Range("t", datetime(2024, 7, 1, 10, tzinfo=UTC))
    (condition,) = DIALECTS[kind].within(TableColumn("t", source_type), bounds, AMSTERDAM)
    assert condition == BOUNDS[kind, source_type]
    assert parsed(DIALECTS[kind], f"select 1 from t where {condition}")


def test_text_is_written_so_that_nothing_escapes(dialect: Dialect):
    text = TableColumn("t", {"oracle": "VARCHAR2", "bigquery": "STRING"}.get(dialect.kind, "varchar(9)"))
    for value in ("'", "\\'", "x' or 1=1 --", '"', "`", "é😀"):
        (condition,) = dialect.within(text, Range("t", value), None)
        tree = parsed(dialect, f"select 1 from t where {condition}")
        assert isinstance(tree.args["where"].this.unnest(), exp.GTE)


def test_a_statement_without_a_zone_says_what_to_do(dialect: Dialect):
    naive = {"oracle": "TIMESTAMP(6)", "trino": "timestamp(6)"}.get(dialect.kind, "datetime")
    with pytest.raises(SourceError, match=r"column t has timestamps without a time zone: say .* `timezone:"):
        dialect.within(TableColumn("t", naive), Range("t", datetime(2024, 1, 1, tzinfo=UTC)), None)
