"""What the task group does when dbt, a model, a test or the warehouse fails: on a real Airflow, with a real warehouse.

Every case is a DAG of its own. They run at the same time; those that need a hand get it first.
"""

import json
from collections.abc import Callable

import pytest

from datastack.lineage.datasets import postgres_name

DBT = "dbt.dbt_producer_watcher"
MODELS = {"dbt.first", "dbt.middle", "dbt.last", "dbt.beside"}
BEHIND = {"gate", "publish"}


@pytest.fixture
def states(airflow, runs: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """States of a case's tasks, and of its run as ``run``."""

    def of(case: str) -> dict[str, str]:
        return airflow.states(case, runs[case]) | {"run": airflow.finish(case, runs[case])}

    return of


def succeeded(states: dict[str, str]) -> set[str]:
    return {task for task, state in states.items() if state == "success"}


def test_all_goes_well(airflow, states):
    assert set(states("healthy").values()) == {"success"}
    assert set(states("healthy")) > MODELS


def test_a_failing_model_fails_its_task_and_nothing_behind_it_runs(airflow, states):
    found = states("failing_model")
    assert succeeded(found) == {"plan", "dbt.first", "dbt.beside"}
    assert (found["dbt.middle"], found["dbt.last"]) == ("failed", "upstream_failed")
    assert {found[task] for task in BEHIND} == {"upstream_failed"}
    assert found["run"] == "failed"
    assert set(airflow.built("failing_model")) == {"first", "beside"}


def test_a_failing_model_says_why_in_its_own_log(airflow, runs):
    assert "division by zero" in airflow.log("failing_model", runs["failing_model"], "dbt.middle")


def test_a_failing_test_fails_the_task_of_its_model_and_closes_the_way(airflow, states):
    found = states("failing_test")
    assert succeeded(found) == {"plan", "dbt.first", "dbt.beside"}
    assert (found["dbt.middle"], found["dbt.last"]) == ("failed", "upstream_failed")
    assert {found[task] for task in BEHIND} == {"upstream_failed"}
    assert found["run"] == "failed"


def test_a_failing_test_is_named_in_the_log_of_its_model(airflow, runs):
    log = airflow.log("failing_test", runs["failing_test"], "dbt.middle")
    assert "not_null_middle_id" in log
    assert "Got 1 result" in log


def test_a_model_that_fails_once_is_built_by_the_same_try(airflow, states):
    assert set(states("fails_once").values()) == {"success"}
    assert airflow.tries("fails_once", DBT) == 1
    assert airflow.built("fails_once") == dict.fromkeys(("first", "middle", "last", "beside"), 1)


def test_a_killed_dbt_is_run_again_and_the_run_ends_green(airflow, states):
    assert set(states("killed").values()) == {"success"}
    assert airflow.tries("killed", DBT) == 2
    assert airflow.built("killed")["last"] == 1


def test_a_dbt_killed_in_its_last_try_fails_the_run_and_publishes_nothing(airflow, states):
    found = states("killed_for_good")
    assert found[DBT] == "failed"
    assert found["dbt.middle"] == "failed"
    assert found["dbt.last"] == "upstream_failed"
    assert {found[task] for task in BEHIND} == {"upstream_failed"}
    assert found["run"] == "failed"
    assert "last" not in airflow.built("killed_for_good")


def test_a_warehouse_that_restarts_midway_heals_by_itself(airflow, states):
    assert set(states("restarted").values()) == {"success"}
    assert airflow.tries("restarted", DBT) == 1


def test_a_publication_without_documentation_is_a_publication(states):
    found = states("no_docs")
    assert (found["publish"], found["docs"], found["run"]) == ("success", "failed", "success")


def test_a_model_that_dbt_never_built_is_not_green(airflow, states):
    found = states("never_built")
    assert found[DBT] == "success"
    assert (found["dbt.beside"], found["dbt.last"]) == ("failed", "failed")
    assert {found[task] for task in BEHIND} == {"upstream_failed"}
    assert found["run"] == "failed"


def test_a_cleared_model_is_built_alone(airflow, runs, states):
    states("healthy")
    before = airflow.built("healthy")
    airflow.clear("healthy", runs["healthy"], ["dbt.middle"])
    assert airflow.finish("healthy", runs["healthy"]) == "success"
    assert airflow.built("healthy") == before | {"middle": before["middle"] + 1}
    assert airflow.tries("healthy", DBT) == 1


def test_a_cleared_run_builds_everything_again_by_one_dbt(airflow, runs, states):
    states("fails_once")
    airflow.clear("fails_once", runs["fails_once"])
    assert airflow.finish("fails_once", runs["fails_once"]) == "success"
    assert airflow.built("fails_once") == dict.fromkeys(("first", "middle", "last", "beside"), 2)
    assert airflow.tries("fails_once", DBT) == 2


def test_after_a_fix_clearing_the_failed_tasks_runs_dbt_once_for_all(airflow, runs, states):
    states("failing_model")
    airflow.fix("failing_model")
    airflow.clear("failing_model", runs["failing_model"], only_failed=True)
    assert airflow.finish("failing_model", runs["failing_model"]) == "success"
    assert set(states("failing_model").values()) == {"success"}
    assert airflow.built("failing_model") == {"first": 2, "beside": 2, "middle": 1, "last": 1}


def test_a_failing_assertion_and_a_warning_reach_lineage(airflow, states):
    states("failing_test")
    lines = airflow.settings.lineage_file.read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["job"]["name"].endswith(f"failing_test.{DBT}")]
    inputs = [each for event in events for each in event["inputs"] if "inputFacets" in each]
    found = {
        (each["namespace"], each["name"], claim["column"], claim["assertion"], claim["success"], claim["severity"])
        for each in inputs
        for claim in each["inputFacets"].get("dataQualityAssertions", {}).get("assertions", ())
    }

    def name(table: str) -> tuple[str, str]:
        """As our own operators name it: only then do the two join up."""
        return postgres_name("127.0.0.1", airflow.warehouse.port, "warehouse", "failing_test", table)

    assert (*name("middle"), "id", "not_null", False, "error") in found
    assert (*name("first"), "id", "not_null", True, "error") in found
    assert (*name("beside"), "id", "accepted_values", False, "warn") in found
    assert {event["eventType"] for event in events} == {"START", "FAIL"}
