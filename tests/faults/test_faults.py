"""Hundreds of faults between workers and servers: afterwards every table is as if there had been none."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults import report
from tests.faults.bench import Bench
from tests.faults.lanes import SHOP, lanes
from tests.faults.story import Story
from tests.integration.harness import Stack

ITEMS = int(os.environ.get("DATASTACK_FAULT_ITEMS") or 11)
SEED = int(os.environ.get("DATASTACK_FAULT_SEED") or time.time())
AT_LEAST = 200


def test_faults_leave_no_trace(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with ExitStack() as opened:
        stories = [Story(opened.enter_context(Bench(stack)), lane) for lane in lanes(ITEMS)]
        stack.shop(SHOP)
        at_once([story.tell_in_peace for story in stories])
        stack.servers.clean()
        stack.shop(SHOP)
        try:
            at_once([lambda story=story, n=n: story.tell_with_faults(SEED, n) for n, story in enumerate(stories)])
        finally:
            hits = [hit for story in stories for hit in story.hits]
            (tmp_path / "faults.txt").write_text(f"{report.table(hits)}\n\n{report.errors(hits)}\n")
            with capsys.disabled():
                print(f"\nDATASTACK_FAULT_SEED={SEED}\n{report.table(hits)}\nThe errors are in {tmp_path}/faults.txt")  # noqa: T201
    assert not [str(hit) for hit in hits if not hit.is_true], "an error says that nothing was changed, but it was"
    missed = set.union(*(story.boundaries for story in stories)) - set.union(*(story.killed_at for story in stories))
    assert not missed
    assert len(hits) >= AT_LEAST


def at_once(works: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()
