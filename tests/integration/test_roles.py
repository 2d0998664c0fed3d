"""Who may see what, by logging in: grants that only look right show here."""

from typing import Any

import psycopg
import pytest

from tests.integration.harness import Stack, days

DENIED = psycopg.errors.InsufficientPrivilege
SEES = {
    "loader": {"raw_retail_db.transactions", "raw_marketing_api.campaigns", "ops.loads"},
    "transformer": {
        "raw_retail_db.transactions", "raw_marketing_api.campaigns", "ops.loads", "ops.gate_results",
        "build_retail.fct_x", "marts.fct_x",
    },
    "analyst": {"marts.fct_x"},
    "ml": {"marts.fct_x"},
}  # fmt: skip
TABLES = sorted(set.union(*SEES.values()) - {"ops.gate_results"})


@pytest.fixture
def filled(stack: Stack) -> Stack:
    """One table in each room of the warehouse."""
    stack.load("retail_db", "transactions", days(1))
    stack.load("marketing_api", "campaigns", days(1))
    with login(stack, "transformer") as db:
        db.execute("create table build_retail.fct_x as select 1 as id")
    from datastack.operators import connections
    from datastack.warehouse.load import RunRef
    from datastack.warehouse.publish import publish

    publish(connections.postgres_uri(connections.TRANSFORMER), "retail", ["fct_x"], [], RunRef("d", "r", 1))
    return stack


def login(stack: Stack, role: str) -> psycopg.Connection[Any]:
    return stack.warehouse.connect("warehouse", role, stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"])


@pytest.mark.parametrize("role", SEES)
def test_a_role_reads_its_rooms_only(filled: Stack, role: str):
    with login(filled, role) as db:
        for table in TABLES:
            if table in SEES[role]:
                assert db.execute(f"select count(*) from {table}").fetchone() > (0,), table
            else:
                with pytest.raises(DENIED):
                    db.execute(f"select count(*) from {table}")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("transformer", "delete from raw_retail_db.transactions"),
        ("transformer", "insert into raw_marketing_api.campaigns default values"),
        ("transformer", "create table raw_retail_db.mine (id int)"),
        ("transformer", "delete from ops.loads"),
        ("transformer", "update ops.loads set loaded_rows = 0"),
        ("transformer", "insert into ops.watermarks values ('a', 'b', now(), 1)"),
        ("transformer", "delete from ops.publications"),
        ("transformer", "update ops.gate_results set outcome = 'PASSED'"),
        ("loader", "create table marts.mine (id int)"),
        ("loader", "create table build_retail.mine (id int)"),
        *[
            (role, statement)
            for role in ("analyst", "ml")
            for statement in (
                "delete from marts.fct_x",
                "create table marts.mine (id int)",
                "create table public.mine (id int)",
                "create temporary table mine (id int)",
                "create schema mine",
                "insert into ops.gate_results default values",
                "set role loader",
            )
        ],
    ],
)
def test_a_role_changes_nothing_beyond_its_rooms(filled: Stack, role: str, statement: str):
    with login(filled, role) as db, pytest.raises(DENIED):
        db.execute(statement)


@pytest.mark.parametrize("statement", ["delete from transactions", "create table mine (id int)", "truncate products"])
def test_the_shops_reader_only_reads(stack: Stack, statement: str):
    with stack.source.connect("retail_db", "retail_reader", stack.servers.secrets["PG_RETAIL_READER_PASSWORD"]) as db:
        assert db.execute("select count(*) from transactions").fetchone() == (600,)
        with pytest.raises(DENIED):
            db.execute(statement)


@pytest.mark.parametrize("role", SEES)
def test_a_role_of_the_warehouse_enters_no_other_database(stack: Stack, role: str):
    for database in ("airflow", "retail_db"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            stack.warehouse.connect(database, role, stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"])
