"""The faults that the marketing API is asked for, as its clients meet them."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.demo.marketing_server import get, log_in, serving


def test_there_are_no_faults_unless_the_server_is_told_so() -> None:
    with serving() as client:
        fault = {"path": "/coupons", "kind": "drop"}
        assert log_in(client).post("/_faults", json=fault).status_code == 404


@pytest.fixture
def order(api) -> Callable[..., None]:
    """Order a fault for /campaigns."""

    def order(kind: str, **more: Any) -> None:
        api.post("/_faults", json={"path": "/campaigns", "kind": kind, **more}).raise_for_status()

    return order


def statuses(api: httpx.Client, calls: int) -> list[int]:
    return [api.get("/campaigns", params={"page": 1}).status_code for _ in range(calls)]


def test_a_status_comes_so_many_times_after_so_many_calls_for_its_path_only(api, order) -> None:
    order("status", status=503, times=2, after=2)
    assert get(api, "/coupons", limit=1)["total"] == 116_204
    assert statuses(api, 5) == [200, 200, 503, 503, 200]
    assert api.get("/_faults").json() == {"pending": [], "fired": 2}


def test_faults_wait_in_a_queue_that_can_be_seen_and_cleared(api, order) -> None:
    order("status", status=500)
    order("rate_limit", retry_after=7, times=3)
    assert statuses(api, 2) == [500, 429]
    seen = api.get("/_faults").json()
    assert (seen["fired"], [(one["kind"], one["times"]) for one in seen["pending"]]) == (
        2,
        [("rate_limit", 2)],
    )
    assert api.get("/campaigns").headers["Retry-After"] == "7"
    api.delete("/_faults").raise_for_status()
    assert statuses(api, 1) == [200]
    assert api.get("/_faults").json() == {"pending": [], "fired": 0}


@pytest.mark.parametrize("kind", ["truncate", "drop"])
def test_a_broken_connection_is_an_error_for_the_client(api, order, kind) -> None:
    order(kind)
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/campaigns")
    assert statuses(api, 1) == [200]


def test_a_truncated_body_promises_more_than_it_brings(api, order) -> None:
    whole = len(api.get("/campaigns").content)
    order("truncate")
    with api.stream("GET", "/campaigns") as answer:
        assert int(answer.headers["Content-Length"]) == whole
        with pytest.raises(httpx.RemoteProtocolError, match=rf"received {whole // 2} bytes, expected {whole}"):
            answer.read()


def test_a_page_repeats_inside_the_envelope_of_the_next(api, order) -> None:
    order("repeat_page")
    pages = [get(api, "/campaigns", page=number) for number in (1, 2, 3)]
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert [page["data"][0]["campaign_id"] for page in pages] == [1, 1, 21]
    assert pages[1]["data"] == pages[0]["data"]
    assert len(pages[2]["data"]) == 7


def test_an_answer_is_late_but_true(api, order) -> None:
    order("delay", seconds=0.5)
    started = time.monotonic()
    assert statuses(api, 1) == [200]
    assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "/coupons"},
        {"path": "coupons", "kind": "drop"},
        {"path": "/_faults", "kind": "drop"},
        {"path": "/coupons", "kind": "explode"},
        {"path": "/coupons", "kind": "status", "status": 200},
        {"path": "/coupons", "kind": "drop", "times": 0},
        {"path": "/coupons", "kind": "drop", "often": 2},
    ],
)
def test_a_fault_that_does_not_exist_is_refused(api, fault) -> None:
    assert api.post("/_faults", json=fault).status_code == 422
    assert api.get("/_faults").json()["pending"] == []
