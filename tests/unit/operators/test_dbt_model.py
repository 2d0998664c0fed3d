"""When a model's task believes a verdict, builds its model itself, gives up, or gives its slot back."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from datastack.operators import dbt_model
from datastack.operators.dbt_build import CLEARS_KEY
from datastack.operators.dbt_model import DbtModelOperator
from datastack.operators.dbt_verdicts import Verdict, verdict_key
from datastack.pipelines.dbt_group import profile

MODEL = "model.p.a"


class Model(DbtModelOperator):
    """A model's task whose surroundings are given: what is in XCom, and the state of the task that runs dbt."""

    state: str | None
    built = 0

    def _get_producer_task_status(self, context: Any) -> str | None:
        return self.state

    def _fallback_to_non_watcher_run(self, try_number: int, context: Any) -> bool:
        self.built += 1
        return True

    def _override_rtif(self, context: Any) -> None:
        """There is no Airflow to tell the compiled SQL."""


def poke(state: str | None, *, clears: int = 0, told: dict[str, Any] | None = None) -> tuple[bool, int]:
    """Look once; return whether it is done, and how often it has built the model itself."""
    model = Model(
        task_id="a",
        project_dir=str(Path(__file__).parent),
        profile_config=profile(),
        extra_context={"dbt_node_config": {"unique_id": MODEL}},
    )
    model.state = state
    ti = SimpleNamespace(try_number=1, xcom_pull=lambda task_ids, key: (told or {}).get(key))
    context = {"ti": ti, "dag_run": SimpleNamespace(clear_number=clears)}
    return model.poke(context), model.built


def verdict(good: bool, clears: int = 0) -> dict[str, Any]:
    """What the task that runs dbt has told."""
    return {verdict_key(MODEL): Verdict(good, clears, "dbt's words", "select 1").as_xcom(), CLEARS_KEY: clears}


@pytest.mark.parametrize("state", ["running", "success", "failed", "up_for_retry"])
def test_a_good_verdict_is_enough(state: str):
    assert poke(state, told=verdict(True)) == (True, 0)


@pytest.mark.parametrize("state", ["running", "success", "failed"])
def test_a_bad_verdict_is_final(state: str):
    with pytest.raises(AirflowFailException, match="dbt's words"):
        poke(state, told=verdict(False))


@pytest.mark.parametrize("state", ["running", "queued", None])
def test_without_a_verdict_it_waits(state: str | None):
    assert poke(state) == (False, 0)


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed", "removed"])
@pytest.mark.parametrize("told", [{}, {CLEARS_KEY: 0}], ids=["nothing told", "begun"])
def test_a_dbt_that_ended_without_a_verdict_is_a_failure(state: str, told: dict[str, Any]):
    with pytest.raises(AirflowFailException, match=f"ended \\({state}\\) and did not build model.p.a"):
        poke(state, told=told)


@pytest.mark.parametrize("good", [True, False])
def test_cleared_alone_it_builds_its_model(good: bool):
    assert poke("success", clears=1, told=verdict(good)) == (True, 1)


@pytest.mark.parametrize("state", ["queued", "running", None])
def test_cleared_with_dbt_it_waits_for_a_new_verdict(state: str | None):
    assert poke(state, clears=1, told=verdict(True)) == (False, 0)


@pytest.mark.parametrize("state", ["up_for_retry", "scheduled", "queued", None])
def test_it_gives_its_slot_to_a_dbt_that_waits_for_one(state: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dbt_model, "YIELD_SECONDS", -1)
    with pytest.raises(AirflowException, match="gives its slot back") as raised:
        poke(state)
    assert not isinstance(raised.value, AirflowFailException)  # it is tried again


def test_it_keeps_its_slot_while_dbt_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dbt_model, "YIELD_SECONDS", -1)
    assert poke("running") == (False, 0)
