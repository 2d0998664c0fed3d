"""A year is loaded, two days are backfilled, a day is run again: tables hold what the files hold, and nothing moves.

The tests of this file are one story and run in order.
"""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta

import httpx
import pytest

from local.demo.partner import key
from tests.e2e import expected
from tests.e2e.driver import DROPS, INGEST, PROMOTIONS, TRANSFORM, Driver

pytestmark = pytest.mark.timeout(900)
LATE_WEEK = 5
WEEKS = range(1, 13)  # of promotions, that the story loads


def midnight(stack: Driver, days: int) -> datetime:
    """Midnight that begins a day of the shifted year, counted from its first; from its last for negative numbers."""
    day = expected.FIRST_DAY + timedelta(days) if days >= 0 else expected.LAST_DAY + timedelta(days + 1)
    return datetime.combine(day + expected.shift(stack.anchor), time(), UTC)


def monday(stack: Driver, week: int) -> datetime:
    """Midnight that begins a week."""
    return datetime.combine(expected.monday(week, stack.anchor), time(), UTC)


@pytest.fixture(scope="module")
def story() -> dict[str, object]:
    """What earlier tests of the story leave to later ones."""
    return {}


def test_nothing_is_open_without_a_login(stack: Driver):
    for path in ("/api/v2/dags", "/api/v2/connections", "/api/v2/variables", "/api/v2/dags/transform_retail/dagRuns"):
        assert httpx.get(stack.url + path).status_code == 401, path


def test_an_initial_load_is_one_run_a_source(stack: Driver):
    stack.await_dags()
    stack.objects.delete_object(Bucket=DROPS, Key=key(expected.monday(LATE_WEEK, stack.anchor)))
    windows = {dag: (midnight(stack, 0), midnight(stack, -2)) for dag in INGEST}
    windows[PROMOTIONS] = (monday(stack, 1), monday(stack, 9))
    due = {dag: stack.api("GET", f"/dags/{dag}") for dag in windows}
    runs = {
        # In the place of the run that the schedule is about to create.
        dag: stack.load(dag, start, end, logical_date=due[dag]["next_dagrun_logical_date"])
        for dag, (start, end) in windows.items()
    }
    stack.unpause()
    for dag, run_id in runs.items():
        stack.succeed(dag, run_id)
    stack.settle()
    assert {run["dag_run_id"] for dag in windows for run in stack.runs(dag)} == set(runs.values())
    query = "select source || '.' || stream, count(*) from ops.loads where source <> 'leaflets' group by 1"
    loaded = dict(stack.rows(query))
    assert loaded.pop("promotions.promotions") == 7  # eight weeks, one of them late
    assert len(loaded) == 7
    assert set(loaded.values()) == {1}


def test_a_month_of_files_is_backfilled_and_takes_the_late_one_along(stack: Driver):
    stack.partner.deliver([expected.monday(LATE_WEEK, stack.anchor)])
    first, last = (expected.monday(week, stack.anchor).isoformat() for week in (9, 12))
    for_cli = ("--from-date", first, "--to-date", last, "--max-active-runs", "2")
    stack.airflow("backfill", "create", "--dag-id", PROMOTIONS, *for_cli)
    stack.settle()
    done = [run["state"] for run in stack.runs(PROMOTIONS) if run["run_type"] == "backfill"]
    assert done == ["success"] * 4
    # Two runs at once may both have taken it; its rows are there once.
    assert stack.promotions() == expected.promotion_sums(WEEKS, stack.anchor)


def test_the_last_two_days_are_backfilled(stack: Driver):
    first, last = midnight(stack, -2), midnight(stack, -1)
    missing = stack.rows(
        "select count(*) from raw_retail_db.transactions where transaction_at >= %s", parameters=(first,)
    )
    assert missing == [(0,)]
    for_cli = ("--from-date", first.date().isoformat(), "--to-date", last.date().isoformat(), "--max-active-runs", "2")
    stack.airflow("backfill", "create", "--dag-id", "ingest_retail_db", *for_cli)
    by_rest = {"dag_id": "ingest_marketing_api", "from_date": first.isoformat(), "to_date": last.isoformat()}
    stack.api(
        "POST",
        "/backfills",
        **by_rest,
        max_active_runs=2,
        reprocess_behavior="none",
        run_backwards=True,
        dag_run_conf={},
    )
    stack.settle()
    for dag in INGEST:
        done = [run for run in stack.runs(dag) if run["run_type"] == "backfill"]
        assert [run["state"] for run in done] == ["success", "success"], dag
    slices = stack.rows("select slice_start, slice_end from ops.loads where stream = 'transactions' order by 1")
    assert slices[1:] == [(first, last), (last, last + timedelta(days=1))]


def test_raw_transactions_are_those_of_the_files(stack: Driver):
    found = stack.rows("""
        select count(*), sum(quantity)::bigint, (sum(sales_value) * 100)::bigint, (sum(retail_disc) * 100)::bigint,
            (sum(coupon_disc) * 100)::bigint, (sum(coupon_match_disc) * 100)::bigint, count(distinct household_id),
            count(distinct basket_id), count(distinct product_id), count(distinct store_id),
            min(transaction_at at time zone 'UTC'), max(transaction_at at time zone 'UTC')
        from raw_retail_db.transactions""")
    assert found == [expected.raw_transactions(stack.anchor)]


def test_other_raw_tables_are_those_of_the_files(stack: Driver):
    def count(table: str, what: str = "*") -> int:
        return stack.rows(f"select count({what}) from {table}")[0][0]

    households = {*expected.table("transactions").household_id}
    assert (
        count("raw_retail_db.households")
        == count("raw_retail_db.households", "distinct household_id")
        == len(households)
    )
    assert count("raw_retail_db.households", "age") == len(expected.table("demographics"))
    assert count("raw_retail_db.products") == len(expected.table("products"))
    assert count("raw_retail_db.products", "package_size") == int(expected.table("products").package_size.notna().sum())
    assert count("raw_marketing_api.coupons") == len(expected.table("coupons"))
    redeemed = expected.table("coupon_redemptions")
    assert count("raw_marketing_api.redemptions") == count("raw_marketing_api.redemptions", "distinct redemption_id")
    assert count("raw_marketing_api.redemptions") == len(redeemed)
    assert count("raw_marketing_api.redemptions", "distinct household_id") == redeemed.household_id.nunique()
    campaigns = stack.rows(
        "select campaign_id, campaign_type, start_date, end_date, cardinality(household_ids) "
        "from raw_marketing_api.campaigns"
    )
    assert set(campaigns) == expected.campaigns(stack.anchor)
    key = stack.stack.secrets["PRIVACY_KEY"]
    pairs = {
        (row.campaign_id, expected.pseudonym(row.household_id, key)) for row in expected.table("campaigns").itertuples()
    }
    addressed = stack.rows("select campaign_id, household_id from raw_marketing_api.campaign_households")
    assert len(addressed) == len(pairs)
    assert set(addressed) == pairs


def test_households_have_the_same_pseudonym_in_every_source(stack: Driver):
    key = stack.stack.secrets["PRIVACY_KEY"]
    households = {expected.pseudonym(number, key) for number in {*expected.table("transactions").household_id}}
    for query in (
        "select distinct household_id from raw_retail_db.transactions",
        "select household_id from raw_retail_db.households",
        "select household_id from marts.dim_household",
        "select household_id from marts.fct_purchases inner join marts.dim_household using (household_key)",
    ):
        assert {name for (name,) in stack.rows(query)} == households, query
    targeted = {expected.pseudonym(number, key) for number in {*expected.table("campaigns").household_id}}
    assert {name for (name,) in stack.rows("select unnest(household_ids) from raw_marketing_api.campaigns")} == targeted


def test_marts_hold_what_the_files_hold(stack: Driver):
    [sums] = stack.rows("""
        select count(*), (sum(sales_amount_usd) * 100)::bigint, count(distinct household_key),
            count(distinct (basket_id, product_key)) from marts.fct_purchases""")
    rows = expected.purchases(stack.anchor)
    assert sums == (len(rows), int(rows.sales_value.sum()), rows.household_id.nunique(), len(rows))
    promoted = {product for week in WEEKS for product in expected.promotions(week).product_id}
    unlisted = ({*rows.product_id} | promoted) - {*expected.table("products").product_id}
    products = stack.rows("select count(*), count(*) filter (where not is_listed) from marts.dim_product")
    assert products == [(len(expected.table("products")) + len(unlisted), len(unlisted))]
    weeks = stack.rows("""
        select week_start_date, department, household_count, basket_count, purchase_count, unit_count,
            (sales_amount_usd * 100)::bigint, (retail_discount_usd * 100)::bigint, (coupon_discount_usd * 100)::bigint,
            (coupon_match_discount_usd * 100)::bigint from marts.rpt_weekly_sales""")
    assert set(weeks) == expected.weekly_sales(stack.anchor)
    responses = stack.rows("""
        select campaign_id, targeted_household_count, redeeming_household_count, redemption_count, response_rate,
            buying_household_count, basket_count, (sales_amount_usd * 100)::bigint from marts.rpt_campaign_response""")
    assert set(responses) == expected.campaign_response(stack.anchor)
    promotions = stack.rows("""
        select week_start_date, count(*), sum(store_count)::bigint, sum(display_store_count)::bigint,
            sum(mailer_store_count)::bigint from marts.fct_product_promotions group by 1""")
    assert set(promotions) == expected.product_promotions(WEEKS, stack.anchor)


def test_reports_on_households_hold_what_the_files_hold(stack: Driver):
    key, sunday = stack.stack.secrets["PRIVACY_KEY"], expected.monday(40, stack.anchor) - timedelta(days=1)
    activity = stack.rows("""
        select household_id, recency_days, basket_count, (sales_amount_usd * 100)::bigint
        from marts.rpt_household_activity""")
    assert set(activity) == expected.household_activity(stack.anchor, key)
    spans = ", ".join(
        f"basket_count_{weeks}w, (sales_amount_usd_{weeks}w * 100)::bigint, department_count_{weeks}w"
        for weeks in (4, 13, 52)
    )
    features = stack.rows(
        f"select household_id, recency_days, {spans} from marts.ml_household_features "
        "inner join marts.dim_household using (household_key) where week_end_date = %s",
        parameters=(sunday,),
    )
    assert set(features) == expected.features(stack.anchor, key, sunday)
    uplift = stack.rows("""
        select campaign_id, measured_redeemer_count, comparison_household_count, uplift_per_household_usd
        from marts.rpt_campaign_uplift where is_measured""")
    assert {number: (redeemers, others) for number, redeemers, others, _ in uplift} == {
        number: found[:2] for number, found in expected.campaign_uplift(stack.anchor).items()
    }
    for number, *_, found in uplift:
        assert float(found) == pytest.approx(expected.campaign_uplift(stack.anchor)[number][2], abs=0.006), number


def test_restricted_columns_are_in_one_mart_of_their_own(stack: Driver):
    found = stack.rows("""
        select table_schema, table_name from information_schema.columns
        where column_name in ('income', 'income_band', 'marital_status')""")
    assert set(found) == {
        ("raw_retail_db", "households"),
        ("staging", "stg_retail_db__households"),
        ("build_retail", "dim_household_restricted"),
        ("marts", "dim_household_restricted"),
    }


def test_running_a_day_again_changes_nothing(stack: Driver, story: dict[str, object]):
    before = stack.checksums()
    assert len(before) == 24  # 9 streams, 15 marts
    assert all(rows > 0 for rows, _ in before.values())
    day = midnight(stack, 100)
    publications = stack.rows("select count(*) from ops.publications")[0][0]
    runs = {dag: stack.load(dag, day, day + timedelta(days=1)) for dag in INGEST}
    for dag, run_id in runs.items():
        stack.succeed(dag, run_id)
    stack.settle()
    assert stack.checksums() == before
    assert stack.rows("select count(*) from ops.publications")[0][0] > publications
    again = stack.rows("select count(*) from ops.loads where run_id = any(%s)", parameters=(list(runs.values()),))
    assert again == [(7,)]
    story["checksums"] = before


def test_clearing_a_backfilled_day_changes_nothing(stack: Driver, story: dict[str, object]):
    dag = "ingest_retail_db"
    run = next(run for run in stack.runs(dag) if run["run_type"] == "backfill")
    stack.api("POST", f"/dags/{dag}/dagRuns/{run['dag_run_id']}/clear", dry_run=False)
    stack.settle()
    of_run = "select count(*) from ops.loads where (dag_id, run_id) = (%s, %s)"
    loads = stack.rows(of_run, parameters=(dag, run["dag_run_id"]))
    assert loads == [(6,)]  # three streams, twice
    assert stack.checksums() == story["checksums"]


def test_counts_reconcile_in_the_ledger(stack: Driver):
    broken = stack.rows("""
        select source, stream, slice_start from ops.loads
        where source_rows <> lake_rows + quarantined_rows or loaded_rows > lake_rows or quarantined_rows <> 0""")
    assert broken == []
    [(year,)] = stack.rows("select max(source_rows) from ops.loads where stream = 'transactions'")
    days = stack.rows("select source_rows from ops.loads where stream = 'transactions' and source_rows < 10000")
    assert year + sum(rows for (rows,) in days[:2]) == len(expected.table("transactions"))


def test_every_gate_ran_and_passed(stack: Driver):
    outcomes = dict(stack.rows("select outcome, count(*) from ops.gate_results group by 1"))
    assert set(outcomes) <= {"PASSED", "WARN"}
    assert outcomes["PASSED"] > 100
    gates = {gate for (gate,) in stack.rows("select distinct gate from ops.gate_results")}
    streams = {stream for (stream,) in stack.rows("select distinct stream from ops.loads")}
    assert gates == {"gate", *(f"{stream}.gate" for stream in streams)}


def test_lineage_joins_source_and_report(stack: Driver):
    downstream: dict[str, set[str]] = defaultdict(set)
    assertions = 0
    for line in stack.settings.lineage_file.read_text().splitlines():
        event = json.loads(line)
        inputs = [f"{each['namespace']} {each['name']}" for each in event["inputs"]]
        assertions += sum("dataQualityAssertions" in each.get("inputFacets", {}) for each in event["inputs"])
        for output in event["outputs"]:
            for each in inputs:
                downstream[each].add(f"{output['namespace']} {output['name']}")
    server = f"postgres://127.0.0.1:{stack.settings.port('POSTGRES')}"
    reached, ahead = set(), [f"{server} retail_db.public.transactions"]
    while ahead:
        for each in downstream[ahead.pop()] - reached:
            reached.add(each)
            ahead.append(each)
    assert f"{server} warehouse.marts.rpt_weekly_sales" in reached
    assert "s3://lake conformed/retail_db/transactions/v1" in reached
    assert assertions > 10


def test_no_secret_is_in_any_log(stack: Driver):
    who = ("_CLIENT_ID", "_ACCESS_KEY")  # who asks, not how that is proved
    secrets = {name: value for name, value in stack.stack.secrets.items() if not name.endswith(who)}
    assert len(secrets) > 10
    logs = [
        file for folder in ("logs", "airflow/logs", "lineage") for file in (stack.settings.state / folder).rglob("*.*")
    ]
    logs = [file for file in logs if file.is_file()]
    assert len(logs) > 100
    pattern = re.compile("|".join(map(re.escape, secrets.values())).encode())
    found = {str(file): pattern.search(file.read_bytes()) for file in logs}
    assert [file for file, match in found.items() if match] == []


def test_a_killed_dbt_is_run_again_and_changes_nothing(stack: Driver, story: dict[str, object]):
    run_id = stack.api("POST", f"/dags/{TRANSFORM}/dagRuns", logical_date=None, conf={"force": True})["dag_run_id"]
    stack.kill(TRANSFORM, run_id, "dbt.dbt_producer_watcher")
    stack.succeed(TRANSFORM, run_id)
    assert set(stack.states(TRANSFORM, run_id).values()) == {"success"}
    assert stack.checksums() == story["checksums"]


def test_a_cleared_run_builds_all_again_and_changes_nothing(stack: Driver, story: dict[str, object]):
    run_id = stack.runs(TRANSFORM)[-1]["dag_run_id"]
    stack.api("POST", f"/dags/{TRANSFORM}/dagRuns/{run_id}/clear", dry_run=False)
    stack.succeed(TRANSFORM, run_id)
    assert set(stack.states(TRANSFORM, run_id).values()) == {"success"}
    assert stack.checksums() == story["checksums"]


def test_the_transform_has_nothing_to_do_now(stack: Driver):
    run_id = stack.api("POST", f"/dags/{TRANSFORM}/dagRuns", logical_date=None, conf={})["dag_run_id"]
    stack.succeed(TRANSFORM, run_id)
    states = stack.states(TRANSFORM, run_id)
    assert states["plan"] == states["publish"] == "skipped"
