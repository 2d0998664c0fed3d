"""Files of a web server: asked for by name, taken as they are, and from nowhere else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from datastack.contract.delivered import Delivered
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError
from datastack.source.files.http import HttpLogin, HttpStore
from datastack.source.files.store import ChangedError, Wanted
from tests.integration.files.web import File, Web, serving

WEEK = Slice(datetime(2019, 11, 4, tzinfo=UTC), datetime(2019, 11, 11, tzinfo=UTC))
NEXT = Slice(WEEK.end, WEEK.end + timedelta(days=7))
WANTED = Wanted("sales_{period}.csv", periods=[("2019-W45", WEEK), ("2019-W46", NEXT)])
PATH = "/out/sales_2019-W45.csv"


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        web.files[PATH] = File(b"id\n1\n" * 1000)
        yield web


def open_store(web: Web, **login: str) -> HttpStore:
    return HttpStore(HttpLogin(web.url, **login), "/out/")


def content_of(store: HttpStore) -> bytes:
    [found] = store.list(WANTED)
    return read(store, found)


def read(store: HttpStore, found: Delivered) -> bytes:
    with store.open(found) as file:
        return b"".join(iter(lambda: file.read(100), b""))


def test_files_that_are_there(web: Web):
    with open_store(web) as store:
        [found] = store.list(WANTED)
        assert (found.key, found.bytes) == ("sales_2019-W45.csv", 5000)
        assert found.modified_at == datetime(2019, 11, 10, tzinfo=UTC)
        assert content_of(store) == b"id\n1\n" * 1000
        assert store.exists("sales_2019-W45.csv")
        assert not store.exists("sales_2019-W46.csv")
    assert ("HEAD", "/out/sales_2019-W46.csv") in web.asked


@pytest.mark.parametrize("says", [
    ("etag", "last-modified", "content-length"), ("etag", "content-length"), ("last-modified", "content-length"),
    ("content-length",), ("etag",), (),
])  # fmt: skip
@pytest.mark.parametrize("heads", [True, False])
def test_versions_are_told_apart_by_what_the_server_says_or_by_content(web: Web, says: tuple[str, ...], heads: bool):
    web.files[PATH].says, web.heads = says, heads
    with open_store(web) as store:
        [first], [again] = store.list(WANTED), store.list(WANTED)
        assert first == again
        assert content_of(store) == web.files[PATH].content
        web.files[PATH] = replace(
            web.files[PATH], content=b"id\n2\n" * 1000, modified_at=datetime(2019, 11, 12, tzinfo=UTC)
        )
        [other] = store.list(WANTED)
        assert other.etag != first.etag
        with pytest.raises(ChangedError, match=r"sales_2019-W45.csv has changed since it was listed"):
            read(store, first)


def test_a_file_that_changes_while_it_is_read(web: Web):
    with open_store(web) as store:
        [found] = store.list(WANTED)
        web.meanwhile = lambda: web.files.update({PATH: File(b"id\n2\n" * 1000)})
        with pytest.raises(ChangedError, match="has changed since it was listed"):
            read(store, found)


@pytest.mark.parametrize("location", [
    "http://169.254.169.254/latest/meta-data/", "http://localhost:1/x", "https://example.org/x", "//example.org/x",
    "file:///etc/passwd", "http://127.0.0.1:1/x", "ftp://127.0.0.1/x",
])  # fmt: skip
def test_redirects_to_elsewhere_are_refused(web: Web, location: str):
    web.redirects[PATH] = location
    with open_store(web, user="u", password="secret") as store, pytest.raises(SourceError) as refused:
        store.list(WANTED)
    assert "redirects to" in str(refused.value)
    assert f"which is not {web.url}: refused" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_redirects_within_the_server_are_followed(web: Web):
    web.redirects[PATH] = "/elsewhere/x.csv"
    web.redirects["/elsewhere/x.csv"] = f"{web.url}/there/x.csv"
    web.files["/there/x.csv"] = web.files[PATH]
    with open_store(web) as store:
        assert len(content_of(store)) == 5000


def test_a_circle_of_redirects(web: Web):
    web.redirects[PATH] = PATH
    with open_store(web) as store, pytest.raises(SourceError, match="more than 5 redirects"):
        store.list(WANTED)


def test_a_body_that_is_cut(web: Web):
    web.cut = 100
    with open_store(web) as store, pytest.raises(SourceError, match=r"reading .*/out/sales_2019-W45.csv failed"):
        content_of(store)


def test_errors_that_pass(web: Web):
    web.answers[PATH] = [503, 429]
    with open_store(web) as store:
        assert len(content_of(store)) == 5000


def test_errors_that_stay(web: Web):
    web.answers[PATH] = [500] * 9
    with open_store(web) as store, pytest.raises(SourceError, match="failed 4 times, at last: 500 Internal Server"):
        store.list(WANTED)
    web.answers[PATH] = [403]
    with open_store(web) as store, pytest.raises(SourceError, match="was answered 403 Forbidden"):
        store.list(WANTED)


def test_a_server_that_is_not_there():
    with (
        HttpStore(HttpLogin("http://127.0.0.1:1"), "/") as store,
        pytest.raises(SourceError, match=r"HEAD http://127.0.0.1:1/sales_2019-W45.csv failed 4 times"),
    ):
        store.list(Wanted("sales_{period}.csv", periods=[("2019-W45", WEEK)]))


def test_logins(web: Web):
    web.login = "Basic dTpw"
    with open_store(web, user="u", password="p") as store:
        assert len(store.list(WANTED)) == 1
    web.login = "Bearer token"
    with open_store(web, password="token") as store:
        assert len(store.list(WANTED)) == 1
    with open_store(web) as store, pytest.raises(SourceError, match="401"):
        store.list(WANTED)


def test_a_body_that_is_packed_for_the_way_is_taken_as_it_is(web: Web):
    """A server that sends .gz files as packed CSV: what it stores is what we keep."""
    import gzip

    packed = gzip.compress(b"id\n1\n")
    web.files[PATH] = File(packed, headers={"content-encoding": "gzip"})
    with open_store(web) as store:
        assert content_of(store) == packed
