"""A file is delivered again while its older version is being loaded: the newer one stands, whoever commits first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import drops
from tests.faults.bench import Bench
from tests.faults.declared import tolerant
from tests.faults.fault import Fault, Kind, Trigger
from tests.faults.test_late import WAITING
from tests.faults.worker import Task
from tests.integration.harness import Stack, in_thread, wait_for

TABLE = "raw_promotions.promotions"


@pytest.fixture
def partner(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    with tolerant(tmp_path):
        drops.empty(stack)
        yield stack
        drops.empty(stack)


@pytest.mark.parametrize("is_older_first", [True, False])
def test_a_file_that_is_delivered_again_while_it_is_loaded(partner: Stack, is_older_first: bool):
    with Bench(partner) as one, Bench(partner) as other:
        prepared = []
        for version in (0, 1):
            drops.deliver(partner, drops.file_of(0, version))
            prepared.append(prepare(other, version))
        first, second = prepared if is_older_first else prepared[::-1]
        with one.holding(Fault(Kind.LATE, "warehouse", Trigger("commit")), copying(one, first)) as late:
            finish = in_thread(run, other, copying(other, second))
            wait_for(lambda: partner.one(WAITING) == 1)
            late()
            status = [each["status"] for each in finish()]
        assert status == (["loaded"] if is_older_first else ["superseded"])
        assert [each["status"] for each in run(one, copying(one, first))] == ["already loaded"]
        found, loads = one.rows(TABLE)
        assert loads == 2
        partner.servers.clean()
        run(one, copying(one, prepare(one, 2)))
        assert one.rows(TABLE)[0] == found


def prepare(bench: Bench, number: int) -> Any:
    """Bring what was delivered to the conformed zone."""
    landed = run(bench, task(bench, "extract", None, number))
    return run(bench, task(bench, "conform", landed, number))


def copying(bench: Bench, conformed: Any) -> Task:
    return task(bench, "copy", conformed, 0)


def run(bench: Bench, task: Task) -> Any:
    ended, _ = bench.run(task)
    assert not ended.failed, ended.details
    return ended.result


def task(bench: Bench, step: str, before: Any, number: int) -> Task:
    return Task("promotions", "promotions", step, drops.window_of(0, 0), f"run {number}", before, bench.environment)
