"""The lake lets go what was kept long enough, the ledger is told first, and what a table may still need stays."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from datastack.lake import inventory
from datastack.lake.inventory import Inventory
from datastack.lake.manifest import ManifestError
from datastack.operators import connections
from datastack.operators.expiry import Done, carry_out
from datastack.operators.maintain_lake import DeleteExpiredOperator, PlanRetentionOperator
from datastack.operators.retention import Planner, Reason, RetentionPlan, declared_retention
from datastack.warehouse.gate_results import Gated, record_gate
from datastack.warehouse.load import RunRef
from tests.integration.harness import TRANSACTIONS, Stack, days, in_thread, wait_for
from tests.integration.test_quarantine import tolerate

SLICE = "slice=20191101T000000Z_20191102T000000Z"
DEAD = f"conformed/retail_db/transactions/v1/{SLICE}/attempt=dead"
RETENTION = "  - property: drift\n    value: discard"


def uri() -> str:
    """Address of the warehouse as the loader."""
    return connections.postgres_uri(connections.LOADER)


def plan(after: float) -> RetentionPlan:
    """Plan as if so many days had passed; no object store lets its clock be set."""
    now = datetime.now(UTC) + timedelta(days=after)
    return Planner(connections.lake_inventory(), uri(), declared_retention(), now).plan()


def named(planned: RetentionPlan) -> dict[str, Reason]:
    """What a plan names, without the empty folders that ended checkpoints leave."""
    return {entry.prefix: entry.reason for entry in planned.entries if entry.bytes}


def conformed(planned: RetentionPlan) -> RetentionPlan:
    """What a plan says of the conformed zone."""
    return planned.model_copy(update={"entries": tuple(e for e in planned.entries if e.room == "conformed")})


def expire(after: float) -> Done:
    """Plan, and carry it out."""
    return carry_out(plan(after), connections.lake_inventory(), uri())


def folder(key: str) -> str:
    """Folder of an attempt, by the key of one of its objects."""
    return key.rpartition("/")[0]


@pytest.fixture
def reloaded(stack: Stack) -> tuple[Stack, str, str]:
    """Load a day twice; the second attempt took the place of the first."""
    first = stack.prepare("retail_db", "transactions", days(1))
    stack.copy("retail_db", "transactions", first)
    second = stack.prepare("retail_db", "transactions", days(1))
    stack.copy("retail_db", "transactions", second)
    return stack, first, second


def test_a_load_that_stands_stays_for_ever_and_one_that_was_replaced_goes(reloaded: tuple[Stack, str, str]):
    stack, first, second = reloaded
    assert named(plan(399)) == {}
    assert named(plan(401)) == {folder(first): Reason.REPLACED}
    rows = stack.checksum(TRANSACTIONS)
    kept = stack.objects(folder(second))
    assert expire(5000).kept == 0
    assert stack.objects() == kept
    assert [load["lake_deleted_at"] is None for load in stack.loads("transactions")] == [False, True]
    assert stack.checksum(TRANSACTIONS) == rows
    stack.copy("retail_db", "transactions", second)
    assert named(plan(5000)) == {}


def test_every_load_of_a_stream_that_merges_stands(stack: Stack):
    for _ in range(2):
        stack.load("retail_db", "households", days(1))
    assert named(plan(5000)) == {}


def test_an_older_snapshot_goes_whatever_its_slice(stack: Stack):
    keys = [stack.prepare("retail_db", "products", days(day)) for day in (5, 1)]
    for key in keys:
        stack.copy("retail_db", "products", key)
    assert named(plan(401)) == {folder(keys[0]): Reason.REPLACED}


def test_an_attempt_that_was_never_loaded_goes_with_its_zone(stack: Stack):
    key = stack.prepare("retail_db", "transactions", days(1))
    assert named(plan(399)) == {}
    assert named(plan(401)) == {folder(key): Reason.NEVER_LOADED}


def test_what_is_loaded_after_it_was_planned_is_kept(stack: Stack, caplog: pytest.LogCaptureFixture):
    key = stack.prepare("retail_db", "transactions", days(1))
    planned, objects = plan(401), stack.objects("conformed/")
    stack.copy("retail_db", "transactions", key)
    done = carry_out(planned, connections.lake_inventory(), uri())
    assert done.kept == 1
    assert stack.objects("conformed/") == objects
    assert f"{key} is kept: its load stands" in caplog.text


def test_what_is_written_to_after_it_was_planned_is_kept(stack: Stack, caplog: pytest.LogCaptureFixture):
    stack.put(f"{DEAD}/part-00001.parquet", b"x")
    [entry] = plan(3).entries
    earlier = entry.model_copy(update={"newest": entry.newest - timedelta(seconds=1)})
    planned = plan(3).model_copy(update={"entries": (earlier,)})
    assert carry_out(planned, connections.lake_inventory(), uri()).kept == 1
    assert stack.objects(DEAD) == [f"{DEAD}/part-00001.parquet"]
    assert f"{DEAD} is kept: it was written to" in caplog.text


def test_an_attempt_without_a_manifest_goes_after_two_days(stack: Stack):
    stack.put(f"{DEAD}/part-00001.parquet", b"x")
    assert named(plan(1.9)) == {}
    assert named(plan(2.1)) == {DEAD: Reason.UNFINISHED}
    expire(2.1)
    assert stack.objects() == []


def test_an_attempt_that_a_try_may_come_back_to_goes_with_its_checkpoint(stack: Stack):
    run = f"checkpoints/retail_db/transactions/{SLICE}/run=abc"
    stack.put(f"{DEAD}/part-00001.parquet", b"x")
    stack.put(f"{run}/plan.json", b"{}")
    assert named(plan(6.9)) == {}
    assert named(plan(7.1)) == {run: Reason.ABANDONED, DEAD: Reason.UNFINISHED}
    expire(7.1)
    assert stack.objects() == []


def test_landing_goes_after_its_retention_and_the_table_stays(stack: Stack, declarations: Any):
    contract = "contracts/marketing_api/coupons.odcs.yaml"
    declarations(contract, RETENTION, f"{RETENTION}\n  - property: retention\n    value: {{landing: P10D}}")
    landed = {stream: f"landing/marketing_api/{stream}/v1/{SLICE}/attempt=a" for stream in ("coupons", "campaigns")}
    for prefix in landed.values():
        stack.put(f"{prefix}/part-00001.jsonl.zst", b"x" * 100)
        stack.put(f"{prefix}/_manifest.json", b"{}")
    assert named(plan(9.9)) == {}
    assert named(plan(10.1)) == {landed["coupons"]: Reason.EXPIRED}
    done = expire(30.1)
    assert (done.deleted, done.objects, done.bytes) == (2, 4, 204)
    assert stack.objects() == []


def test_quarantined_rows_go_after_their_retention_and_are_not_offered_any_more(stack: Stack, declarations: Any):
    tolerate(declarations, "contracts/retail_db/products.odcs.yaml", rows=5, share=0.5)
    stack.shop("update products set department = null where product_id in (3, 4)")
    stack.load("retail_db", "products", days(1))
    [part] = stack.objects("quarantine/")
    assert named(plan(89)) == {}
    assert named(plan(91)) == {folder(part): Reason.NEVER_REPLAYED}
    assert stack.one("select count(*) from ops.open_quarantine") == 1
    expire(91)
    assert stack.objects("quarantine/") == []
    assert stack.one("select count(*) from ops.quarantine where expired_at is not null") == 1
    assert stack.one("select count(*) from ops.open_quarantine") == 0
    assert len(stack.manifests("conformed/")) == 1


def test_rows_that_were_over_tolerance_stay_to_be_looked_at(stack: Stack):
    stack.shop("update products set department = null where product_id in (3, 4)")
    with pytest.raises(ValueError, match="don't fit"):
        stack.prepare("retail_db", "products", days(1))
    [part] = stack.objects("quarantine/")
    assert folder(part) not in named(plan(89))
    assert named(plan(91))[folder(part)] is Reason.EXPIRED


def test_a_try_that_is_killed_between_the_ledger_and_the_lake_is_made_good(
    reloaded: tuple[Stack, str, str], monkeypatch: pytest.MonkeyPatch
):
    stack, first, _ = reloaded
    planned, objects = conformed(plan(401)), stack.objects()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Inventory, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(planned, connections.lake_inventory(), uri())
    assert stack.objects() == objects
    told = [load["lake_deleted_at"] for load in stack.loads("transactions")]
    assert told[0] is not None
    assert told[1] is None
    done = carry_out(planned, connections.lake_inventory(), uri())
    assert done.deleted == 1
    assert stack.objects(folder(first)) == []
    again = carry_out(planned, connections.lake_inventory(), uri())
    assert (again.deleted, again.gone_before) == (0, 1)
    assert [load["lake_deleted_at"] for load in stack.loads("transactions")] == told


def test_a_try_that_is_killed_amid_an_attempt_leaves_no_manifest(
    reloaded: tuple[Stack, str, str], monkeypatch: pytest.MonkeyPatch
):
    stack, first, second = reloaded
    planned = conformed(plan(401))
    with monkeypatch.context() as patch:
        patch.setattr(Inventory, "objects", _killed_after(Inventory.objects, 1))
        with pytest.raises(KeyboardInterrupt):
            carry_out(planned, connections.lake_inventory(), uri())
    assert stack.manifests("conformed/") == [second]
    assert stack.objects(folder(first)) != []
    assert named(plan(401)) == {folder(first): Reason.REPLACED}
    expire(401)
    assert stack.objects(folder(first)) == []


def _killed_after(work: Any, calls: int) -> Any:
    left = [calls]

    def limited(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return work(*arguments)

    return limited


def test_a_load_that_comes_amid_waits_and_finds_that_its_attempt_is_gone(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    key = stack.prepare("retail_db", "transactions", days(1))
    planned, delete, loading = plan(401), Inventory.delete, []
    waiting = "select count(*) from pg_stat_activity where wait_event = 'advisory'"

    def slowly(self: Inventory, prefixes: list[str]) -> None:
        if folder(key) in prefixes:
            loading.append(in_thread(stack.copy, "retail_db", "transactions", key))
            wait_for(lambda: stack.one(waiting) == 1)
        delete(self, prefixes)

    monkeypatch.setattr(Inventory, "delete", slowly)
    carry_out(planned, connections.lake_inventory(), uri())
    with pytest.raises(ManifestError, match="is not there"):
        loading[0]()
    assert stack.loads("transactions") == []


def test_a_stream_that_is_not_declared_any_more_is_reported_and_kept(stack: Stack, capfd: pytest.CaptureFixture[str]):
    key = f"landing/retail_db/orders/v1/{SLICE}/attempt=a/part-00001.jsonl.zst"
    stack.put(key, b"x")
    planned = plan(5000)
    assert (planned.entries, planned.undeclared) == ((), {"retail_db.orders": 1})
    stack.run(PlanRetentionOperator(task_id="plan"))
    assert "retail_db.orders is not declared any more: its 1 attempts in the lake are kept" in capfd.readouterr().out


def test_objects_that_are_not_ours_are_left_alone(stack: Stack):
    keys = ["conformed/readme.txt", "landing/retail_db/notes.txt", "landing/retail_db/transactions/v1/x", "elsewhere/y"]
    for key in keys:
        stack.put(key, b"x")
    assert named(plan(5000)) == {}


def test_a_plan_says_what_it_would_delete_and_a_dry_run_ends_there(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    stack.put(f"{DEAD}/part-00001.parquet", b"x" * 1234)
    monkeypatch.setattr("datastack.operators.maintain_lake.datetime", Later)
    planned = stack.run(PlanRetentionOperator(task_id="plan"))
    assert {name: planned[name] for name in ("attempts", "objects", "bytes")} == {
        "attempts": 1, "objects": 1, "bytes": 1234,
    }  # fmt: skip
    [entry] = json.loads(stack.get(planned["plan"]))["entries"]
    assert (entry["prefix"], entry["reason"]) == (DEAD, "unfinished")
    [line] = [line for line in capfd.readouterr().out.splitlines() if DEAD in line]
    assert f"conformed unfinished 1 1 1,234 {DEAD} " in " ".join(line.split())
    delete = DeleteExpiredOperator(task_id="delete", plan=planned)
    with pytest.raises(AirflowSkipException, match=f"s3://lake/{planned['plan']} says what would be"):
        stack.run(delete, dry_run=True)
    assert stack.objects(DEAD)
    assert stack.run(delete, dry_run=False) == {
        "attempts": 1, "objects": 1, "bytes": 1234, "gate_samples": 0, "gate_results": 0,
    }  # fmt: skip
    assert stack.objects(DEAD) == []


def test_samples_of_gates_go_after_a_month_and_their_results_after_a_year(
    stack: Stack, capfd: pytest.CaptureFixture[str]
):
    def kept(table: str) -> list[int]:
        with stack.warehouse.connect("warehouse") as db:
            return [row[0] for row in db.execute(f"select gate_result_id from ops.{table} order by 1")]

    gated = Gated("gate", "raw_retail_db.transactions", RunRef("ingest", "run", 1))
    result = dict.fromkeys(
        ("column", "level", "value", "low", "high", "threshold", "measured", "detail", "waiver")
    ) | {"name": "key", "type": "duplicate", "outcome": "FAILED"}  # fmt: skip
    ids = record_gate(uri(), gated, [result] * 4, [([{"id": 1}], "select 1")] * 4)
    with stack.warehouse.connect("warehouse") as db:
        for name, age in zip(ids, ("29 days 23 hours", "30 days 1 hour", "399 days", "400 days 1 hour"), strict=True):
            sql = "update ops.gate_results set checked_at = now() - %s::interval where gate_result_id = %s"
            db.execute(sql, (age, name))
    planned = stack.run(PlanRetentionOperator(task_id="plan"))
    assert (planned["gate_samples"], planned["gate_results"]) == (3, 1)
    told = capfd.readouterr().out
    assert "ops.gate_samples: 3 from before" in told
    assert "ops.gate_results: 1 from before" in told
    delete = DeleteExpiredOperator(task_id="delete", plan=planned)
    with pytest.raises(AirflowSkipException):
        stack.run(delete, dry_run=True)
    assert (kept("gate_samples"), kept("gate_results")) == (ids, ids)
    done = stack.run(delete, dry_run=False)
    assert (done["gate_samples"], done["gate_results"]) == (3, 1)
    assert (kept("gate_samples"), kept("gate_results")) == (ids[:1], ids[:3])


class Later(datetime):
    """A clock that is three days fast."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        """Tell the time."""
        return datetime.now(tz) + timedelta(days=3)


def test_more_than_one_request_takes_is_deleted(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inventory, "DELETED_AT_ONCE", 2)
    for number in range(5):
        stack.put(f"{DEAD}/part-{number:05d}.parquet", b"x")
    assert expire(3).objects == 5
    assert stack.objects() == []


def test_a_plan_names_so_much_and_the_next_one_goes_on(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("datastack.operators.retention.MOST", 1)
    for name in ("a", "b"):
        stack.put(f"{DEAD}{name}/part-00001.parquet", b"x")
    assert [plan(3).is_complete, len(plan(3).entries)] == [False, 1]
    expire(3)
    assert plan(3).is_complete
    expire(3)
    assert stack.objects() == []


def test_a_lake_that_refuses_is_named(stack: Stack):
    stack.connect("lake", password="hush-hush")
    with pytest.raises(OSError, match=r"listing s3://lake/conformed/ failed: .*Signature") as failure:
        plan(3)
    assert "hush-hush" not in str(failure.value)
