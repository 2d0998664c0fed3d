"""What is known not to run on Redshift is refused, by the words that Postgres has for it."""

import pytest

from datastack.contract.errors import DeclarationError
from datastack.transform.compiled import Compiled, Statement
from datastack.transform.dialects import dialect_failures
from datastack.transform.manifest import Project
from datastack.transform.project_files import project_dir

NODE = "model.datastack.dim_a"
NODES = {NODE: {"original_file_path": "models/marts/retail/dim_a.sql"}}


def failures(*statements: str, dialect: str = "redshift", node: str = NODE) -> list[DeclarationError]:
    """What is wrong with statements that a model sends."""
    sent = tuple(Statement(node, sql) for sql in statements)
    project = Project(models=(), version="", dbt_version="", manifest={"nodes": NODES})
    return list(dialect_failures(project, Compiled(dialect, sent, {}, ())))


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select generate_series(1, 2)", "generate_series"),
        ("select * from generate_series(1, 2) as g (i)", "generate_series"),
        ("select * from a cross join lateral (select a.b) as c", "lateral"),
        ("select now()", "now"),
        ("select 'a'::regclass", "object_identifier"),
        ("select ('x' || a)::bit(64)::bigint from b", "the type bit"),
        ("select distinct on (a) b from c", "distinct on"),
        ("select sum(a) filter (where b) from c", "filter"),
        ("select string_agg(a, ',') from b", "string_agg"),
        ("select array_agg(a) from b", "array_agg"),
        ("select unnest(a) from b", "unnest"),
        ("select array[1, 2]", r"array\["),
        ("select extract(isodow from a) from b", "isodow"),
        ("select date_part('isoyear', a) from b", "isoyear"),
        ("select * from (values (1), (2)) as b (a)", "values as a table"),
        ("select a is distinct from b from c", "is distinct from"),
        ("select cast(a as jsonb) from b", "jsonb"),
        ("select a ->> 'b' from c", "->>"),
        ("create index a on b (c)", "indexes"),
        ("insert into a select 1 on conflict do nothing", "on conflict"),
        ("delete from a returning b", "returning"),
    ],
)
def test_what_only_postgres_has(sql: str, named: str):
    [error] = failures(sql)
    assert error.file == project_dir() / "models/marts/retail/dim_a.sql"
    assert error.field.startswith("dim_a, line 1 for redshift")
    assert error.problem.startswith("Redshift lacks ")
    assert named.replace("\\", "") in error.problem
    assert "macro that dispatches" in error.remedy
    assert failures(sql, dialect="postgres") == []


@pytest.mark.parametrize(
    "sql",
    [
        "select strtol(left(md5(a), 15), 16) from b",
        "select listagg(a, ',') within group (order by a) from b",
        "select date_trunc('week', a at time zone 'UTC') from b",
        "select row_number() over (partition by a order by b) from c",
        "select a, 'now() and array[1]' as format from b -- string_agg(a)",
        "select 1 as a union all select 2",
        "delete from a using b where a.c >= b.d and a.c < b.e",
        "insert into a (b) values (1)",
        "create table a (b bigint not null, c numeric(10, 2), d timestamp with time zone)",
        "select percentile_cont(0.5) within group (order by a) from b",
    ],
)
def test_what_both_have(sql: str):
    assert failures(sql) == []


def test_what_neither_reads_is_named_with_its_line():
    [error] = failures("select\n    (a\nfrom b")
    assert error.field == "dim_a, line 3 for redshift (from b)"
    assert error.problem.startswith("redshift does not read it: ")


def test_a_statement_that_nothing_is_known_of():
    [error] = failures("explain select 1")
    assert error.problem == "nothing is known in redshift of 'EXPLAIN'"


def test_each_finding_is_told_once_for_a_model():
    found = failures("select now()", "create table a as select now(), make_date(1, 2, 3)")
    assert [error.problem.split(":")[0] for error in found] == ["Redshift lacks now", "Redshift lacks make_date"]


def test_work_that_belongs_to_no_model_is_named():
    [error] = failures("select now()", node="master")
    assert (error.file, error.field.split(",")[0]) == (project_dir(), "master")
