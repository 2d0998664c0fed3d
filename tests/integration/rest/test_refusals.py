"""What is refused of an API's answers, and what is ridden out."""

import gzip
import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from datastack.source.errors import SourceError
from tests.integration.rest.server import PAGINATIONS, Api, Asked, FakeClock, Reader, Reply, numbered, reply, source

Fault = Callable[[Asked, Reply], Reply]


def ok(_: Asked, found: Reply) -> Reply:
    return found


def reader(api: Api, kind: str = "offset", **more: Any) -> Reader:
    stream = {"pagination": PAGINATIONS[kind], "total": "total"} | more.pop("stream", {})
    return Reader(api, source(stream, **more))


# Ridden out


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda _, __: Reply(b"oops", 500), id="500"),
        pytest.param(lambda _, __: Reply(b"", 503), id="503"),
        pytest.param(lambda _, __: Reply(b"", 429, {"Retry-After": "7"}), id="429"),
        pytest.param(lambda _, __: Reply(b"", 429), id="429 without a time"),
        pytest.param(lambda _, found: Reply(found.body, cut=10), id="cut short"),
        pytest.param(lambda _, found: Reply(found.body[:20]), id="cut short, and its length said so"),
        pytest.param(lambda _, __: Reply(b"", cut=0, headers={"Content-Length": "10"}), id="no body at all"),
        pytest.param(
            lambda _, found: Reply(gzip.compress(found.body)[:-9], headers={"Content-Encoding": "gzip"}),
            id="packed and cut short",
        ),
        pytest.param(lambda _, __: Reply(b"nothing packed", headers={"Content-Encoding": "gzip"}), id="not packed"),
    ],
)
@pytest.mark.parametrize("kind", ["offset", "cursor"])
def test_a_passing_fault_is_ridden_out(api: Api, kind: str, fault: Fault):
    api.records, api.faults = numbered(7), [ok, fault]
    read = reader(api, kind)
    assert read.numbers() == list(range(7))
    assert len(api.asked) == 4
    assert read.clock.time > 0


def test_a_server_that_does_not_answer_is_asked_again(api: Api):
    import threading

    api.records, silence = numbered(2), threading.Event()
    api.faults = [lambda _, found: (silence.wait(5), found)[1]]
    assert reader(api, timeout="PT0.2S").numbers() == [0, 1]
    silence.set()


def test_retry_after_is_honoured_by_all_requests(api: Api):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    clock, seen = FakeClock(), []
    api.records = numbered(40)
    api.faults = [
        lambda _, __: Reply(b"", 429, {"Retry-After": "7"}),
        lambda _, __: Reply(b"", 503, {"Retry-After": later}),
        *[lambda _, found: seen.append(clock.time) or found] * 10,
    ]
    read = reader(api)
    read.clock = clock
    assert read.numbers() == list(range(40))
    assert 7 + 25 < seen[0] <= 7 + 30
    assert min(seen) == seen[0]


def test_being_told_to_wait_is_no_failed_try(api: Api):
    api.records = numbered(1)
    api.faults = [lambda _, __: Reply(b"", 429, {"Retry-After": "1"})] * 9
    assert reader(api, attempts=1).numbers() == [0]


def test_patience_ends(api: Api):
    api.faults = [lambda _, __: Reply(b"", 429, {"Retry-After": "3600"})]
    with pytest.raises(SourceError, match=r"GET /things\?offset=0&limit=3: 429 .*asks to wait 3600 s"):
        reader(api).numbers()


def test_a_lasting_fault_ends_in_a_clear_error(api: Api):
    api.faults = [lambda _, __: Reply(b"", 500)] * 9
    with pytest.raises(SourceError, match=r"GET /things\?offset=0&limit=3 failed 3 times, at last: 500"):
        reader(api).numbers()
    assert len(api.asked) == 3


def test_a_server_that_is_not_there(api: Api):
    api.url = "http://127.0.0.1:1"
    with pytest.raises(SourceError, match="failed 3 times, at last: ConnectError"):
        reader(api).numbers()


# Refused


def again(first: int) -> Fault:
    """Answer with the records from ``first`` on, whatever was asked for."""

    def fault(asked: Asked, found: Reply) -> Reply:
        content = json.loads(found.body) | {"data": numbered(first + 3)[first:]}
        return replace(found, body=json.dumps(content).encode(), headers=found.headers)

    return fault


@pytest.mark.parametrize("kind", PAGINATIONS)
@pytest.mark.parametrize("of", [0, 3])
def test_a_page_that_repeats_any_earlier_one_is_refused(api: Api, kind: str, of: int):
    api.records, api.counts_from_0 = numbered(15), kind.endswith("from 0")
    api.faults = [ok, ok, ok, again(of)]
    with pytest.raises(SourceError, match=r"GET /things.* gave the same 3 records as an earlier page"):
        reader(api, kind, limits={"concurrency": 1}).numbers()


@pytest.mark.parametrize(
    ("kind", "field"),
    [("cursor", {"next_cursor": 3}), ("next_url", {"links": {"next": "/things?at=3"}})],
)
@pytest.mark.parametrize("at", [1, 3], ids=["its own successor", "a loop"])
def test_a_way_in_circles_is_refused(api: Api, kind: str, field: dict[str, Any], at: int):
    def fault(_: Asked, found: Reply) -> Reply:
        return reply(json.loads(found.body) | field)

    api.records, api.faults = numbered(30), [ok] * at + [fault]
    with pytest.raises(SourceError, match="names as the next page one that was read already"):
        reader(api, kind).numbers()


@pytest.mark.parametrize("kind", ["page_number", "offset", "cursor", "next_url"])
@pytest.mark.parametrize("total", [5, 9])
def test_a_list_that_changes_while_it_is_read_is_refused(api: Api, kind: str, total: int):
    def changed(_: Asked, found: Reply) -> Reply:
        return reply(json.loads(found.body) | {"total": total})

    api.records, api.faults = numbered(7), [ok, changed]
    with pytest.raises(SourceError, match=f"states {total} records in all, and an earlier page 7: the list changed"):
        reader(api, kind).numbers()


@pytest.mark.parametrize(
    ("kind", "total"),
    [(kind, total) for kind in ("cursor", "next_url", "link_header") for total in (6, 8)]
    + [("page_number", 8), ("offset", 8)],
)
def test_a_total_that_is_not_reached_is_refused(api: Api, kind: str, total: int):
    api.records, api.total = numbered(7), total
    with pytest.raises(SourceError, match=f"the API states {total} in all"):
        reader(api, kind).numbers()


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("http://127.0.0.2:{port}/things?at=3", "no credentials are sent there"),
        ("http://localhost:{port}/things?at=3", "no credentials are sent there"),
        ("http://127.0.0.1:1/things?at=3", "no credentials are sent there"),
        ("https://127.0.0.1:{port}/things?at=3", "no credentials are sent there"),
        ("//evil.example/things", "no credentials are sent there"),
        ("http://127.0.0.1:{port}@evil.example/", "no credentials are sent there"),
        ("http://user:hunter2@127.0.0.1:{port}/things", "no credentials are sent there"),
        ("file:///etc/passwd", "no credentials are sent there"),
        ("http://127.0.0.1:port/", "is none"),
    ],
)
@pytest.mark.parametrize("kind", ["next_url", "link_header"])
def test_a_next_page_elsewhere_is_refused(api: Api, kind: str, to: str, says: str):
    to = to.replace("{port}", api.url.rsplit(":", 1)[1])
    api.records = numbered(7)
    api.faults = [lambda _, found: reply(json.loads(found.body) | {"links": {"next": to}}, Link=f"<{to}>; rel=next")]
    with pytest.raises(SourceError, match=says) as caught:
        reader(api, kind).numbers()
    assert len(api.asked) == 1
    assert "hunter2" not in str(caught.value)


def test_a_next_page_outside_of_the_path_is_refused(api: Api):
    api.url += "/v2"
    api.faults = [lambda _, found: reply(json.loads(found.body) | {"links": {"next": "/v2/../admin"}})]
    with pytest.raises(SourceError, match=r"said to be at /admin, outside of /v2/"):
        reader(api, "next_url", stream={"total": None}).numbers()


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data?x=1", "/things/"])
def test_a_redirect_is_not_followed(api: Api, to: str):
    api.faults = [lambda _, __: Reply(b"", 302, {"Location": to})]
    with pytest.raises(SourceError, match=rf"302 Found to {to.split('?')[0]}: redirects are not followed"):
        reader(api).numbers()
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (b"<html>down</html>", {"Content-Type": "text/html"}, r"not JSON \(text/html\).*<html>down"),
        (b"id,name\n1,a\n", {"Content-Type": "text/csv"}, r"not JSON \(text/csv\)"),
        (b'{"data": []} {"data": []}', {}, "not JSON"),
        (b'{"error": "x"}', {}, "no list of records at 'data'"),
        (b'{"data": {"a": 1}}', {}, "no list of records at 'data'"),
        (b"[]", {}, "no list of records"),
        (b'"data"', {}, "no list of records"),
        (b'{"data": [], "total": "many"}', {}, "no number at 'total', but 'many'"),
        (b'{"data": []}', {}, "no number at 'total', but None"),
        (b'{"data": []}', {"Content-Encoding": "br"}, "packed by br, which was not asked for"),
        (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, "not JSON"),
    ],
)
def test_what_is_not_a_page_is_refused(api: Api, body: bytes, headers: dict[str, str], says: str):
    api.faults = [lambda _, __: Reply(body, 200, headers)]
    with pytest.raises(SourceError, match=says):
        reader(api).numbers()
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"data": [], "error": {"code": 17}}, r"an error at 'error\.code': 17"),
        ({"data": [], "error": {"code": "DENIED"}}, "'DENIED'"),
        ({"data": [], "error": {"code": 0}}, None),
        ({"data": [], "error": {"code": "OK"}}, None),
        ({"data": [], "error": None}, None),
    ],
)
def test_an_error_with_status_200_is_refused_where_declared(api: Api, content: dict[str, Any], says: str | None):
    api.faults = [lambda _, __: reply(content)]
    read = reader(api, stream={"error": {"path": "error.code", "ok": ["OK"]}, "total": None})
    if says is None:
        assert read.numbers() == []
    else:
        with pytest.raises(SourceError, match=says):
            read.numbers()


@pytest.mark.parametrize("status", [400, 404, 410, 418])
def test_a_client_error_is_shown(api: Api, status: int):
    api.faults = [lambda _, __: Reply(b'{"detail": "no such thing"}', status)]
    with pytest.raises(SourceError, match=f"{status} .*no such thing"):
        reader(api).numbers()
    assert len(api.asked) == 1


# Too large


def gigabyte() -> Iterator[bytes]:
    yield b'{"data": ["'
    for _ in range(1024):
        yield b"x" * 1024 * 1024


def bomb() -> Iterator[bytes]:
    """A gigabyte of nothing, in a megabyte."""
    packer, zeros = zlib.compressobj(9, wbits=31), bytes(1024 * 1024)
    yield packer.compress(b'{"data": ["')
    for _ in range(1024):
        yield packer.compress(zeros)
    yield packer.flush()


@pytest.mark.parametrize(
    ("endless", "headers"),
    [(gigabyte, {}), (bomb, {"Content-Encoding": "gzip"}), (gigabyte, {"Content-Length": str(1 << 30)})],
    ids=["endless", "bomb", "stated"],
)
def test_what_is_too_large_is_refused_without_holding_it(api: Api, endless: Any, headers: dict[str, str]):
    limit = 8 * 1024 * 1024
    pieces = list(endless()) if endless is bomb else None
    api.faults = [lambda _, __: Reply(b"", 200, headers, endless=iter(pieces) if pieces else endless())]
    read = reader(api, max_response_bytes=limit)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=r"was refused: max_response_bytes is 8,388,608"):
            read.numbers()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * limit
    assert len(api.asked) == 1


def test_nothing_secret_is_logged(api: Api, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    declared = source({"pagination": PAGINATIONS["cursor"]}, auth={"kind": "api_key", "query": "key"})
    api.records, api.faults = numbered(7), [ok, lambda _, __: Reply(b"", 500)]
    assert Reader(api, declared, password="hunter2 & co").numbers() == list(range(7))
    assert api.asked[0].query["key"] == "hunter2 & co"
    assert "try 1 of 3" in caplog.text
    assert "hunter2" not in caplog.text
