"""Hundreds of faults between workers and servers: afterwards every table is as if there had been none."""

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults import drops, report, small_api
from tests.faults.aftermath import check_documents, check_lake, check_ledger
from tests.faults.bench import Bench
from tests.faults.declared import tolerant
from tests.faults.lanes import SHOP, Lane, lanes, whole_lists
from tests.faults.plan import Boundary, Pool
from tests.faults.story import Story
from tests.faults.wire import HttpReader
from tests.integration.demo.marketing_server import PLENTY, serving
from tests.integration.harness import Stack

ITEMS = int(os.environ.get("DATASTACK_FAULT_ITEMS") or 22)
SEED = int(os.environ.get("DATASTACK_FAULT_SEED") or time.time())
AT_LEAST = 390


@pytest.mark.timeout(1800)  # it takes a few minutes where nothing else runs
def test_faults_leave_no_trace(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with ExitStack() as opened:
        (tmp_path / "include").mkdir()
        opened.enter_context(tolerant(tmp_path / "include"))
        opened.callback(drops.empty, stack)
        api = opened.enter_context(serving(small_api.__name__, **PLENTY))
        proxied = {"api": (api.base_url.port or 0, HttpReader)}
        stories = [Story(opened.enter_context(Bench(stack, **proxied)), lane) for lane in all_lanes()]
        prepare(stack)
        at_once([story.tell_in_peace for story in stories])
        stack.servers.clean()
        prepare(stack)
        try:
            pools = pools_of(stories)
            at_once([lambda story=story: story.tell_with_faults(SEED, pools) for story in stories])
        finally:
            hits = [hit for story in stories for hit in story.hits]
            (tmp_path / "faults.txt").write_text(f"{report.table(hits)}\n\n{report.errors(hits)}\n")
            with capsys.disabled():
                print(f"\nDATASTACK_FAULT_SEED={SEED}\n{report.table(hits)}\nThe errors are in {tmp_path}/faults.txt")  # noqa: T201
        check_lake(stack)
        for story in stories:
            check_ledger(stack, story.lane)
        check_documents(stack)
    assert not [str(hit) for hit in hits if not hit.is_true], "an error says that nothing was changed, but it was"
    boundaries = set.union(*(story.boundaries for story in stories))
    missed = boundaries - set.union(*(story.killed_at for story in stories))
    assert not missed, f"{len(missed)} of {Counter(each[:2] for each in boundaries)}: {sorted(missed)}"
    assert len(hits) >= AT_LEAST


def all_lanes() -> list[Lane]:
    return [*lanes(ITEMS), *whole_lists(ITEMS // 4 + 1), *drops.drops(ITEMS * 3 // 8)]


def pools_of(stories: list[Story]) -> dict[tuple[str, str], Pool]:
    """Boundaries by source and step, in an order of chance."""
    names: dict[tuple[str, str], set[Boundary]] = defaultdict(set)
    visits: Counter[tuple[str, str]] = Counter()
    for story in stories:
        for step in story.reference.profiles:
            visits[story.lane.source, step] += len(story.lane.items)
        for source, step, name in story.boundaries:
            names[source, step].add(name)
    chance = random.Random(SEED)  # noqa: S311
    return {key: Pool(chance.sample(sorted(found), len(found)), visits[key]) for key, found in names.items()}


def prepare(stack: Stack) -> None:
    stack.shop(SHOP)
    drops.empty(stack)


def at_once(works: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()
