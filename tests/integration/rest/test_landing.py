"""Pages land as they came, and a retry goes on where the last one stopped, for each kind of pagination."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from datastack.contract.api_sources import ApiSource, ChildTable
from datastack.lake.layout import Place, Zone
from datastack.lake.manifest import Manifest
from datastack.lake.parts import read_lines
from datastack.lake.store import LakeStore
from datastack.operators import landing as landing_module
from datastack.operators.landing import Landing
from datastack.source.errors import SourceError
from datastack.source.rest.api import RestApi
from datastack.source.rest.secrets import Credentials
from local.object_store import REGION
from tests.integration.harness import ROOT, wait_for
from tests.integration.rest.landing import landing_of
from tests.integration.rest.server import (
    PAGINATIONS,
    WINDOW,
    Api,
    Asked,
    FakeClock,
    Reply,
    numbered,
    reply,
    source,
)

ENDING = ("page_number", "page_number from 0", "offset")  # kinds that go on only if a total is stated


class Desk:
    """Lands streams of one source; each page is a part of its own, unless parts have a size.

    :param folder: for functions.
    """

    def __init__(
        self, api: Api, declared: ApiSource, lake: LakeStore, folder: Path, patch: pytest.MonkeyPatch, part_bytes: int
    ) -> None:
        self.api, self.declared, self.lake, self.folder = api, declared, lake, folder
        self.version = "1.0.0"
        self.password = "s3cret"
        self.clock = FakeClock()
        parts = landing_module.LinesParts
        make = lambda *args, **more: parts(*args, part_bytes=part_bytes, **more)  # noqa: E731
        patch.setattr(landing_module, "LinesParts", make)

    def landing(self, stream: str = "things", run: str = "r", parent: str | None = None) -> Landing:
        return landing_of(self.lake, self.declared, self.api.url, self.folder, stream, self.version, run, parent)

    def land(self, stream: str = "things", **more: Any) -> Manifest:
        """Do what a task does."""
        landing = self.landing(stream, **more)
        with RestApi(self.declared, self.api.url, Credentials("shop_api", "", self.password), self.clock) as api:
            manifest = landing.land(api)
        place = Place("shop", stream, 1, WINDOW, manifest.attempt)
        self.lake.write_manifest(place.manifest(Zone.LANDING), manifest)
        landing.checkpoint.end()
        return manifest

    def lines(self, manifest: Manifest) -> list[Any]:
        return [json.loads(line) for line in read_lines(self.lake, manifest.parts)]

    def numbers(self, manifest: Manifest) -> list[int]:
        return [record["n"] for line in self.lines(manifest) for record in line.get("page", line)["data"]]

    def checkpoints(self) -> list[str]:
        """Keys of what checkpoints consist of."""
        found = pafs.FileSelector(f"{self.lake.lake.name}/checkpoints", recursive=True, allow_not_found=True)
        infos = self.lake.lake.filesystem.get_file_info(found)
        return sorted(info.path.split("/", 1)[1] for info in infos if info.type == pafs.FileType.File)


@pytest.fixture
def desk(api: Api, lake: LakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(kind: str = "cursor", part_bytes: int = 0, **more: Any) -> Desk:
        api.counts_from_0 = kind.endswith("from 0")
        stream = {"pagination": PAGINATIONS[kind], "total": "total"} | more.pop("stream", {})
        return Desk(api, source(stream, **({"attempts": 1} | more)), lake, tmp_path, monkeypatch, part_bytes)

    return make


def down(_: Asked, __: Reply) -> Reply:
    return Reply(b"", 500)


def ok(_: Asked, found: Reply) -> Reply:
    return found


def test_what_lands_is_what_came(desk: Any, api: Api):
    body = b'{ "data" : [{"n": 1.10}],\r\n "total":1}'
    api.faults = [lambda _, __: Reply(body)]
    desk = desk()
    manifest = desk.land()
    [line] = read_lines(desk.lake, manifest.parts)
    assert line == body.replace(b"\r\n", b"  ") + b"\n"
    assert (manifest.rows, manifest.source_rows) == (1, 1)
    assert not desk.checkpoints()


@pytest.mark.parametrize("kind", PAGINATIONS)
@pytest.mark.parametrize("fail_at", [1, 2, 4])
def test_a_retry_goes_on_from_the_last_landed_page(desk: Any, api: Api, kind: str, fail_at: int):
    api.records, api.faults = numbered(14), [ok] * fail_at + [down]
    desk = desk(kind, limits={"concurrency": 1})
    with pytest.raises(SourceError, match="failed 1 times"):
        desk.land()
    first = len(api.asked)
    manifest = desk.land()
    assert desk.numbers(manifest) == list(range(14))
    assert (manifest.rows, len(manifest.parts)) == (14, 5)
    seen_again = kind in ENDING  # where numbers might mean other records by now, the last page is
    assert len(api.asked) - first == 5 - fail_at + seen_again
    assert not desk.checkpoints()


@pytest.mark.parametrize("kind", PAGINATIONS)
def test_without_a_total_numbered_pages_begin_anew(desk: Any, api: Api, kind: str, caplog: Any):
    caplog.set_level(logging.INFO)
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk(kind, stream={"total": None})
    with pytest.raises(SourceError):
        desk.land()
    first = len(api.asked)
    assert desk.numbers(desk.land()) == list(range(14))
    if kind in ENDING:
        assert len(api.asked) - first == 6
        assert "no total is stated" in caplog.text
    else:
        assert len(api.asked) - first == 3
        assert "goes on after 6 records in 2 parts" in caplog.text


@pytest.mark.parametrize("kind", PAGINATIONS)
@pytest.mark.parametrize("count", [11, 15])
def test_a_list_that_changed_between_tries_begins_anew(desk: Any, api: Api, kind: str, count: int, caplog: Any):
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk(kind)
    with pytest.raises(SourceError):
        desk.land()
    api.records = numbered(count)
    assert desk.numbers(desk.land()) == list(range(count))
    assert "records, so it begins anew: " in caplog.text


@pytest.mark.parametrize("kind", ["cursor", "next_url", "link_header"])
@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_cursor_that_is_forgotten_begins_anew_once(desk: Any, api: Api, kind: str, status: int, caplog: Any):
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk(kind)
    with pytest.raises(SourceError):
        desk.land()
    api.faults = [lambda _, __: Reply(b"cursor has expired", status)]
    assert desk.numbers(desk.land()) == list(range(14))
    assert "begins anew" in caplog.text
    api.faults = [ok, lambda _, __: Reply(b"cursor has expired", status)]
    with pytest.raises(SourceError, match="cursor has expired"):
        desk.land()


@pytest.mark.parametrize("kind", PAGINATIONS)
def test_a_page_of_the_try_before_must_not_come_again(desk: Any, api: Api, kind: str, caplog: Any):
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk(kind, limits={"concurrency": 1})
    with pytest.raises(SourceError):
        desk.land()

    def again(_: Asked, found: Reply) -> Reply:
        return replace(found, body=json.dumps(json.loads(found.body) | {"data": numbered(3)}).encode())

    api.faults = [ok, again] if kind in ENDING else [again]  # the last page of numbered ones is read again
    assert desk.numbers(desk.land()) == list(range(14))
    assert "gave the same 3 records as an earlier page" in caplog.text


def test_what_contradicts_itself_is_not_gone_on_with(desk: Any, api: Api):
    api.records, api.faults = numbered(14), [ok, ok, lambda _, found: reply(json.loads(found.body) | {"total": 15})]
    desk = desk()
    with pytest.raises(SourceError, match="the list changed while it was read"):
        desk.land()
    assert not desk.checkpoints()
    first = len(api.asked)
    assert desk.numbers(desk.land()) == list(range(14))
    assert len(api.asked) - first == 5


@pytest.mark.parametrize("change", ["contract", "declaration", "address", "run"])
def test_another_declaration_begins_anew(desk: Any, api: Api, change: str):
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk()
    with pytest.raises(SourceError):
        desk.land()
    if change == "contract":
        desk.version = "1.0.1"
    elif change == "declaration":
        desk.declared = source({"pagination": PAGINATIONS["cursor"], "total": "total", "params": {"x": "y"}})
    elif change == "address":
        api.url = api.url.replace("127.0.0.1", "localhost")
    first = len(api.asked)
    assert desk.numbers(desk.land(run="other" if change == "run" else "r")) == list(range(14))
    assert len(api.asked) - first == 5


@pytest.mark.parametrize("what", ["cut", "deleted", "without its part"])
def test_a_checkpoint_that_is_damaged_counts_up_to_there(desk: Any, api: Api, what: str):
    api.records, api.faults = numbered(14), [ok, ok, ok, down]
    desk = desk()
    with pytest.raises(SourceError):
        desk.land()
    _, second, _, _ = desk.checkpoints()
    if what == "cut":
        desk.lake.write(second, desk.lake.read(second)[:30])
    else:
        desk.lake.delete(second if what == "deleted" else desk.landing().checkpoint.landed()[1].part.key)
    first = len(api.asked)
    assert desk.numbers(desk.land()) == list(range(14))
    assert len(api.asked) - first == 4


def test_no_secret_stands_in_a_checkpoint(desk: Any, api: Api):
    def keyed(_: Asked, found: Reply) -> Reply:
        content = json.loads(found.body)
        return reply(content | {"links": {"next": f"{content['links']['next']}&key=s3cret"}})

    api.records, api.faults = numbered(14), [keyed, keyed, down]
    desk = desk("next_url", auth={"kind": "api_key", "query": "key"})
    with pytest.raises(SourceError):
        desk.land()
    text = "".join(desk.lake.read(key).decode() for key in desk.checkpoints())
    assert "/things?at=6" in text
    assert "s3cret" not in text
    assert desk.numbers(desk.land()) == list(range(14))
    assert api.asked[-1].query["key"] == "s3cret"


def test_pages_of_a_part_that_was_not_full_are_kept_when_the_api_fails(desk: Any, api: Api):
    api.records, api.faults = numbered(14), [ok, ok, down]
    desk = desk(part_bytes=1 << 20)
    with pytest.raises(SourceError):
        desk.land()
    [landed] = desk.landing().checkpoint.landed()
    assert (landed.pages, landed.records) == (2, 6)
    manifest = desk.land()
    assert desk.numbers(manifest) == list(range(14))
    assert len(manifest.parts) == 2


def test_parts_land_after_some_time(desk: Any, api: Api, monkeypatch: pytest.MonkeyPatch):
    """The second page does not come: the first one lands meanwhile."""
    desk = desk(part_bytes=1 << 20)
    monkeypatch.setattr(landing_module, "PART_SECONDS", 0.0)
    landed: list[int] = []

    def late(_: Asked, found: Reply) -> Reply:
        for _ in range(100):
            landed[:] = [each.records for each in desk.landing().checkpoint.landed()]
            if landed:
                return found
            time.sleep(0.1)
        raise AssertionError("it did not land")

    api.records, api.faults = numbered(6), [ok, late]
    assert desk.numbers(desk.land()) == list(range(6))
    assert landed == [3]


KINDS = ["page_number", "offset", "cursor", "next_url", "link_header"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_killed_between_pages_is_gone_on_from(desk: Any, api: Api, objects: Any, kind: str):
    """SIGKILL while the fourth page is asked for."""
    asked = threading.Event()

    def kill(_: Asked, found: Reply) -> Reply:
        asked.set()
        worker.wait(30)
        return found

    api.records, api.faults = numbered(14), [ok, ok, ok, kill]
    desk = desk(kind, limits={"concurrency": 1})
    told = {"declared": desk.declared.model_dump(mode="json"), "address": api.url, "folder": str(desk.folder)}
    told["lake"] = [objects.admin.access_key, objects.admin.secret_key, None, REGION, objects.endpoint]
    command = [sys.executable, "-m", "tests.integration.rest.landing", json.dumps(told)]
    worker = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT}/plugins:{ROOT}"})
    assert asked.wait(60)
    wait_for(lambda: len(desk.landing().checkpoint.landed()) == 3)
    worker.kill()
    assert worker.wait(10) == -9
    first = len(api.asked)
    manifest = desk.land()
    assert desk.numbers(manifest) == list(range(14))
    assert len(api.asked) - first == 2 + (kind in ENDING)


# Parents and children


def family(**more: Any) -> dict[str, Any]:
    child = {
        "path": "/shops/{shop}/things",
        "params": {"since": "{slice_start:%Y-%m-%d}", "of": "{shop}"},
        "parent": {"stream": "shops", "fields": {"shop": "id"}},
        "records": "data",
        "pagination": PAGINATIONS["cursor"],
        "total": "total",
        "write": "replace",
    }
    shops = {"path": "/shops", "records": "data", "pagination": PAGINATIONS["cursor"], "write": "replace"}
    return {
        "streams": {
            "things": child | more,
            "shops": shops,
            "owners": {"of": "shops", "records": "o", "write": "replace"},
        }
    }


def stock(api: Api, shops: list[Any]) -> dict[str, int]:
    """Serve shops, each with some things; return what was asked of each."""
    asked: dict[str, int] = {}

    def things(each: Asked) -> Reply:
        api.asked.append(each)
        shop = each.path.split("/")[2]
        asked[shop] = asked.get(shop, 0) + 1
        found = api.page(each, [{"n": n} for n in range(int(shop) if shop.isdigit() else 1)])
        return api.faults.pop(0)(each, found) if api.faults else found

    api.routes["/shops"] = lambda each: api.page(each, [{"id": shop} for shop in shops])
    api.routes |= {f"/shops/{path(shop)}/things": things for shop in shops}
    return asked


def path(shop: Any) -> str:
    from urllib.parse import quote

    return quote(str(shop), safe="")


def key_of(desk: Desk, manifest: Manifest, stream: str) -> str:
    return Place("shop", stream, 1, WINDOW, manifest.attempt).manifest(Zone.LANDING)


@pytest.mark.parametrize("shops", [[], [0], [3], [4, 0, 7, 1, 2, 9, 12], [5, 5, 4]])
def test_children_are_read_for_each_parent_once(desk: Any, api: Api, shops: list[int]):
    asked, desk = stock(api, shops), desk(**family())
    parent = desk.land("shops")
    manifest = desk.land(parent=key_of(desk, parent, "shops"))
    distinct = list(dict.fromkeys(shops))
    assert desk.numbers(manifest) == [n for shop in distinct for n in range(shop)]
    pages = [(line["parent"], len(line["page"]["data"])) for line in desk.lines(manifest)]
    assert list(dict.fromkeys(shop["shop"] for shop, _ in pages)) == distinct
    assert asked == {str(shop): max(1, -(-shop // 3)) for shop in distinct}
    assert isinstance(desk.declared.streams["owners"], ChildTable)


def test_a_parents_key_is_quoted_in_a_path(desk: Any, api: Api):
    shops = ["a/b?c=d#e", "../admin", "ü %"]
    asked, desk = stock(api, shops), desk(**family())
    manifest = desk.land(parent=key_of(desk, desk.land("shops"), "shops"))
    assert sorted(asked) == sorted(path(shop) for shop in shops)
    assert [line["parent"]["shop"] for line in desk.lines(manifest)] == shops


@pytest.mark.parametrize("shop", ["..", ".", "", True, 1.5])
def test_a_parents_key_that_can_be_no_path_is_refused(desk: Any, api: Api, shop: Any):
    stock(api, [shop])
    desk = desk(**family())
    with pytest.raises(SourceError, match=r"the parent's shop is .* which can't stand in a path"):
        desk.land(parent=key_of(desk, desk.land("shops"), "shops"))


def test_a_parent_without_its_key_is_refused(desk: Any, api: Api):
    api.routes["/shops"] = lambda each: api.page(each, [{"name": "x"}])
    desk = desk(**family())
    with pytest.raises(SourceError, match="a record of shops has no key at 'id'"):
        desk.land(parent=key_of(desk, desk.land("shops"), "shops"))


@pytest.mark.parametrize("fail_at", range(1, 9))
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_retry_goes_on_within_the_children(desk: Any, api: Api, fail_at: int, concurrency: int):
    asked, desk = stock(api, [4, 0, 7, 2, 5]), desk(limits={"concurrency": concurrency}, **family())
    parent = key_of(desk, desk.land("shops"), "shops")
    api.faults = [ok] * fail_at + [down]
    with pytest.raises(SourceError):
        desk.land(parent=parent)
    landed = sum(each.part.rows for each in desk.landing().checkpoint.landed())
    asked.clear()
    manifest = desk.land(parent=parent)
    assert desk.numbers(manifest) == [n for shop in (4, 0, 7, 2, 5) for n in range(shop)]
    if concurrency == 1:
        assert sum(asked.values()) == 9 - fail_at
        assert landed > 0


def test_children_of_another_parent_manifest_begin_anew(desk: Any, api: Api):
    asked, desk = stock(api, [4, 7]), desk(**family())
    first, second = (key_of(desk, desk.land("shops"), "shops") for _ in range(2))
    api.faults = [ok, ok, ok, down]
    with pytest.raises(SourceError):
        desk.land(parent=first)
    asked.clear()
    desk.land(parent=second)
    assert sum(asked.values()) == 5


def test_grandchildren(desk: Any, api: Api):
    child = {
        "path": "/shops/{shop}/things/{thing}",
        "records": "data",
        "pagination": {"kind": "none"},
        "write": "replace",
    }
    child |= {"parent": {"stream": "things", "fields": {"shop": "^.shop", "thing": "n"}}}
    declared = family()
    declared["streams"]["parts"] = child
    stock(api, [2, 1])
    for shop, thing in ((2, 0), (2, 1), (1, 0)):
        api.routes[f"/shops/{shop}/things/{thing}"] = lambda _, n=10 * shop + thing: reply({"data": [{"n": n}]})
    desk = desk(**declared)
    things = desk.land(parent=key_of(desk, desk.land("shops"), "shops"))
    assert desk.numbers(desk.land("parts", parent=key_of(desk, things, "things"))) == [20, 21, 10]


# A function instead of a declaration

EXPORT = '''
def pages(api, stream, window):
    """Start an export, wait until it is done, download its files."""
    job = api.post("/exports", {"of": stream, "from": window.start.isoformat()}).json()
    while job["state"] != "done":
        api.wait(5)
        job = api.get(f"/exports/{job['id']}").json()
    for file in job["files"]:
        yield api.get(file)
    yield {"data": [{"n": 99}]}
'''


def odd(api: Api) -> list[str]:
    """Serve an API that exports in the background."""
    said: list[str] = []

    def start(asked: Asked) -> Reply:
        said.append(f"{asked.method} {asked.body.decode()} {asked.headers['authorization']}")
        return reply({"id": 7, "state": "waiting"}, 202)

    def state(asked: Asked) -> Reply:
        said.append("state")
        is_done = said.count("state") == 3
        return reply({"id": 7, "state": "done" if is_done else "working", "files": ["/files/1", "/files/2"]})

    api.routes = {
        "/exports": start,
        "/exports/7": state,
        "/files/1": lambda _: reply({"data": numbered(3)}),
        "/files/2": lambda _: reply({"data": [{"n": 3}]}),
    }
    return said


def by_function(desk: Any) -> Desk:
    streams = {"things": {"python": True, "records": "data", "write": "replace"}}
    found: Desk = desk(streams=streams, auth={"kind": "bearer"})
    return found


def test_an_export_job_by_a_function(desk: Any, api: Api):
    said, desk = odd(api), by_function(desk)
    (desk.folder / "shop.py").write_text(EXPORT)
    manifest = desk.land()
    assert desk.numbers(manifest) == [0, 1, 2, 3, 99]
    assert manifest.rows == 5
    assert said[0] == 'POST {"of": "things", "from": "2026-01-01T00:00:00+00:00"} Bearer s3cret'
    assert desk.clock.time == 15


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, "shop.py: .*there is no such file. Create it"),
        ("def pages(:", "shop.py: .*running it failed: SyntaxError"),
        ("import nothing_of_that_name", "running it failed: ModuleNotFoundError"),
        ("x = 1", "shop.py: pages: there is no such function"),
        ("def pages(api, stream, window):\n    yield b'<html>'", "a page is not JSON"),
        ("def pages(api, stream, window):\n    yield {'rows': []}", "a page has no list of records at data"),
        ("def pages(api, stream, window):\n    yield api.get('http://evil.example/')", "paths begin with /"),
    ],
)
def test_a_function_that_is_missing_or_broken_is_named(desk: Any, api: Api, code: str | None, says: str):
    desk = by_function(desk)
    if code is not None:
        (desk.folder / "shop.py").write_text(code)
    with pytest.raises((SourceError, ValueError), match=says):
        desk.land()
