"""Marts follow their raw data: an incremental run gives what a full one gives, and features know of no later day."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import ROOT, Stack

RAW = (Path(__file__).parent / "retail_raw.sql").read_text()
MONDAY = date(2026, 3, 2)
WEEK = timedelta(weeks=1)
FEATURES = "build_retail.ml_household_features"
LATER_CAMPAIGN = """
    insert into raw_marketing_api.campaigns values (3, 'Type A', '2026-03-17', '2026-03-18', '{}', 0);
    insert into raw_marketing_api.campaign_households select 3, md5(id::text), 0 from generate_series(1, 9) as id;
    insert into raw_marketing_api.redemptions
    select 's-' || id, md5(id::text), 7, 3, '2026-03-17', '2026-03-17 12:00Z', 0, '2026-03-18Z'
    from generate_series(1, 4) as id"""


class Retail:
    """A warehouse whose raw tables are filled by hand, slice by slice, and whose marts are built by dbt."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        from dbt.cli.main import dbtRunner

        self.stack, self._runner = stack, dbtRunner()
        self._options = ["--project-dir", "include/dbt", "--profiles-dir", "include/dbt", "--target-path", str(folder)]
        self._options += ["--log-level", "none", "--log-path", str(folder)]
        self.run_as("loader", RAW)

    def run_as(self, role: str, statement: str, *values: Any) -> Any:
        """Run statements as a role of the warehouse; return the first value."""
        secret = self.stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"]
        with closing(self.stack.warehouse.connect("warehouse", role, secret)) as db:
            cursor = db.execute(statement, values or None)
            return cursor.fetchone()[0] if cursor.description else None

    def _load(self, source: str, stream: str, start: date, length: timedelta, write: str) -> int:
        """Write a load into the ledger; return its id."""
        return self.run_as(
            "loader",
            """
            insert into ops.loads (
                source, stream, slice_start, slice_end, write_disposition, contract_version, manifest_key,
                manifest_digest, extracted_at, source_rows, lake_rows, loaded_rows, quarantined_rows, bytes, dag_id,
                run_id, try_number
            ) values (%s, %s, %s, %s, %s, '1', 'm', gen_random_uuid()::text, now(), 0, 0, 0, 0, 0, 'd', 'r', 1)
            returning load_id""",
            *(source, stream, midnight(start), midnight(start + length), write),
        )

    def day(self, place: int, amount: int = 1) -> int:
        """Load the purchases of a day, counted from the first Monday, in the place of those there were.

        Households buy every third day, just after midnight or just before; amount is in every price.
        """
        start = MONDAY + timedelta(days=place)
        load = self._load("retail_db", "transactions", start, timedelta(days=1), "replace_slice")
        bounds = (midnight(start), midnight(start) + timedelta(days=1))
        delete = "delete from raw_retail_db.transactions where transaction_at >= %s and transaction_at < %s"
        self.run_as("loader", delete, *bounds)
        self.run_as(
            "loader",
            """
            insert into raw_retail_db.transactions
            select
                md5(id::text), id %% 2 + 300, %s * 1000 + id, product + %s %% 29, 1, %s + product / 100.0, 0.10, 0, 0,
                1,
                case id %% 2 when 0 then %s else %s - interval '1 microsecond' end, %s
            from generate_series(1, 14) as id, generate_series(id, id + 2) as product
            where id %% 3 = %s %% 3 and id <> %s""",
            *(place, place, amount, *bounds, load, place, 3 * amount),
        )
        return load

    def week(self, place: int, stores: int = 4) -> int:
        """Load the promotions of a week, in the place of those there were: store 300 and on."""
        start = MONDAY + place * WEEK
        load = self._load("promotions", "promotions", start, WEEK, "append")
        self.run_as("loader", "delete from raw_promotions.promotions where week_start = %s", start)
        self.run_as(
            "loader",
            """
            insert into raw_promotions.promotions
            select store * 5 + number + %s, 300 + store, (array['0', '1', '5'])[number %% 3 + 1],
                (array['A', '0', 'A'])[number %% 3 + 1], 1, %s, %s
            from generate_series(1, %s) as store, generate_series(0, 9) as number""",
            *(place, start, load, stores),
        )
        return load

    def moved(self, day: int) -> int:
        """Load a household's new version."""
        load = self._load("retail_db", "households", MONDAY + timedelta(days=day), timedelta(days=1), "scd2")
        at = midnight(MONDAY + timedelta(days=day)) + timedelta(hours=9)
        close = "set _valid_to = %s, _is_current = false where household_id = md5('1') and _is_current"
        self.run_as("loader", f"update raw_retail_db.households {close}", at)
        self.run_as(
            "loader",
            """
            insert into raw_retail_db.households
            select household_id, age, income, 'Homeowner ' || %s, marital_status, household_size, household_comp,
                kids_count, %s, %s, %s, %s, null, true
            from raw_retail_db.households where household_id = md5('1') and _valid_to = %s""",
            *(day, at, load, at, at, at),
        )
        return load

    def plan(self, *loads: int) -> None:
        """Plan the loads, as the plan task does."""
        columns = "domain, dag_id, run_id, try_number, whole, reason"
        plan = f"insert into ops.plans ({columns}) values ('retail', 'd', 'r', 1, false, 'a test')"
        self.run_as("transformer", f"delete from ops.plans; {plan}")
        for load in loads:
            self.run_as("transformer", "insert into ops.plan_loads (domain, load_id) values ('retail', %s)", load)

    def dbt(self, *arguments: str, zone: str = "UTC") -> None:
        """Run dbt in a session of another time zone."""
        with self.stack.warehouse.connect("warehouse") as db:
            db.execute(f"alter role transformer set timezone = '{zone}'")
        try:
            done = self._runner.invoke([*arguments, *self._options])
        finally:
            with self.stack.warehouse.connect("warehouse") as db:
                db.execute("alter role transformer reset timezone")
        results = getattr(done.result, "results", ())
        bad = [(each.node.name, each.message) for each in results if each.status not in ("success", "pass", "no-op")]
        assert done.success, bad or done.exception
        assert results

    def marts(self) -> dict[str, str]:
        """Checksum of every mart."""
        tables = "select tablename from pg_tables where schemaname = 'build_retail' order by 1"
        return {name: self.stack.checksum(f"build_retail.{name}") for (name,) in self.stack.rows(tables)}


def midnight(day: date) -> datetime:
    """When a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.fixture
def retail(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Retail:
    """Give raw data without purchases and promotions."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DATASTACK_WAREHOUSE_PORT", str(stack.warehouse.port))
    monkeypatch.setenv("DATASTACK_WAREHOUSE_PASSWORD", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"])
    return Retail(stack, tmp_path)


def test_incremental_runs_give_what_a_full_one_gives(retail: Retail):
    """Slices come out of order, late and corrected, in sessions of several time zones; at the end, none is planned."""
    retail.plan(retail.day(9), retail.day(1), retail.week(1))
    retail.dbt("run")
    written = "select basket_id, xmin::text from build_retail.fct_purchases where basket_id / 1000 = {} order by 1, 2"
    before = retail.stack.rows(written.format(1))

    retail.plan(retail.day(0), retail.day(2), retail.day(8), retail.day(10), retail.week(0))
    retail.dbt("run", zone="America/New_York")
    assert retail.stack.rows(written.format(1)) == before, "rows outside of the planned slices are left alone"

    retail.plan(retail.day(1, amount=2), retail.week(1, stores=2), retail.moved(8), retail.day(13))
    retail.dbt("run", zone="Pacific/Kiritimati")
    assert retail.stack.rows(written.format(1)) != before

    marts = retail.marts()
    assert len(marts) == 15
    assert all(not found.startswith("0 rows") for found in marts.values()), marts
    retail.plan()
    retail.dbt("run", zone="Asia/Kolkata")
    assert retail.marts() == marts

    retail.dbt("build", "--full-refresh", "--exclude-resource-type", "unit_test", zone="America/St_Johns")
    assert retail.marts() == marts


def test_features_know_of_no_later_day(retail: Retail):
    retail.plan(*map(retail.day, range(14)), retail.week(0), retail.week(1))
    retail.dbt("run")
    earlier = (
        f"select f.* from {FEATURES} as f where week_end_date <= '2026-03-15' order by household_key, week_end_date"
    )
    before = retail.stack.rows(earlier)
    assert {row[2] for row in before} == {date(2026, 3, 8), date(2026, 3, 15)}

    later = [retail.moved(14), retail.week(2), *map(retail.day, range(14, 28))]
    retail.run_as("loader", LATER_CAMPAIGN)
    retail.plan(*later)
    retail.dbt("run")
    assert retail.stack.rows(earlier) == before
    assert retail.stack.one(f"select count(distinct week_end_date) from {FEATURES}") == 4


def test_a_promotion_outside_of_the_window_of_its_load_is_found(retail: Retail):
    retail.plan(retail.day(0), retail.week(0))
    late = "update raw_promotions.promotions set week_start = week_start + 7 where product_id = 5"
    retail.run_as("loader", late)
    with pytest.raises(AssertionError, match="within_slice_of_load"):
        retail.dbt("build", "--select", "stg_promotions__promotions", "stg_ledger__planned_slices")
