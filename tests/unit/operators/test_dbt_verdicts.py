"""A model is good when it is built and each of its tests has passed; whatever else happens, it is not."""

import pytest

from datastack.operators.dbt_verdicts import Verdict, Verdicts

MODEL, OTHER, TEST, SHARED = "model.p.a", "model.p.b", "test.p.a_key", "test.p.a_and_b"
TESTS_OF = {MODEL: [TEST, SHARED], OTHER: [SHARED]}


@pytest.fixture
def told() -> dict[str, Verdict]:
    return {}


@pytest.fixture
def verdicts(told) -> Verdicts:
    return Verdicts(TESTS_OF, 0, told.__setitem__)


def finish(verdicts: Verdicts, **statuses: str) -> None:
    names = {"model": MODEL, "other": OTHER, "test": TEST, "shared": SHARED}
    for name, status in statuses.items():
        verdicts.node_finished(names[name], status, f"says {name}")


def test_a_model_is_good_with_its_last_test(verdicts, told):
    finish(verdicts, model="success", test="pass")
    assert told == {}
    finish(verdicts, shared="warn")
    assert told == {MODEL: Verdict(True, 0, "says model")}


def test_a_model_without_tests_is_good_at_once(verdicts, told):
    verdicts.node_finished("model.p.c", "success", "built", sql="select 1")
    assert told == {"model.p.c": Verdict(True, 0, "built", "select 1")}


def test_it_is_told_once(told):
    calls = []
    verdicts = Verdicts({}, 0, lambda model, verdict: calls.append(model))
    for _ in range(2):
        verdicts.node_finished(MODEL, "success", "")
    verdicts.finish()
    assert calls == [MODEL]


@pytest.mark.parametrize("status", ["fail", "error", "runtime error", "skipped", "no-op", "partial success"])
@pytest.mark.parametrize("node", ["model", "test", "shared"])
def test_one_that_is_not_good_spoils_it(verdicts, told, node: str, status: str):
    finish(verdicts, **({"model": "success", "other": "success", "test": "pass", "shared": "pass"} | {node: status}))
    assert MODEL not in told
    verdicts.finish()
    assert told[MODEL].good is False
    assert f"{status}: says {node}" in told[MODEL].message
    assert told[OTHER].good == (node != "shared")


def test_a_test_that_did_not_run_is_named(verdicts, told):
    finish(verdicts, model="success", test="pass", other="success")
    verdicts.finish()
    assert told[MODEL] == Verdict(False, 0, f"{SHARED}: not run")


def test_a_model_that_was_skipped_says_after_what(verdicts, told):
    verdicts.node_finished("unit_test.p.a.sums", "fail", "expected 1, got 2")
    finish(verdicts, model="skipped")
    verdicts.finish()
    assert "skipped after unit_test.p.a.sums: fail: expected 1, got 2" in told[MODEL].message


def test_what_is_tried_again_counts_as_it_ended(verdicts, told):
    finish(verdicts, model="error", test="skipped", shared="skipped")
    assert verdicts.broken() == [MODEL]
    finish(verdicts, model="success", test="pass", shared="pass", other="success")
    verdicts.finish()
    assert verdicts.not_good() == []
    assert {model: verdict.good for model, verdict in told.items()} == {MODEL: True, OTHER: True}


def test_what_a_test_finds_is_not_tried_again(verdicts):
    finish(verdicts, model="success", test="fail")
    assert verdicts.broken() == []


def test_a_verdict_from_before_a_clear_is_none():
    pulled = Verdict(True, 0, "").as_xcom()
    assert Verdict.of(pulled, 0) == Verdict(True, 0, "")
    assert Verdict.of(pulled, 1) is None
    assert Verdict.of(None, 0) is None
