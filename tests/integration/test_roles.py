"""Who may see what, by logging in: grants that only look right show here."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from datastack.warehouse import reshape
from datastack.warehouse.marts import Mart
from tests.integration.harness import Stack, days
from tests.integration.publishing import Domain, ready

SOMEBODY = "a password of theirs"
DENIED = psycopg.errors.InsufficientPrivilege
SEES = {
    "loader": {"raw_retail_db.transactions", "raw_marketing_api.campaigns", "ops.loads"},
    "transformer": {
        "raw_retail_db.transactions", "raw_marketing_api.campaigns", "ops.loads", "ops.gate_results",
        "ops.plans", "ops.planned_slices", "build_retail.fct_x", "marts.fct_x", "marts.dim_secret", "marts.ml_features",
        "marts.ml_secrets", "ml.features", "ml.secrets", "kept_retail.p2_removed_dim_secret",
    },
    "analyst": {"marts.fct_x", "marts.ml_features"},
    "ml": {"marts.fct_x", "marts.ml_features", "ml.features"},
    "somebody": {"marts.dim_secret", "marts.ml_secrets", "ml.secrets"},  # with restricted_reader only
}  # fmt: skip
MARTS = (
    Mart("fct_x"), Mart("dim_secret", is_restricted=True), Mart("ml_features"), Mart("ml_secrets", is_restricted=True),
)  # fmt: skip
TABLES = sorted(set.union(*SEES.values()) - {"ops.gate_results", "ops.plans", "ops.planned_slices"})


@pytest.fixture
def filled(stack: Stack) -> Iterator[Stack]:
    """One table in each room of the warehouse, and somebody to whom an administrator has shown restricted marts."""
    stack.load("retail_db", "transactions", days(1))
    stack.load("marketing_api", "campaigns", days(1))
    domain = ready(stack)
    with stack.warehouse.connect("warehouse") as db:
        db.execute(f"create role somebody login password '{SOMEBODY}'; grant restricted_reader to somebody")
        db.execute("grant connect on database warehouse to somebody")
    build(domain, "1 as id")
    domain.released(*MARTS)
    build(domain, "2 as id")
    domain.released(*MARTS)
    yield stack
    with stack.warehouse.connect("warehouse") as db:
        db.execute("drop owned by somebody; drop role somebody")


def build(domain: Domain, columns: str) -> None:
    """Build every mart."""
    for mart in MARTS:
        domain.build(mart.table, f"select {columns}")


def login(stack: Stack, role: str) -> psycopg.Connection[Any]:
    """Connect as a role does."""
    password = SOMEBODY if role == "somebody" else stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"]
    return stack.warehouse.connect("warehouse", role, password)


@pytest.mark.parametrize("role", SEES)
def test_a_role_reads_its_rooms_only(filled: Stack, role: str):
    with login(filled, role) as db:
        for table in TABLES:
            if table in SEES[role]:
                assert db.execute(f"select count(*) from {table}").fetchone() > (0,), table
            else:
                with pytest.raises(DENIED):
                    db.execute(f"select count(*) from {table}")


REBUILDS: dict[str, Callable[[Domain], Any]] = {
    "published with other columns": lambda domain: (build(domain, "3 as id, 'x' as more"), domain.released(*MARTS)),
    "published with another type": lambda domain: (build(domain, "3::bigint as id"), domain.released(*MARTS)),
    "rolled back": lambda domain: domain.roll_back(),
}


@pytest.mark.parametrize("rebuild", REBUILDS)
def test_grants_survive(filled: Stack, rebuild: str):
    with filled.warehouse.connect("warehouse") as db:
        db.execute("grant select on marts.fct_x, ml.features to somebody with grant option")
    REBUILDS[rebuild](Domain(filled))
    granted = "select has_table_privilege(%s, %s::regclass::oid, 'select')"
    for role, sees in SEES.items():
        kept = {"marts.fct_x", "ml.features"} if role == "somebody" else set()
        for table in [each for each in TABLES if each.startswith(("marts.", "ml."))]:
            assert filled.one(granted, role, table) == (table in sees | kept or role == "transformer"), (role, table)
        with login(filled, role) as db:
            for table in sorted(each for each in sees | kept if each.startswith(("marts.", "ml."))):
                assert db.execute(f"select id from {table}").fetchall() in ([(1,)], [(3,)])


def test_a_mart_is_open_once_its_restricted_column_is_gone(filled: Stack, monkeypatch: pytest.MonkeyPatch):
    domain, opened = Domain(filled), (Mart("dim_secret"), Mart("ml_secrets"))
    monkeypatch.setattr(reshape, "PATIENCE_SECONDS", 0.1)
    build(domain, "2 as id, 'rich' as income")
    domain.released(*MARTS)
    build(domain, "2 as id")
    with domain.reading("select * from marts.dim_secret", "select * from ml.secrets", role="transformer"):
        assert len(domain.released(*opened).warnings) == 2
        with login(filled, "ml") as db:
            for table in ("marts.dim_secret", "marts.ml_secrets", "ml.secrets"):
                with pytest.raises(DENIED):
                    db.execute(f"select income from {table}")
    assert domain.released(*opened).warnings == ()
    with login(filled, "ml") as db:
        for table in ("marts.dim_secret", "marts.ml_secrets", "ml.secrets"):
            assert db.execute(f"select * from {table}").fetchall() == [(2,)]


def test_a_rollback_shows_a_restricted_column_to_nobody_new(filled: Stack):
    domain, opened = Domain(filled), (Mart("dim_secret"), Mart("ml_secrets"))
    build(domain, "2 as id, 'rich' as income")
    domain.released(*MARTS)
    build(domain, "2 as id")
    domain.released(*opened)
    domain.roll_back()
    for table in ("marts.dim_secret", "marts.ml_secrets", "ml.secrets"):
        with login(filled, "somebody") as db:
            assert db.execute(f"select income from {table}").fetchall() == [("rich",)]
        with login(filled, "ml") as db, pytest.raises(DENIED):
            db.execute(f"select * from {table}")


def test_a_mart_that_gets_a_restricted_column_is_closed(filled: Stack):
    domain = Domain(filled)
    domain.released(*(Mart(mart.table, is_restricted=True) for mart in MARTS))
    for role in ("analyst", "ml"):
        with login(filled, role) as db:
            for table in ("marts.fct_x", "marts.ml_features", "ml.features"):
                with pytest.raises(DENIED):
                    db.execute(f"select * from {table}")


@pytest.mark.parametrize("role", ["analyst", "ml"])
def test_all_statements_of_a_readers_transaction_see_one_publication(filled: Stack, role: str):
    with login(filled, role) as db:
        assert db.execute("show transaction_isolation").fetchone() == ("repeatable read",)


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
        ("transformer", "update ops.publications set tables = '[]'"),
        ("transformer", "grant restricted_reader to analyst"),
        ("transformer", "create schema mine"),
        ("transformer", "create table public.mine (id int)"),
        ("loader", "select * from marts.fct_x"),
        ("loader", "select * from ml.features"),
        ("loader", "create schema mine"),
        ("loader", "create table public.mine (id int)"),
        ("loader", "create table marts.mine (id int)"),
        ("loader", "create table build_retail.mine (id int)"),
        *[
            (role, statement)
            for role in ("analyst", "ml", "somebody")
            for statement in (
                "delete from marts.fct_x",
                "create table marts.mine (id int)",
                "create view ml.mine as select 1 as id",
                "create table public.mine (id int)",
                "create temporary table mine (id int)",
                "create schema mine",
                "insert into ops.gate_results default values",
                "set role loader",
                "grant restricted_reader to analyst",
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


@pytest.mark.parametrize("role", ["loader", "transformer", "analyst", "ml"])
def test_a_role_of_the_warehouse_enters_no_other_database(stack: Stack, role: str):
    for database in ("airflow", "retail_db"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            stack.warehouse.connect(database, role, stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"])
