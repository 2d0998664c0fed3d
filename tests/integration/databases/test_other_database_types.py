"""Values of a real SQLite and a real MariaDB, compared with those that their own clients give."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.integration.databases import mariadb
from tests.integration.databases.reading import AMSTERDAM, Values, conformed

EXACT = [  # MariaDB type, contract type, values as SQL
    ("tinyint(1)", "boolean", ["0", "1", "-1"]),
    ("tinyint unsigned", "smallint", ["0", "255"]),
    ("smallint", "smallint", ["-32768", "32767"]),
    ("mediumint unsigned", "integer", ["0", "16777215"]),
    ("mediumint", "integer", ["-8388608", "8388607"]),
    ("int unsigned", "bigint", ["0", "4294967295"]),
    ("int", "numeric(12,2)", ["-2147483648", "2147483647"]),
    ("int zerofill", "integer", ["7"]),
    ("bigint", "bigint", ["-9223372036854775808", "9223372036854775807"]),
    ("bigint unsigned", "numeric(20,0)", ["0", "18446744073709551615", "9007199254740993"]),
    ("decimal(38,10)", "numeric(38,10)", ["1234567890123456789012345678.0123456789", "-0.0000000001", "0"]),
    ("decimal(65,30)", "text", ["12345678901234567890123456789012345.012345678901234567890123456789"]),
    ("float", "real", ["0.1", "-3.4e38", "1.17549e-38", "16777216"]),
    ("double", "double precision", ["0.1", "1.7976931348623157e308", "2.2250738585072014e-308", "-0e0", "1e22"]),
    ("double", "numeric(10,2)", ["0.1", "12345.25"]),
    ("bit(1)", "boolean", ["b'0'", "b'1'"]),
    ("bit(64)", "numeric(20,0)", ["b'1'", "18446744073709551615"]),
    ("year", "smallint", ["1901", "2155", "0"]),
    ("date", "date", ["'1000-01-01'", "'9999-12-31'", "'2024-02-29'"]),
    ("datetime", "timestamp", ["'1000-01-01'", "'9999-12-31 23:59:59'"]),
    ("datetime", "date", ["'2024-02-29 00:00:00'"]),
    ("datetime(6)", "timestamp", ["'2024-02-29 12:34:56.123456'", "'0001-01-01 00:00:00.000001'"]),
    ("timestamp(6) null", "timestamptz", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"]),
    ("time(6)", "text", ["'-838:59:59.000000'", "'838:59:58.999999'", "'00:00:00.000001'"]),
    ("char(10)", "text", ["''", "'a b'", "'naïve'"]),
    ("varchar(50) character set latin1", "text", ["'naïve'", "''", "'None'", "'null'"]),
    ("varchar(50) character set utf8mb4 collate utf8mb4_bin", "text", ["'😀 quo\\'te \"d\" \\\\ \\n'", "''"]),
    ("varchar(50) character set utf16", "text", ["'😀'"]),
    ("text", "text", ["'😀\\r\\n\\tend'", "repeat('x', 65535)", "''"]),
    ("longtext character set latin1", "text", ["repeat('é', 300000)"]),
    ("binary(4)", "bytea", ["x'00ff'"]),
    ("varbinary(10)", "bytea", ["x''", "x'00ff10'"]),
    ("longblob", "bytea", ["x'ffd8'", "repeat(x'00', 300000)"]),
    ("json", "jsonb", ['\'{"b": 12345678901234567890.10, "a": "x\\\\ny"}\'', "'null'"]),
    ("enum('b','a','')", "text", ["'a'", "''"]),
    ("set('x','y')", "text", ["'x,y'", "''"]),
    ("uuid", "text", ["'123e4567-e89b-12d3-a456-426655440000'"]),
    ("inet6", "text", ["'::1'"]),
]


@pytest.mark.parametrize(("source_type", "wanted", "literals"), EXACT, ids=[f"{row[0]}-{row[1]}" for row in EXACT])
def test_mariadb_values_arrive_exact(maria: mariadb.Server, maria_url: str, source_type: str, wanted: str, literals):
    with maria.connect() as db:
        db.execute(f"create or replace table exact (id int primary key, v {source_type})")
        db.execute("insert into exact values (0, null)")  # first, where a type could be guessed from it
        for number, literal in enumerate(literals, 1):
            db.execute(f"insert into exact values ({number}, {literal})")
        db.execute(
            f"select id, {'cast(v as double)' if source_type == 'float' else 'v'} from exact"
        )  # text cuts floats
        expected = {number: as_contract(value, wanted) for number, value in db.fetchall()}
    accepted, rejected = conformed("mysql", maria_url, "exact", {"id": "integer", "v": wanted})
    assert not rejected
    assert {key: row["v"] for key, row in accepted.items()} == expected
    assert len(expected) == len(literals) + 1


def as_contract(value: Any, wanted: str) -> Any:
    """What the engine's client gives, as a contract's type has it."""
    if value is None or wanted in ("bytea",):
        return value
    if isinstance(value, bytes) and wanted in ("boolean", "numeric(20,0)"):
        value = int.from_bytes(value)
    match wanted.split("(")[0]:
        case "boolean":
            return bool(value)
        case "timestamptz":
            return value.replace(tzinfo=UTC)
        case "date":
            return value if not isinstance(value, datetime) else value.date()
        case "numeric":
            return Decimal(str(value))
        case "text":
            return as_text(value)
        case "real":
            return pa.array([value], pa.float32())[0].as_py()
    return value


def as_text(value: Any) -> str:
    if hasattr(value, "total_seconds"):  # a TIME
        micros = round(value.total_seconds() * 1_000_000)
        seconds, micro = divmod(abs(micros), 1_000_000)
        return f"{'-' if micros < 0 else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micro:06}"
    return str(value)


SQLITE = [  # declared type, contract type, values, what is expected; ... stands for quarantine
    ("integer", "bigint", [2**63 - 1, -(2**63), "many", 1.5], [2**63 - 1, -(2**63), ..., ...]),
    ("integer", "boolean", [0, 1, "true", 2], [False, True, True, ...]),
    ("boolean", "boolean", [True, "false", b"1"], [True, False, ...]),
    ("real", "double precision", [5e-324, 1.7976931348623157e308, 2.2790121708605243e274, 0.1, float("inf"), 1,
                                  "many"], [5e-324, 1.7976931348623157e308, 2.2790121708605243e274, 0.1,
                                            float("inf"), 1.0, ...]),
    ("decimal(10,2)", "numeric(10,2)", ["1.10", 0.1 + 0.2, 3, 12345678.91, "1.105"],
     [Decimal("1.10"), Decimal("0.30"), Decimal("3.00"), Decimal("12345678.91"), ...]),
    ("numeric", "text", [0.1, 12, "many", b"\xff\x00"], ["0.1", "12", "many", "\\xff00"]),
    ("text", "text", ["", "None", "😀 'q' \"d\" \\ \nend", 5, 0.1, b"\xff"], ["", "None", "😀 'q' \"d\" \\ \nend",
                                                                        "5", "0.1", "\\xff"]),
    ("", "text", [1, "1", 1.5, b""], ["1", "1", "1.5", "\\x"]),
    ("blob", "bytea", [b"", b"\x00\xff", "text", 5], [b"", b"\x00\xff", b"text", b"5"]),
    ("text", "jsonb", ['{"b": 12345678901234567890.10}'], ['{"b": 12345678901234567890.10}']),
    ("date", "date", ["2024-02-29", "0001-01-01", "2024-02-30", 20240229],
     [date(2024, 2, 29), date(1, 1, 1), ..., ...]),
    ("datetime", "timestamp", ["2024-02-29 12:34:56.123456", "2024-02-29T12:34", "2024-02-29", "soon", 1700000000],
     [datetime(2024, 2, 29, 12, 34, 56, 123456), datetime(2024, 2, 29, 12, 34), datetime(2024, 2, 29), ..., ...]),
    ("datetime", "timestamptz", ["2024-07-01 12:00:00", "2024-07-01T12:00:00+00:00", "2024-07-01 12:00:00Z",
                                 "2024-02-30"],
     [datetime(2024, 7, 1, 10, tzinfo=UTC), *[datetime(2024, 7, 1, 12, tzinfo=UTC)] * 2, ...]),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "wanted", "given", "expected"), SQLITE, ids=[f"{r[0]}-{r[1]}" for r in SQLITE])
def test_sqlite_values_arrive_exact_or_go_to_quarantine(
    sqlite, declared: str, wanted: str, given: Values, expected: Values
):
    db, url = sqlite
    db.execute(f"create table exact (id integer primary key, v {declared})")
    db.executemany("insert into exact values (?, ?)", [(0, None), *enumerate(given, 1)])
    accepted, rejected = conformed("sqlite", url, "exact", {"id": "integer", "v": wanted}, AMSTERDAM)
    fits = {number: value for number, value in enumerate([None, *expected]) if value is not ...}
    assert {key: row["v"] for key, row in accepted.items()} == fits
    assert set(rejected) == set(range(len(expected) + 1)) - set(fits)
    assert all(f"v: '{as_shown(given[key - 1])}" in reason for key, reason in rejected.items())


def as_shown(value: Any) -> str:
    return f"\\\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def test_a_double_is_not_rounded_to_a_scale(maria: mariadb.Server, maria_url: str):
    with maria.connect() as db:
        db.execute("create or replace table doubles (id int primary key, v double)")
        db.execute("insert into doubles values (1, 0.25), (2, 0.105), (3, 1e300)")
    accepted, rejected = conformed("mysql", maria_url, "doubles", {"id": "integer", "v": "numeric(10,2)"})
    assert accepted == {1: {"id": 1, "v": Decimal("0.25")}}
    assert rejected == {2: "v: '0.105' is not of type numeric(10,2)", 3: "v: '1e+300' is not of type numeric(10,2)"}


def test_zero_dates_go_to_quarantine_and_nothing_else_does(maria: mariadb.Server, maria_url: str):
    with maria.connect() as db:
        db.execute("set sql_mode = ''")
        db.execute("create or replace table zero (id int primary key, d date, t datetime(6))")
        db.execute("insert into zero values (1, '0000-00-00', null), (2, null, '0000-00-00'), (3, '2024-02-00', null)")
        db.execute("insert into zero values (4, '2024-02-29', '2024-02-29 00:00:00.5')")
    types = {"id": "integer", "d": "date", "t": "timestamptz"}
    accepted, rejected = conformed("mysql", maria_url, "zero", types, ZoneInfo("UTC"))
    moment = datetime(2024, 2, 29, 0, 0, 0, 500000, tzinfo=UTC)
    assert accepted == {4: {"id": 4, "d": date(2024, 2, 29), "t": moment}}
    assert rejected[1] == "d: '0000-00-00' is not of type date"
    assert rejected[2] == "t: '0000-00-00 00:00:00.000000' is not of type timestamptz"
    assert set(rejected) == {1, 2, 3}
