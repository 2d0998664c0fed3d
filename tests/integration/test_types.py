"""Every Postgres type: what is in the source is in the warehouse, to the last digit, or it is a clear error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from datastack.source.errors import SourceError
from datastack.warehouse.load import WarehouseError
from tests.integration.any_table import RAW, Things, things_of
from tests.integration.harness import Stack

ARRIVES = settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example],
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.fixture
def things(stack: Stack, tmp_path: Path) -> Iterator[Things]:
    folder = tmp_path / "include"
    folder.mkdir()
    with things_of(stack, folder) as table:
        yield table


def whole(bits: int) -> st.SearchStrategy[str]:
    limit = 2 ** (bits - 1)
    return (st.integers(-limit, limit - 1) | st.sampled_from([-limit, limit - 1])).map(str)


def some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


def places(digits: int, scale: int) -> st.SearchStrategy[str]:
    limit = 10**digits - 1
    return (st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0])).map(lambda n: f"{n}e-{scale}")


FLOATS = st.floats().map(repr) | some("NaN", "-0", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308")
REALS = st.floats(width=32).map(repr) | some("NaN", "-0", "Infinity", "-Infinity", "1e-45")
ANY_NUMERIC = places(40, 17) | some("NaN", "Infinity", "-Infinity", "0.000", "9" * 1000, "-0." + "0" * 300 + "7")
DATES = some("4714-11-24 BC", "0001-12-31 BC", "5874897-12-31", "infinity", "-infinity", "2000-02-29", "1969-12-31")
TIMES = some(
    "4714-11-24 00:00:00 BC", "0044-03-15 12:00:00.000001 BC", "infinity", "-infinity", "294247-01-10 04:00:54.775806",
    "1970-01-01", "1999-12-31 23:59:59.999999",
)  # fmt: skip
JSON = some('{"b": 1, "a": "x\\"\\n\\u20ac"}', "null", '"quo\'te"', "[1.50, 1e400, true]", '{"a":1,"a":2}')
TYPES: dict[str, tuple[str, str, st.SearchStrategy[str]]] = {
    "small": ("smallint", "smallint", whole(16)),
    "int": ("integer", "integer", whole(32)),
    "wider": ("integer", "bigint", whole(32)),
    "big": ("bigint", "bigint", whole(64)),
    "big as text": ("bigint", "text", whole(64)),
    "real": ("real", "real", REALS),
    "double": ("double precision", "double precision", FLOATS),
    "money 12": ("numeric(12,2)", "numeric(12,2)", places(12, 2)),
    "num 38": ("numeric(38,0)", "numeric(38,0)", places(38, 0)),
    "num 38 of 38": ("numeric(38,38)", "numeric(38,38)", places(38, 38)),
    "num": ("numeric", "numeric", ANY_NUMERIC),
    "num as text": ("numeric", "text", ANY_NUMERIC),
    "domain": ("types.price", "numeric(10,3)", places(10, 3)),
    "text": ("text", "text", TEXT | some("", "NULL", "None", "\\N", "a'b\"c\n\r\t\\", "é€😀")),
    "varchar": ("varchar(20)", "text", TEXT),
    "char": ("char(20)", "text", TEXT),
    "bytes": ("bytea", "bytea", st.binary(max_size=20).map(lambda value: "\\x" + value.hex())),
    "bool": ("boolean", "boolean", some("true", "false")),
    "date": ("date", "date", DATES),
    "naive": ("timestamp", "timestamp", TIMES),
    "moment": ("timestamptz", "timestamptz", TIMES),
    "later": ("timestamptz", "text", TIMES | some("294276-12-31 23:59:59.999999Z")),
    "time": ("time", "time", some("00:00", "24:00:00", "23:59:59.999999")),
    "timetz": ("timetz", "text", some("24:00:00-15:59", "12:00:00.5+02")),
    "interval": ("interval", "text", some("1 year -2 mons 3 days -00:00:00.000001", "infinity", "0")),
    "json": ("json", "text", JSON),
    "json b": ("json", "jsonb", JSON),
    "jsonb": ("jsonb", "jsonb", JSON),
    "jsonb as text": ("jsonb", "text", JSON),
    "uuid": ("uuid", "uuid", st.uuids().map(str)),
    "uuid as text": ("uuid", "text", st.uuids().map(str)),
    "inet": ("inet", "text", some("10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::/32")),
    "cidr": ("cidr", "text", some("10.0.0.0/8", "2001:db8::/32")),
    "mac": ("macaddr", "text", some("08:00:2b:01:02:03")),
    "ints": ("integer[]", "text[]", some("{}", "{1,NULL,-3}")),
    "ints as text": ("integer[]", "text", some("{}", "{1,NULL}", "{{1,2},{3,4}}", "[0:1]={1,2}")),
    "texts": ("text[]", "text[]", some("{}", '{NULL,"NULL","",a,"a,b","\\"\\\\"}', '{"x\ny"}')),
    "texts as text": ("text[]", "text", some("{}", "{{a,b},{c,NULL}}")),
    "mood": ("types.mood", "text", some("sad", "ok, fine", "")),
    "range": ("int4range", "text", some("[1,5)", "empty", "(,)")),
    "ranges": ("tstzmultirange", "text", some("{}", "{[2020-01-01,2020-01-02),[2021-01-01,)}")),
    "pair": ("types.pair", "text", some('(1,"a ""b"", c")', "(,)")),
    "xml": ("xml", "text", st.none()),  # the tests' server is built without libxml, and takes no value
    "bits": ("bit varying", "text", some("", "10101")),
    "cash": ("money", "text", some("-12.34", "1234567.89")),
    "words": ("tsvector", "text", some("'a':1 'b c':2B")),
    "point": ("point", "text", some("(0.1,-0)", "(1e300,NaN)")),
    "char1": ('"char"', "text", some("a", "é")),
    "name": ("name", "text", some("x")),
    "oid": ("oid", "bigint", some("4294967295")),
    "hstore": ("types.hstore", "text", some('"a"=>"b \\"c\\"", "d"=>NULL', "")),
    "own date": ("types.date", "text", some("(1,2)")),
}
MADE = """
    create extension hstore schema types;
    create domain types.amount as numeric(10,3); create domain types.price as types.amount check (value < 1e9);
    create type types.mood as enum ('sad', 'ok, fine', ''); create type types.pair as (a int, b text);
    create type types.date as (a int, b int)
"""


@ARRIVES
@given(rows=st.lists(st.tuples(*(values | st.none() for _, _, values in TYPES.values())), min_size=3, max_size=25))
def test_values_of_every_type_arrive_as_they_are(things: Things, rows: list[tuple[str | None, ...]]):
    """Those of a move on their way into the lake, and those that were read from the lake."""
    things.stack.shop("drop schema types cascade; create schema types; grant usage on schema types to public")
    things.stack.shop(MADE)
    things.make({name: (kind, wanted) for name, (kind, wanted, _) in TYPES.items()})
    things.fill([*rows, [None] * len(TYPES)])
    for bring in (things.move, things.load):
        assert bring()["rows"] == len(rows) + 1
        assert_as_sent(things)


def assert_as_sent(things: Things) -> None:
    arrived, sent = things.arrived(), things.sent()
    jsonb = [at for at, (_, wanted, _) in enumerate(TYPES.values()) if wanted == "jsonb"]
    for at, name in enumerate(TYPES):
        if at not in jsonb:
            assert column(arrived, at) == column(sent, at), name
    [json_b] = [at for at, name in enumerate(TYPES) if name == "json b"]
    same = things.stack.rows(f"select count(c{json_b}) = count(c{json_b}::text) from {RAW}")
    assert same == [(True,)]
    [plain] = [at for at, name in enumerate(TYPES) if name == "jsonb"]
    assert column(arrived, plain) == column(sent, plain)


def column(rows: list[tuple[Any, ...]], at: int) -> list[Any]:
    return sorted((row[at] for row in rows), key=repr)


def test_nan_in_a_numeric_of_fixed_scale_is_set_aside(things: Things):
    things.make({"id": ("int", "integer"), "n": ("numeric(6,2)", "numeric(6,2)"), "day": ("timestamp", "timestamp")})
    things.fill([["1", "1.50", "infinity"], ["2", "NaN", "0044-03-15 BC"], ["3", None, None], ["4", "-9999.99", None]])
    things.declare({"id": "integer", "n": "numeric(6,2)", "day": "timestamp"}, rejected=1)
    assert things.move()["rows"] == 3
    assert things.arrived() == things.sent("id <> 2")
    [(reasons, rows)] = things.stack.rows("select reasons, rows from ops.quarantine")
    assert (reasons, rows) == ({"c1: 'NaN' is not of type numeric(6,2)": 1}, 1)


def test_a_number_that_no_contract_knows_evolves_with_its_type(things: Things):
    things.make({"id": ("int", "integer"), "N": ("numeric(6,2)", "numeric(6,2)"), "j": ("json", "text")})
    things.fill([["1", "1.50", '{"a" :1}'], ["2", "NaN", None]])
    things.declare({"id": "integer"}, drift="evolve", rejected=1)
    things.move()
    assert things.stack.rows(f"select c0, n::text, j from {RAW}") == [(1, "1.50", '{"a" :1}')]


def test_a_time_that_arrow_does_not_know_is_an_error_with_a_remedy(things: Things):
    things.make({"at": ("timestamp", "timestamp")})
    things.fill([["294276-12-31 23:59:59.999999"]])
    with pytest.raises(
        SourceError, match=r"types\.things .*at: has a time after 294247-01-10.*declare the column as text"
    ):
        things.move()


def test_an_array_of_two_dimensions_is_an_error_with_a_remedy(things: Things):
    things.make({"grid": ("text[]", "text[]")})
    things.fill([["{{a,b},{c,d}}"]])
    with pytest.raises(SourceError, match=r"grid: only arrays of one dimension .* declare the column as text"):
        things.move()


NAMES = [
    "select",
    "MixedCase",
    "a b",
    'quo"te',
    "per%cent%s",
    "{brace}",
    "a.b",
    "x[]",
    "é" * 31,
    "l" * 63,
    "日本",
    "$1",
    ";--",
]


def test_names_of_any_kind(things: Things):
    things.make(dict.fromkeys(NAMES, ("text", "text")), table='My "odd". % {table}')
    things.fill([[f"value {at}" for at in range(len(NAMES))]])
    things.declare(dict.fromkeys(NAMES, "text"), table='My "odd". % {table}', drift="freeze")
    assert things.move()["rows"] == 1
    assert things.arrived() == things.sent() == [tuple(f"value {at}" for at in range(len(NAMES)))]


def test_generated_columns_are_read_as_others(things: Things):
    stored = ("int generated always as (a * 2) stored", "integer")
    things.make({"a": ("int", "integer"), "b": stored, "c": ("int generated always as (a + 1)", "integer")})
    things.fill([["1"], ["2"]])
    things.move()
    assert things.arrived() == [("1", "2", "2"), ("2", "4", "3")]


def test_as_many_columns_as_postgres_has(things: Things):
    """One of the warehouse's 1,600 columns is ours."""
    things.make({f"a{at}": ("smallint", "smallint") for at in range(1600)})
    things.fill([[str(at) if row or at % 2 else None for at in range(1600)] for row in range(3)])
    things.declare({f"a{at}": "smallint" for at in range(1599)})
    assert things.move()["rows"] == 3
    assert things.stack.rows(f"select c0, c1, c1598 from {RAW} order by c0") == [
        (0, 1, 1598),
        (0, 1, 1598),
        (None, 1, None),
    ]


def test_more_columns_than_postgres_has(things: Things):
    things.make({f"a{at}": ("smallint", "smallint") for at in range(1600)})
    things.fill([["1"]])
    with pytest.raises(
        WarehouseError, match=r"loading retail_db\.things .*nothing was changed: .* at most 1600 columns"
    ):
        things.move()


def test_a_text_of_a_hundred_megabytes(things: Things):
    things.make({"id": ("int", "integer"), "t": ("text", "text")})
    things.stack.shop("insert into types.things values (1, 'a'), (2, repeat('é0123456', 100000000 / 9)), (3, '')")
    sums = "select {}, length({}), md5({}) from {} order by 1"
    sent = things.stack.shop(sums.format("id", "t", "t", "types.things"))
    for bring in (things.move, things.load):
        assert bring()["rows"] == 3
        assert things.stack.rows(sums.format("c0", "c1", "c1", RAW)) == sent


def test_no_rows_make_a_table(things: Things):
    things.make({"id": ("int", "integer"), "n": ("numeric", "numeric")})
    assert things.move() == {"status": "loaded", "load_id": 1, "rows": 0}
    assert things.arrived() == []
    [load] = things.stack.loads("things")
    assert load["source_rows"] == load["lake_rows"] == load["loaded_rows"] == 0


def test_text_forms_do_not_depend_on_the_role(things: Things):
    things.make(
        {"at": ("timestamptz", "text"), "i": ("interval", "text"), "f": ("float8", "text"), "d": ("date", "text")}
    )
    things.fill([["2020-01-31 12:00Z", "1 day 2:00", "0.1", "2020-01-31"]])
    odd = {
        "timezone": "'Asia/Kolkata'",
        "datestyle": "'SQL, DMY'",
        "intervalstyle": "'iso_8601'",
        "extra_float_digits": "-3",
    }
    try:
        for name, value in odd.items():
            things.stack.shop(f"alter database retail_db set {name} = {value}")
        things.move()
    finally:
        for name in odd:
            things.stack.shop(f"alter database retail_db reset {name}")
    assert things.arrived() == [("2020-01-31 12:00:00+00", "1 day 02:00:00", "0.1", "2020-01-31")]
