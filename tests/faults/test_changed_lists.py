"""An API's list changes between two tries of the same run: what is loaded is the list as it is then."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.bench import Bench
from tests.faults.fault import Fault, Kind, Trigger
from tests.faults.steps import ROUTES
from tests.faults.wire import HttpReader
from tests.faults.worker import Task
from tests.integration.harness import Stack, days
from tests.integration.rest.server import reply, serving

SECOND_PART = Trigger("PUT landing/pages-*-*.jsonl.zst", 2)
TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 60}
Records = list[dict[str, int]]


def coupon(number: int) -> dict[str, int]:
    return {"coupon_upc": number, "product_id": 2, "campaign_id": 3}


def campaign(number: int) -> dict[str, Any]:
    period = {"start_date": "2019-11-01", "end_date": "2019-11-30"}
    return {"campaign_id": number, "campaign_type": "Type A", "period": period, "households": []}


CHANGES: dict[str, Callable[[list[Any], Any], list[Any]]] = {
    "nothing": lambda records, new: records,
    "one went, and another came": lambda records, new: [*records[1:], new],
    "one came to the front, and the last one went": lambda records, new: [new, *records[:-1]],
    "the first one moved to the end": lambda records, new: [*records[1:], records[0]],
    "a page full came to the front, and as many went": lambda records, new: [
        *({**new, next(iter(new)): number} for number in range(100, 103)),
        *records[:-3],
    ],
    "one went": lambda records, new: records[1:],
    "one came": lambda records, new: [*records, new],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("stream", "column", "record"), [
    ("coupons", "coupon_upc", coupon),
    ("campaigns", "campaign_id", campaign),
])  # fmt: skip
def test_a_list_that_changes_between_two_tries(
    stack: Stack, stream: str, column: str, record: Callable[[int], dict[str, Any]], change: str
):
    with serving() as api, Bench(stack, api=(int(api.url.rsplit(":", 1)[1]), HttpReader)) as bench:
        api.routes["/oauth/token"] = lambda _: reply(TOKEN)
        api.records = [record(number) for number in range(12)]
        killed = Fault(Kind.KILL, "lake", SECOND_PART)
        assert bench.run(task(bench, stream, "extract", None), 1, killed)[0].killed
        api.records = CHANGES[change](api.records, record(99))
        before = None
        for number, step in enumerate(ROUTES["marketing_api"], 2):
            ended, _ = bench.run(task(bench, stream, step, before), number)
            assert not ended.failed, ended.details
            before = ended.result
    found = stack.rows(f"select {column} from raw_marketing_api.{stream} order by 1")
    assert [number for (number,) in found] == sorted(each[column] for each in api.records)


def task(bench: Bench, stream: str, step: str, before: Any) -> Task:
    return Task("marketing_api", stream, step, days(1), "changed", before, bench.environment)
