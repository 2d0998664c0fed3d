"""Pages, faults and refusals, against a real HTTP server."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from datastack.contract.api_sources import ApiSource
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError
from datastack.source.rest_api import RestApi, retry_after

WINDOW = Slice.parse("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
PAGINATIONS = {
    "page_number": "{kind: page_number, size: 3}",
    "offset": "{kind: offset, limit: 3}",
    "cursor": "{kind: cursor, size: 3}",
}
Answer = tuple[int, dict[str, str], bytes]


class Api:
    """A server over ``records``; ``answers`` replaces its first data answers, one after the other."""

    def __init__(self) -> None:
        self.records: list[dict[str, int]] = []
        self.answers: list[Callable[[Answer], Answer]] = []
        self.requests: list[dict[str, str]] = []
        self.tokens = 0
        self.waited: list[float] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                api.tokens += 1
                ok = "client_secret=secret" in body
                self._answer((200 if ok else 401, {}, json.dumps({"access_token": f"t{api.tokens}"}).encode()))

            def do_GET(self) -> None:
                params = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                api.requests.append(params)
                answer = (200, {"Content-Type": "application/json"}, json.dumps(api.page(params)).encode())
                if self.headers["authorization"] != f"Bearer t{api.tokens}":
                    answer = (401, {}, b"{}")
                elif api.answers:
                    answer = api.answers.pop(0)(answer)
                self._answer(answer)

            def _answer(self, answer: Answer) -> None:
                status, headers, body = answer
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if int(headers.get("Content-Length", len(body))) != len(body):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def page(self, params: dict[str, str]) -> dict[str, object]:
        start = int(params.get("offset", params.get("cursor", (int(params.get("page", 1)) - 1) * 3)))
        following = start + 3
        return {
            "data": self.records[start:following],
            "total": len(self.records),
            "next_cursor": str(following) if following < len(self.records) else None,
        }

    def read(self, kind: str = "offset", secret: str = "secret", total: str = "total") -> list[int]:
        declared = f"""
            {{name: a, description: d, kind: rest_api, connection: a, owner: o, domain: d, tier: 1,
             schedule: '0 0 * * *',
             start_date: 2020-01-01, auth: {{kind: oauth2_client_credentials, token_path: /token}}, attempts: 3,
             timeout_seconds: 2, streams: {{things: {{path: /things, records: data, total: {total}, write: replace,
             params: {{since: "{{slice_start}}", until: "{{slice_end}}"}}, pagination: {PAGINATIONS[kind]}}}}}}}"""
        source = ApiSource.model_validate(yaml.safe_load(declared))
        address = f"http://127.0.0.1:{self.server.server_port}"
        with RestApi(source, address, "client", secret, sleep=self.waited.append) as api:
            return [row["n"] for page in api.pages(source.streams["things"], WINDOW) for row in page.records]


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


@pytest.mark.parametrize("kind", PAGINATIONS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("total", ["total", "null"])
def test_every_record_comes_once(api: Api, kind: str, count: int, total: str):
    api.records = [{"n": n} for n in range(count)]
    assert api.read(kind, total=total) == list(range(count))


def test_the_window_is_asked_for(api: Api):
    api.read()
    assert api.requests[0]["since"] == "2026-01-01T00:00:00Z"
    assert api.requests[0]["until"] == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda _: (500, {}, b"oops"), id="500"),
        pytest.param(lambda _: (503, {}, b""), id="503"),
        pytest.param(lambda _: (429, {"Retry-After": "7"}, b""), id="429"),
        pytest.param(lambda ok: (200, {"Content-Length": str(len(ok[2]))}, ok[2][:10]), id="truncated"),
        pytest.param(lambda _: (401, {}, b""), id="token expired"),
    ],
)
def test_a_passing_fault_is_ridden_out(api: Api, fault: Callable[[Answer], Answer]):
    api.records = [{"n": n} for n in range(7)]
    api.answers = [lambda ok: ok, fault]
    assert api.read() == list(range(7))
    assert len(api.waited) == 1


def test_retry_after_is_honoured(api: Api):
    api.records = [{"n": 1}]
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    api.answers = [lambda _: (429, {"Retry-After": "7"}, b""), lambda _: (503, {"Retry-After": later}, b"")]
    assert api.read() == [1]
    assert api.waited[0] == 7
    assert 25 < api.waited[1] <= 30


def test_a_lasting_fault_ends_in_a_clear_error(api: Api):
    api.answers = [lambda _: (500, {}, b"")] * 9
    with pytest.raises(SourceError, match=r"GET /things .* failed 3 times, at last: 500"):
        api.read()
    assert len(api.requests) == 3


def test_a_page_that_repeats_is_refused(api: Api):
    api.records = [{"n": n} for n in range(9)]
    again = json.dumps({"data": api.records[:3], "total": 9, "next_cursor": "6"}).encode()
    api.answers = [lambda ok: ok, lambda ok: (200, ok[1], again)]
    with pytest.raises(SourceError, match="gave the same page twice"):
        api.read()


def test_a_cursor_that_stands_still_is_refused(api: Api):
    api.records = [{"n": n} for n in range(9)]

    def stuck(ok: Answer) -> Answer:
        return 200, ok[1], json.dumps({"data": api.records[3:6], "next_cursor": "3", "total": 9}).encode()

    api.answers = [lambda ok: ok, stuck]
    with pytest.raises(SourceError, match="its own successor"):
        api.read("cursor")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>down</html>", "did not answer in JSON"),
        (b'{"error": "x"}', "no list of records"),
        (b"[]", "no list"),
    ],
)
def test_what_is_not_a_page_is_refused(api: Api, body: bytes, says: str):
    api.answers = [lambda ok: (200, ok[1], body)]
    with pytest.raises(SourceError, match=says):
        api.read()


def test_refused_credentials_are_named_and_not_shown(api: Api):
    with pytest.raises(SourceError, match="refused the credentials of connection 'a'") as caught:
        api.read(secret="hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_redirect_is_refused(api: Api):
    api.answers = [lambda _: (302, {"Location": "http://127.0.0.1:1/"}, b"")]
    with pytest.raises(SourceError, match="302"):
        api.read()


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("", None), (None, None), ("soon", None)])
def test_retry_after_is_read(value: str | None, seconds: float | None):
    assert retry_after(value) == seconds
