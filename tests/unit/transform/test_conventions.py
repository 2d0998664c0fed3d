"""Each rule of the dbt project, kept and broken."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir
from datastack.transform.branch_rules import branch_failures, branches
from datastack.transform.column_rules import column_failures
from datastack.transform.contract_rules import contract_failures
from datastack.transform.graph import Graph
from datastack.transform.graph_rules import graph_failures
from datastack.transform.manifest import read_project
from datastack.transform.model_rules import model_failures
from tests.dbt_manifest import check, model, source, write_manifest

STAGED = {
    "schema": "staging",
    "access": "protected",
    "original_file_path": "models/staging/retail_db/stg_retail_db__a.sql",
    "patch_path": "datastack://models/staging/retail_db/stg_retail_db__a.yml",
    "depends_on": {"macros": [], "nodes": ["source.datastack.retail_db.a"]},
}
SLICES = {"source": "retail_db", "stream": "transactions", "column": "bought_at"}
ROOT = Path(__file__).parents[3]


def reads(*names: str) -> dict[str, Any]:
    return {"macros": [], "nodes": [name if "." in name else f"model.datastack.{name}" for name in names]}


def staged(name: str = "stg_retail_db__a", **fields: Any) -> dict[str, Any]:
    return model(name, **STAGED | fields)


def graph(*nodes: dict[str, Any], sources: tuple[dict[str, Any], ...] = (), **parts: Any) -> Graph:
    """The graph of a project of these nodes; whatever nobody reads is shown on a dashboard."""
    found = {each["unique_id"]: each for each in sources or (source("retail_db", "a", "id"),)}
    readers = {"exposure.a": {"depends_on": {"nodes": [node["unique_id"] for node in nodes]}}}
    write_manifest(*nodes, **{"sources": found, "exposures": readers, "unit_tests": {}} | parts)
    return Graph(read_project())


def told(failures: Iterator[DeclarationError]) -> list[str]:
    """What is told, with files by their names."""
    return [f"{error.file.name}: {error.field}: {error.problem}" for error in failures]


def keyed(node: dict[str, Any], **parts: Any) -> list[str]:
    """What is wrong with one model that has a key test."""
    return told(model_failures(graph(node, check("unique", node["name"], "id"), **parts)))


@pytest.fixture(autouse=True)
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The declarations of the repository, with a dbt project that has nothing but its settings."""
    for name in ("sources", "contracts"):
        (tmp_path / name).symlink_to(ROOT / "include" / name)
    (tmp_path / "dbt").mkdir()
    shutil.copy(ROOT / "include/dbt/dbt_project.yml", tmp_path / "dbt")
    monkeypatch.setenv("DATASTACK_INCLUDE", str(tmp_path))


def test_models_that_keep_the_rules():
    assert keyed(model("dim_a")) == []
    assert keyed(staged()) == []
    assert told(graph_failures(graph(staged(), model("dim_a", depends_on=reads("stg_retail_db__a"))))) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"description": " "}, "dim_a.yml: dim_a.description: there is none"),
        ({"patch_path": None}, "dim_a.sql: dim_a: has no YAML beside it"),
        ({"patch_path": "datastack://models/marts/dim_a.yml"}, "dim_a.yml: dim_a: has no YAML beside it"),
        ({"patch_path": "datastack://models/marts/retail/all.yml"}, "all.yml: dim_a: is described in all.yml"),
        ({"access": "protected"}, "dim_a.yml: dim_a.config.access: is protected"),
        ({"group": None}, "dim_a.yml: dim_a.config.group: there is none"),
        ({"config": {"contract": {"enforced": False}}}, "dim_a.yml: dim_a.config.contract: is not enforced"),
        ({"columns": {"id": None}}, "dim_a.yml: dim_a.columns.id.data_type: there is none"),
        ({"schema": "marts"}, "dim_a.yml: dim_a.config.schema: is marts"),
        ({"original_file_path": "models/dim_a.sql", "patch_path": "datastack://models/dim_a.yml"}, None),
    ],
)
def test_a_mart_that_breaks_a_rule(fields: dict[str, Any], problem: str | None):
    expected = problem or "dim_a.sql: dim_a: stands in no layer's folder"
    assert expected in keyed(model("dim_a", **fields))


def test_a_column_of_a_mart_without_description():
    node = model("dim_a")
    node["columns"]["id"]["description"] = ""
    assert keyed(node) == ["dim_a.yml: dim_a.columns.id.description: there is none"]
    assert keyed(staged(columns={"id": None})) == []


@pytest.mark.parametrize("name", ["orders", "stg_other__a", "stg_retail_db_a"])
def test_names_say_what_a_model_is(name: str):
    fields = {"patch_path": f"datastack://models/staging/retail_db/{name}.yml"}
    assert keyed(staged(name, **fields)) == [
        f"stg_retail_db__a.sql: {name}: is not named as a model of staging/retail_db"
    ]
    assert any("is not named as a model of marts/retail" in each for each in keyed(model(name)))


def test_what_is_public_is_a_mart():
    assert keyed(staged(access="public")) == [
        "stg_retail_db__a.yml: stg_retail_db__a.config.access: is public in staging"
    ]


def test_every_model_has_a_key_test():
    none = ["dim_a.yml: dim_a.data_tests: no test of its key"]
    assert told(model_failures(graph(model("dim_a"), check("not_null", "dim_a", "id")))) == none
    assert told(model_failures(graph(model("dim_a"), check("unique_combination", "dim_a", "id", "day")))) == []
    constrained = model("dim_a", constraints=[{"type": "primary_key"}])
    assert told(model_failures(graph(constrained))) == []


@pytest.mark.parametrize(
    "config", [{"severity": "WARN"}, {"error_if": "> 10"}, {"warn_if": "> 1"}, {"where": "id > 1"}]
)
def test_a_test_that_lets_failures_pass_says_why(config: dict[str, Any]):
    failing = told(model_failures(graph(model("dim_a"), check("unique", "dim_a", "id", **config))))
    assert failing == ["dim_a.yml: unique_dim_a_id: lets failures pass"]
    excused = check("unique", "dim_a", "id", **config, meta={"reason": "The source does it."})
    assert told(model_failures(graph(model("dim_a"), excused))) == []


def test_no_test_is_switched_off():
    off = check("not_null", "dim_a", "id")
    file = include_dir() / "dbt/dbt_project.yml"
    file.write_text(f"{file.read_text()}data_tests:\n  +severity: warn\n")
    assert keyed(model("dim_a"), disabled={off["unique_id"]: [off]}) == [
        "dim_a.yml: not_null_dim_a: test not_null_dim_a is disabled",
        "dbt_project.yml: data_tests: sets something for all tests at once",
    ]


def test_only_staging_reads_sources():
    of_source = model("dim_a", depends_on=reads("source.datastack.retail_db.a"))
    assert told(graph_failures(graph(of_source))) == ["dim_a.sql: dim_a: reads the source retail_db.a"]


def test_a_source_table_has_one_staging_model_in_its_folder():
    second = staged("stg_retail_db__b")
    tables = (source("retail_db", "a", "id"), source("marketing_api", "b", "id"))
    assert told(graph_failures(graph(staged(), second, sources=tables))) == [
        "stg_retail_db__a.sql: stg_retail_db__b: reads retail_db.a, which stg_retail_db__a reads already"
    ]
    other = staged(depends_on=reads("source.datastack.marketing_api.b"))
    assert told(graph_failures(graph(other, sources=tables))) == [
        "stg_retail_db__a.sql: stg_retail_db__a: reads marketing_api.b"
    ]
    both = staged(depends_on=reads("source.datastack.retail_db.a", "source.datastack.marketing_api.b"))
    assert "stg_retail_db__a.sql: stg_retail_db__a: reads 2 sources" in told(
        graph_failures(graph(both, sources=tables))
    )


@pytest.mark.parametrize(
    ("reader", "read", "is_allowed"),
    [
        ("int_retail__a", "fct_a", True),
        ("fct_a", "int_retail__a", True),
        ("rpt_a", "int_retail__a", True),
        ("int_retail__a", "rpt_a", False),
        ("dim_a", "ml_a", False),
        ("stg_retail_db__a", "dim_a", False),
    ],
)
def test_models_read_what_is_below_them(reader: str, read: str, is_allowed: bool):
    def of(name: str, **fields: Any) -> dict[str, Any]:
        folder = {"stg": "staging/retail_db", "int": "intermediate/retail"}.get(name[:3], "marts/retail")
        return model(name, original_file_path=f"models/{folder}/{name}.sql", **fields)

    failures = told(graph_failures(graph(of(reader, depends_on=reads(read)), of(read))))
    failures = [failure for failure in failures if "sources" not in failure]
    assert failures == ([] if is_allowed else [f"{reader}.sql: {reader}: reads {read}, which stands above it"])


def test_a_mart_that_nobody_reads():
    assert told(graph_failures(graph(model("dim_a"), exposures={}))) == ["dim_a.sql: dim_a: nobody reads this mart"]
    assert told(graph_failures(graph(staged(), exposures={}))) == []
    assert told(graph_failures(graph(model("dim_a", deprecation_date="2026-12-31T00:00:00"), exposures={}))) == []


def sliced(**fields: Any) -> dict[str, Any]:
    config = {"materialized": "incremental", "meta": {"slices": SLICES}} | fields.pop("config", {})
    return model("fct_a", columns={"bought_at": "timestamptz"}, config=config, **fields)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, None),
        ({"meta": {}}, "an incremental model without it"),
        ({"materialized": "table"}, "the model is materialized as table"),
        ({"meta": {"slices": {**SLICES, "stream": "sales"}}}, "there is no stream retail_db.sales"),
        ({"meta": {"slices": {**SLICES, "source": "shop"}}}, "there is no stream shop.transactions"),
        ({"meta": {"slices": {**SLICES, "stream": "products"}}}, "retail_db.products has write: replace"),
    ],
)
def test_an_incremental_model_follows_slices(config: dict[str, Any], problem: str | None):
    expected = [f"fct_a.yml: fct_a.config.meta.slices: {problem}"] if problem else []
    assert told(graph_failures(graph(sliced(config=config)))) == expected


def test_an_incremental_model_reads_the_stream_of_its_slices_only():
    tables = [("retail_db", "transactions"), ("retail_db", "products"), ("ledger", "planned_slices")]
    sources = tuple(source(*table, "id") for table in tables)
    nodes = [
        staged(f"stg_{of}__{table}", depends_on=reads(f"source.datastack.{of}.{table}"),
               original_file_path=f"models/staging/{of}/stg_{of}__{table}.sql")
        for of, table in tables
    ]  # fmt: skip
    own, other, planned = (node["name"] for node in nodes)
    assert told(graph_failures(graph(*nodes, sliced(depends_on=reads(own, planned)), sources=sources))) == []
    between = model("dim_a", depends_on=reads(other))
    through = graph(*nodes, between, sliced(depends_on=reads(own, planned, "dim_a")), sources=sources)
    assert told(graph_failures(through)) == [
        "fct_a.sql: fct_a: reads retail_db.products, and follows the slices of retail_db.transactions"
    ]


def test_slices_are_found_by_a_column_of_the_model():
    failing = sliced(config={"meta": {"slices": {**SLICES, "column": "paid_at"}}})
    assert told(graph_failures(graph(failing))) == [
        "fct_a.yml: fct_a.config.meta.slices.column: the model has no column paid_at"
    ]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select a, b as c, cast(d as date) as e from {{ source('x', 'y') }} where a = 1 and not b in (1, 2)", []),
        ("select {{ surrogate_key(['a', 'b']) }} as k from {{ ref('y') }} inner join z on y.a = z.a", []),
        ("{# case when #} select 'case when coalesce(a)' as a from b -- union", []),
        ("select case when a then 1 end as b from {{ ref('y') }}", ["case"]),
        ("select coalesce(a, b) as c from d", ["coalesce"]),
        ("select a from b left join c on b.d = c.d", ["left join"]),
        ("select a from b full outer join c on b.d = c.d", ["full join"]),
        ("select 1 as a union all select 2", ["union"]),
        ("select a from b where c > d + 1", ["where on something computed"]),
        ("select a from b group by a having count(*) > 1", ["having on something computed"]),
        ("{% if is_incremental() %} select nullif(a, 0) as b from c {% endif %}", ["nullif"]),
    ],
)
def test_branches_are_read_from_the_sql(sql: str, found: list[str]):
    assert list(branches(sql, "")) == found


def test_where_the_template_is_no_sql_what_dbt_made_of_it_is_read():
    assert list(branches("select {{ a }} {{ b }} c from (", "select case when a then b end as c from d")) == ["case"]


def test_a_model_with_branches_has_a_unit_test():
    branching = model("dim_a", raw_code="select coalesce(a, b) as c from d left join e on d.f = e.f")
    failing = ["dim_a.sql: dim_a: has coalesce, left join and no unit test"]
    assert told(branch_failures(graph(branching), {})) == failing
    assert told(branch_failures(graph(branching, unit_tests={"a": {"model": "dim_a"}}), {})) == []


def contract(
    *columns: dict[str, Any], dataset: str = "build_retail/dim_a", **content: Any
) -> dict[Path, dict[str, Any]]:
    file = include_dir() / "soda/retail/dim_a.yml"
    return {file: {"dataset": f"warehouse/warehouse/{dataset}", "columns": list(columns), **content}}


def test_a_mart_contract_has_the_columns_of_its_mart():
    mart = model("dim_a", columns={"id": "bigint", "name": "varchar", "amount": "numeric(10, 2)"})
    as_promised = [
        {"name": "id", "data_type": "int8"},
        {"name": "name", "data_type": "character varying"},
        {"name": "amount", "data_type": "numeric", "numeric_precision": 10, "numeric_scale": 2},
    ]
    assert told(contract_failures(graph(mart), contract(*as_promised))) == []
    as_promised[2] = {"name": "amount", "data_type": "numeric"}
    assert told(contract_failures(graph(mart), contract(*as_promised))) == []
    wrong = [{"name": "id", "data_type": "integer"}, {"name": "nam", "data_type": "text"}, {"name": "amount"}]
    assert set(told(contract_failures(graph(mart), contract(*wrong, dataset="marts/dim_a")))) == {
        "dim_a.yml: dataset: is warehouse/warehouse/marts/dim_a",
        "dim_a.yml: columns.name: is missing, dim_a.yml has it",
        "dim_a.yml: columns.nam: is no column of dim_a.yml",
        "dim_a.yml: columns.id.data_type: is integer, dim_a.yml has bigint",
        "dim_a.yml: columns.amount.data_type: there is none",
    }
    other = [*as_promised[:2], {"name": "amount", "data_type": "numeric", "numeric_precision": 12, "numeric_scale": 2}]
    assert told(contract_failures(graph(mart), contract(*other))) == [
        "dim_a.yml: columns.amount.data_type: is numeric(12, 2), dim_a.yml has numeric(10, 2)"
    ]


def test_every_mart_has_a_contract_and_every_contract_its_mart():
    assert told(contract_failures(graph(model("dim_b")), contract())) == [
        "dim_b.yml: (whole file): there is no contract of the mart dim_b",
        "dim_a.yml: (whole file): there is no mart retail/dim_a",
    ]


@pytest.mark.parametrize(
    ("by_dbt", "checks", "what"),
    [
        (("unique", "id"), [{"duplicate": None}], "unique of id"),
        (("not_null", "id"), [{"missing": None}], "not null of id"),
        (("accepted_values", "id"), [{"invalid": {"valid_values": [1]}}], "allowed values of id"),
        (("relationships", "id"), [{"invalid": {"valid_reference_data": {"dataset": "b"}}}], "reference of id"),
    ],
)
def test_nothing_is_asserted_twice(by_dbt: tuple[str, ...], checks: list[dict[str, Any]], what: str):
    kind, *columns = by_dbt
    nodes = (model("dim_a"), check(kind, "dim_a", *columns))
    column = {"name": "id", "data_type": "bigint", "checks": checks}
    [failure] = told(contract_failures(graph(*nodes), contract(column)))
    assert f"{what} is asserted here and by the data test {kind} of dim_a" in failure
    assert told(contract_failures(graph(model("dim_a")), contract(column))) == []


def test_keys_of_several_columns_and_constraints_count_too():
    mart = model("dim_a", columns={"id": "bigint", "day": "date"})
    mart["columns"]["id"]["constraints"] = [{"type": "not_null"}]
    columns = [
        {"name": "id", "data_type": "bigint", "checks": [{"missing": None}]},
        {"name": "day", "data_type": "date"},
    ]
    checks = [{"duplicate": {"columns": ["day", "id"]}}]
    found = told(
        contract_failures(
            graph(mart, check("unique_combination", "dim_a", "id", "day")), contract(*columns, checks=checks)
        )
    )
    assert len(found) == 2
    assert "unique of day, id is asserted here and by the data test unique_combination" in found[0]
    assert "not null of id is asserted here and by the constraint not_null" in found[1]


OPEN = {"contract": {"enforced": False}}
RESTRICTED = (
    source("retail_db", "a", "id", "income", restricted="income"),
    source("retail_db", "b", "income"),  # that of a shop, which anybody may know
)
STAGING_SQL = 'with s as (select * from "warehouse"."raw_retail_db"."a") select id, income as band from s'


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select id from staging.stg_retail_db__a", []),
        ("select id, case when band > 'b' then 1 else 0 end as is_rich from staging.stg_retail_db__a", ["is_rich"]),
        (
            "with a as (select * from staging.stg_retail_db__a), b as (select max(band) as c from a) select c from b",
            ["c"],
        ),
        ("select id from staging.stg_retail_db__a union all select band from staging.stg_retail_db__a", ["id"]),
        ("select id, (select 1) as band from staging.stg_retail_db__a", []),
        ("select a.id, b.income from staging.stg_retail_db__a as a cross join raw_retail_db.b as b", []),
    ],
)
def test_a_restricted_column_is_followed_to_the_marts(sql: str, found: list[str]):
    mart = model("dim_a", depends_on=reads("stg_retail_db__a"), config=OPEN)
    queries = {"model.datastack.stg_retail_db__a": STAGING_SQL, "model.datastack.dim_a": sql}
    built = graph(staged(config=OPEN), mart, sources=RESTRICTED)
    assert told(column_failures(built, queries)) == [
        f"dim_a.yml: dim_a.columns.{name}: comes from retail_db.a.income, which is restricted" for name in found
    ]
    for name in found:
        mark = {"name": name, "data_type": "text", "description": "", "config": {"meta": {"privacy": "restrict"}}}
        mart["columns"][name] = mark
    assert told(column_failures(graph(staged(config=OPEN), mart, sources=RESTRICTED), queries)) == []


FOLLOWED = "staging.stg_retail_db__a"


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("select from ((", "its SQL"),
        ("", "its SQL"),
        (f"values ((select band from {FOLLOWED}))", "its SQL"),
        ("select * from somewhere", "its SQL"),
        ("select earnings from somewhere", "column earnings"),
        (f"select earnings from {FOLLOWED} as a (id, earnings)", "column earnings"),
        (f"select a.id, to_jsonb(a) as earnings from {FOLLOWED} as a", "column earnings"),
        (f"select a.id::text || a::text as earnings from {FOLLOWED} as a", "column earnings"),
        (f"select a as x, (a).band as y from {FOLLOWED} as a", "column x, y"),
        (f"select v as earnings from {FOLLOWED} as a, unnest(string_to_array(a.band, '-')) as v", "column earnings"),
        (f"select j.v as x from {FOLLOWED} a cross join lateral jsonb_to_record(to_jsonb(a)) j (v text)", "column x"),
    ],
)
def test_where_columns_cant_be_followed_nothing_restricted_may_stand_behind_them(sql: str, lost: str):
    queries = {"model.datastack.stg_retail_db__a": STAGING_SQL, "model.datastack.dim_a": sql}

    def failures(*sources: dict[str, Any]) -> list[DeclarationError]:
        mart = model("dim_a", depends_on=reads("stg_retail_db__a"), config=OPEN)
        return list(column_failures(graph(staged(config=OPEN), mart, sources=sources), queries))

    [failure] = failures(*RESTRICTED)
    assert told(iter([failure])) == [
        f"dim_a.sql: dim_a: {lost} can't be followed, and may come from what is restricted: retail_db.a.income"
    ]
    assert "selects that name each column of each table" in failure.remedy
    assert failures(source("retail_db", "a", "id", "income")) == []


def test_columns_that_cant_be_followed_are_let_pass_where_nothing_restricted_is_read():
    nodes = (staged(config=OPEN), model("dim_a", depends_on=reads("stg_retail_db__a"), config=OPEN))
    queries = {
        "model.datastack.stg_retail_db__a": "select id from raw_retail_db.a",
        "model.datastack.dim_a": f"select to_jsonb(a) as id from {FOLLOWED} as a",
    }
    assert told(column_failures(graph(*nodes, sources=RESTRICTED), queries)) == []
    queries["model.datastack.dim_a"] = 'select * from ((table "warehouse"."raw_retail_db"."a"'  # and no ref
    assert told(column_failures(graph(*nodes, sources=RESTRICTED), queries)) == [
        "dim_a.sql: dim_a: its SQL can't be followed, and may come from what is restricted: retail_db.a.income"
    ]


@pytest.mark.parametrize("sql", [
    f"select count(*) as n, now() as at, 'a' as b from {FOLLOWED}",
    "select d::date as d from generate_series('2020-01-01'::date, '2020-02-01'::date, '1 day') as g(d)",
    f"select id, v.e from {FOLLOWED} cross join (values (1), (2)) as v (e)",
])  # fmt: skip
def test_what_is_made_of_no_column_is_followed(sql: str):
    mart = model("dim_a", depends_on=reads("stg_retail_db__a"), config=OPEN)
    queries = {"model.datastack.stg_retail_db__a": STAGING_SQL, "model.datastack.dim_a": sql}
    assert told(column_failures(graph(staged(config=OPEN), mart, sources=RESTRICTED), queries)) == []


def test_a_query_has_the_columns_that_are_promised():
    mart = model("dim_a", columns={"id": "bigint", "band": "varchar"}, depends_on=reads("source.datastack.retail_db.a"))

    def found(sql: str) -> list[str]:
        return told(column_failures(graph(mart), {"model.datastack.dim_a": sql}))

    assert found("with a as (select id, 'x' as band from raw_retail_db.a) select * from a") == []
    assert found("select id, 'x' as bands from raw_retail_db.a") == [
        "dim_a.yml: dim_a.columns.band: is promised, and the query has no such column",
        "dim_a.yml: dim_a.columns.bands: is a column of the query that the contract does not promise",
    ]
    assert found("select * from somewhere") == []
