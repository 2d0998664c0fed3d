"""Every kind of pagination, on lists of every length that has gone wrong somewhere."""

import json
from typing import Any

import pytest

from datastack.source.errors import SourceError
from tests.integration.rest.server import PAGINATIONS, SIZE, Api, Reader, numbered, reply, source

COUNTS = [0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 7 * SIZE + 1]


def reader(api: Api, kind: str, **stream: Any) -> Reader:
    api.counts_from_0 = kind.endswith("from 0")
    return Reader(api, source({"pagination": PAGINATIONS[kind]} | stream))


@pytest.mark.parametrize("total", ["total", None])
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", PAGINATIONS)
def test_every_record_comes_once_and_in_order(api: Api, kind: str, count: int, total: str | None):
    api.records = numbered(count)
    assert reader(api, kind, total=total).numbers() == list(range(count))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", ["page_number", "offset", "cursor"])
def test_parameters_go_into_the_body_of_a_post(api: Api, kind: str, count: int):
    api.records = numbered(count)
    pagination = PAGINATIONS[kind] | {"sent_in": "body"}
    body = {"since": "{slice_start}", "until": "{slice_end:epoch_ms}", "filter": {"kind": "x"}}
    declared = source({"pagination": pagination, "method": "POST", "body": body, "total": "total"})
    assert Reader(api, declared).numbers() == list(range(count))
    asked = api.asked[0]
    assert (asked.method, asked.query) == ("POST", {})
    assert (
        json.loads(asked.body).items()
        >= {
            "since": "2026-01-01T00:00:00Z",
            "until": 1767312000000,
            "filter": {"kind": "x"},
        }.items()
    )


def test_parameters_go_into_a_nested_body(api: Api):
    api.records = numbered(4)
    api.routes["/things"] = lambda asked: api.page(
        type(asked)(asked.method, asked.path, {"offset": str(asked.params["page"]["from"])}, {}, b""), api.records
    )
    pagination = {"kind": "offset", "offset_param": "page.from", "sent_in": "body"}
    declared = source({"pagination": pagination, "method": "POST", "body": {"page": {"sort": "n"}}, "total": "total"})
    assert Reader(api, declared).numbers() == [0, 1, 2, 3]


def test_a_body_that_is_the_list_itself(api: Api):
    def answer(asked: Any) -> Any:
        start = int(asked.query.get("offset", 0))
        return reply(numbered(7)[start : start + SIZE])

    api.routes["/things"] = answer
    declared = source({"records": None, "pagination": PAGINATIONS["offset"]})
    assert [page.rows for page in Reader(api, declared).pages()] == [3, 3, 1, 0]


def test_one_answer_with_everything(api: Api):
    api.records = numbered(2)
    assert reader(api, "offset", pagination={"kind": "none"}).numbers() == [0, 1]
    assert len(api.asked) == 1


def test_one_object_is_one_record(api: Api):
    api.routes["/things"] = lambda _: reply({"id": 1, "balance": 12})
    declared = source({"records": None, "pagination": {"kind": "none"}})
    assert [page.rows for page in Reader(api, declared).pages()] == [1]


@pytest.mark.parametrize("kind", ["page_number", "offset"])
@pytest.mark.parametrize("total", ["total", None])
def test_a_page_smaller_than_asked_for_loses_nothing(api: Api, kind: str, total: str | None):
    """A server that gives 3 records where 100 are wanted."""
    api.records = numbered(8)
    name = "limit" if kind == "offset" else "size"
    read = reader(api, kind, pagination=PAGINATIONS[kind] | {name: 100}, total=total)
    assert read.numbers() == list(range(8))


@pytest.mark.parametrize(
    "value",
    [b"1.10", b"12345678901234567890.5", b'"\xff"', b'"\\ud800"', b"NaN", b'{"x": 1, "x": 2}', b"[" * 50 + b"]" * 50],
)
def test_bodies_are_as_received(api: Api, value: bytes):
    """Whether a value fits is for the contract to say."""
    body = b'\xef\xbb\xbf{ "data" : [{"n": 1, "t": %s}],\r\n "total":1}' % value
    api.faults = [lambda _, ok: type(ok)(body, 200)]
    [page] = reader(api, "offset", total="total").pages()
    assert page.body == body.removeprefix(b"\xef\xbb\xbf")
    assert page.rows == 1


def test_packed_answers_are_unpacked(api: Api):
    import gzip

    def packed(_: Any, ok: Any) -> Any:
        half = len(ok.body) // 2  # two members in one stream
        body = gzip.compress(ok.body[:half]) + gzip.compress(ok.body[half:])
        return type(ok)(body, 200, {"Content-Encoding": "gzip"})

    api.records = numbered(2)
    api.faults = [packed]
    assert reader(api, "cursor").numbers() == [0, 1]


def test_the_window_is_asked_for(api: Api):
    params = {
        "since": "{slice_start}",
        "day": "{slice_start:%Y/%m/%d}",
        "until": "{slice_end:epoch}",
        "both": "[{slice_start:%Y},{slice_end:epoch_ms})",
        "literal": '{"a": {b}}'.replace("{b}", "{ b }"),
    }
    reader(api, "cursor", params=params).pages()
    assert api.asked[0].query == {
        "since": "2026-01-01T00:00:00Z",
        "day": "2026/01/01",
        "until": "1767312000",
        "both": "[2026,1767312000000)",
        "literal": '{"a": { b }}',
        "limit": "3",
    }


def test_numbered_pages_are_read_ahead_and_in_order(api: Api):
    """The second page is slower than all after it."""
    import threading

    api.records, others = numbered(30), threading.Event()

    def slow(_: Any, ok: Any) -> Any:
        assert others.wait(10)
        return ok

    def last(_: Any, ok: Any) -> Any:
        others.set()
        return ok

    api.faults = [lambda _, ok: ok, slow, lambda _, ok: ok, last]
    assert reader(api, "offset", total="total").numbers() == list(range(30))


def test_headers_static_and_secret(api: Api):
    declared = source(
        {"pagination": PAGINATIONS["cursor"]},
        headers={"X-Version": "2"},
        secret_headers={"X-Tenant": "tenant"},
    )
    Reader(api, declared, extra={"tenant": "acme"}).pages()
    assert (api.asked[0].headers["x-version"], api.asked[0].headers["x-tenant"]) == ("2", "acme")
    with pytest.raises(
        SourceError, match=r"'shop_api': its extra has no field 'tenant', which secret_headers\.X-Tenant"
    ):
        Reader(api, declared).pages()


def test_a_path_below_the_address(api: Api):
    api.records = numbered(7)
    api.url += "/v2"
    declared = source({"pagination": PAGINATIONS["next_url"]})
    assert Reader(api, declared).numbers() == list(range(7))
    assert {asked.path for asked in api.asked} == {"/v2/things"}
