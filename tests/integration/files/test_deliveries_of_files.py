"""Files from a store to the warehouse: each version once, whatever comes when."""

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import load_source
from datastack.lake.manifest import ManifestError
from datastack.operators import connections
from datastack.source.errors import SourceError
from datastack.source.files.s3 import S3Store
from datastack.source.formats.stream import FormatError
from tests.integration.files import ssh, web
from tests.integration.files.partner import SALES, Partner, context, csv_of, name_of, week
from tests.integration.harness import in_thread


def test_a_file_is_kept_untouched_and_its_rows_are_loaded(partner: Partner):
    content = gzip.compress(csv_of(1, 2))
    partner.put(name_of(1) + ".gz", content)
    [loaded] = partner.load()
    assert (loaded["status"], loaded["rows"]) == ("loaded", 2)
    [landed] = partner.landed()
    assert landed.endswith(".csv.gz")
    assert partner.stack.get(landed) == content
    [load] = partner.stack.loads("sales")
    assert (load["object_key"], load["object_bytes"], load["source_rows"]) == (name_of(1) + ".gz", len(content), 2)
    assert load["slice_start"].isoformat() == "2019-11-04T00:00:00+00:00"
    assert load["slice_end"].isoformat() == "2019-11-11T00:00:00+00:00"
    assert partner.stack.table(SALES)[0][1] == "n1"


def test_nothing_new_is_skipped(partner: Partner):
    assert partner.extract() == []
    partner.put(name_of(1), csv_of(1))
    assert len(partner.load()) == 1
    assert partner.extract() == []
    assert partner.load(reload=True)[0]["rows"] == 1
    assert partner.ids() == [1]
    assert len(partner.landed()) == 1  # it was not copied again


def test_files_of_earlier_windows_are_taken_when_they_come(partner: Partner):
    partner.put(name_of(2), csv_of(2))
    partner.put(name_of(4), csv_of(4))
    assert len(partner.load(scheduled=week(2))) == 1  # the file of week 4 is for a later run
    partner.put(name_of(1), csv_of(1))
    assert len(partner.load(scheduled=week(3))) == 1
    assert partner.ids() == [1, 2]
    assert len(partner.load(scheduled=week(4))) == 1
    assert partner.ids() == [1, 2, 4]


def test_a_month_is_loaded_in_one_run_and_a_week_by_hand(partner: Partner):
    for number in range(1, 5):
        partner.put(name_of(number), csv_of(number))
    assert len(partner.load(week(2))) == 1
    assert partner.ids() == [2]
    assert len(partner.load((week(1)[0], week(4)[1]))) == 3
    assert partner.ids() == [1, 2, 3, 4]


def test_each_window_begins_in_one_run_only(partner: Partner):
    """Windows given by hand that cut a week in two neither miss its file nor take it twice."""
    partner.put(name_of(1), csv_of(1))
    assert partner.extract(("2019-11-06T00:00:00Z", "2019-11-30T00:00:00Z")) == []
    assert len(partner.extract(("2019-11-01T00:00:00Z", "2019-11-06T00:00:00Z"))) == 1


def test_a_file_that_is_delivered_again_takes_the_place_of_its_rows(partner: Partner):
    partner.put(name_of(1), csv_of(1, 2, 3))
    partner.put(name_of(2), csv_of(20))
    partner.load()
    partner.put(name_of(1), csv_of(3, 4))
    [loaded] = partner.load()
    assert loaded["rows"] == 2
    assert partner.ids() == [3, 4, 20]
    partner.put(name_of(1), csv_of(3, 4))  # as it was
    assert partner.extract() == []


def test_a_version_that_was_replaced_comes_back(partner: Partner):
    for ids in ((1,), (2,), (1,)):
        partner.put(name_of(1), csv_of(*ids))
        partner.load()
        assert partner.ids() == list(ids)


def test_a_version_that_was_landed_but_not_loaded_gives_way_to_a_newer_one(partner: Partner):
    partner.put(name_of(1), csv_of(1))
    late = partner.extract()
    partner.put(name_of(1), csv_of(2))
    partner.load()
    assert partner.go_on(late)[0]["status"] == "superseded"
    assert partner.ids() == [2]


def test_the_oldest_come_first_and_the_rest_with_the_next_run(partner: Partner, caplog: pytest.LogCaptureFixture):
    partner.declare({"max_files": 2})
    for number in (3, 1, 2):
        partner.put(name_of(number), csv_of(number))
    with caplog.at_level("WARNING"):
        partner.load()
    assert partner.ids() == [1, 2]
    assert "1 files are left to the next run" in caplog.text
    partner.load()
    assert partner.ids() == [1, 2, 3]


def test_reloading_more_than_a_run_takes_is_refused(partner: Partner):
    """The rest would never come: what is taken again is always the oldest."""
    partner.declare({"max_files": 1})
    for number in (1, 2):
        partner.put(name_of(number), csv_of(number))
    with pytest.raises(SourceError, match="reload would take 2 files, and a run takes max_files, 1"):
        partner.extract(reload=True)


def test_files_that_are_not_complete_are_left(partner: Partner):
    partner.declare({"settle": "PT1H"})
    partner.put(name_of(1), csv_of(1))
    assert partner.extract() == []
    partner.declare({"done": "{key}.done", "exclude": ["*.done"]})
    assert partner.extract() == []
    partner.put(name_of(1) + ".done", b"")
    assert len(partner.load()) == 1


def test_names_that_are_left_alone(partner: Partner):
    for name in (f"{name_of(1)}.part", f".{name_of(1)}", f"{name_of(1)}~", f"{name_of(1)}.TMP", "other.csv"):
        partner.put(name, csv_of(1))
    partner.put("older/" + name_of(1), csv_of(1))
    assert partner.extract() == []
    partner.declare({"files": "**/sales_*"})
    assert partner.load()[0]["rows"] == 1


def test_without_a_period_a_file_is_for_when_it_was_modified(partner: Partner):
    partner.declare({"period": None})
    partner.put("sales_x.csv", csv_of(1))
    assert partner.extract(week(1)) == []
    today = datetime.now(UTC)
    tomorrow = (today + timedelta(days=1)).isoformat(), (today + timedelta(days=2)).isoformat()
    assert partner.extract(tomorrow) == []
    assert len(partner.load(((today - timedelta(days=1)).isoformat(), tomorrow[0]))) == 1


@pytest.mark.parametrize(("name", "says"), [
    ("sales_x.csv", r"sales_x.csv is like 'sales_\*', but has no date like"),
    ("sales_2019-13-01.csv", "'2019-13-01' is no date like '%Y-%m-%d'"),
])  # fmt: skip
def test_a_name_without_a_date_is_an_error(partner: Partner, name: str, says: str):
    partner.put(name, csv_of(1))
    with pytest.raises(SourceError, match=says) as refused:
        partner.extract()
    assert "partner.sales [2019-11-25" in str(refused.value)
    partner.declare({"exclude": [name]})
    assert partner.extract() == []


def test_rows_that_are_no_rows_are_set_aside(partner: Partner):
    partner.put(name_of(1), csv_of(1) + b"2,n\n" + b"x,n,1\n" + csv_of(3).removeprefix(b"id,name,price\n"))
    [loaded] = partner.load()
    assert loaded["rows"] == 2
    [load] = partner.stack.loads("sales")
    assert (load["source_rows"], load["quarantined_rows"]) == (4, 2)


@pytest.mark.parametrize(("content", "says"), [
    (gzip.compress(csv_of(*range(1000)))[:-20], "is cut short or damaged"),
    (b"", "is empty: not even a header"),
    (b"name,price\n", "has no column 'id'"),
    (b"id,name,price\n" + b"1,x,1\n" * 2 + b'2,"x', "it ends within quotes"),
])  # fmt: skip
def test_files_that_can_not_be_read_are_refused_by_name(partner: Partner, content: bytes, says: str):
    partner.put(name_of(1), content)
    landed = partner.extract()
    with pytest.raises(FormatError, match=says) as refused:
        partner.go_on(landed)
    assert str(refused.value).startswith(name_of(1))
    assert partner.stack.loads("sales") == []
    partner.put(name_of(1), csv_of(1))  # delivered again
    assert partner.load()[0]["rows"] == 1


def test_a_landed_file_that_was_altered_is_not_loaded(partner: Partner):
    partner.put(name_of(1), csv_of(1, 2))
    landed = partner.extract()
    [key] = partner.landed()
    partner.stack.put(key, csv_of(1, 3))
    with pytest.raises(ManifestError, match="is not what its manifest says"):
        partner.go_on(landed)
    partner.stack.delete(key)
    assert partner.extract() == landed  # it is copied again
    assert partner.go_on(landed)[0]["rows"] == 2


def test_a_retry_does_not_copy_again_what_has_landed(partner: Partner, monkeypatch: pytest.MonkeyPatch):
    for number in (1, 2):
        partner.put(name_of(number), csv_of(number))
    opened: list[str] = []
    real = S3Store.open

    @contextmanager
    def failing(self: Any, delivered: Any) -> Iterator[Any]:
        opened.append(delivered.key)
        with real(self, delivered) as file:
            if delivered.key == name_of(2) and opened.count(name_of(2)) == 1:
                yield io.BytesIO(file.read(5))
                raise AssertionError("not reached")
            yield file

    monkeypatch.setattr(S3Store, "open", failing)
    with pytest.raises(SourceError, match="5 bytes came instead of") as refused:
        partner.extract()
    assert "files that have landed are kept" in str(refused.value)
    assert len(partner.extract()) == 2
    assert sorted(opened) == [name_of(1), name_of(2), name_of(2)]


def test_a_file_that_changes_after_it_was_listed(partner: Partner, monkeypatch: pytest.MonkeyPatch):
    partner.put(name_of(1), csv_of(1))
    real = S3Store.list

    def listed(self: Any, wanted: Any) -> Any:
        found = real(self, wanted)
        partner.put(name_of(1), csv_of(1, 2))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "list", listed)
        with pytest.raises(SourceError, match=r"sales_2019-11-04.csv has changed since it was listed"):
            partner.extract()
    assert partner.stack.manifests("landing/") == []
    assert partner.load()[0]["rows"] == 2


def test_two_runs_at_once(partner: Partner):
    for number in range(1, 4):
        partner.put(name_of(number), csv_of(*range(number * 1000, number * 1000 + 500)))
    first, second = in_thread(partner.extract), in_thread(partner.extract)
    landed = first()
    assert landed == second()
    waiting = [in_thread(partner.go_on, landed) for _ in range(2)]
    for finish in waiting:
        finish()
    assert len(partner.ids()) == len(set(partner.ids())) == 1500


def test_other_formats(partner: Partner):
    partner.declare({"format": {"kind": "jsonl"}})
    partner.put("sales_2019-11-04.jsonl", b'{"id": 1, "name": "x", "price": "1.5"}\n\n{"id": 2}\n')
    assert partner.load()[0]["rows"] == 2
    partner.declare({"format": {"kind": "json", "records": "data"}})
    partner.put("sales_2019-11-11.json", b'{"data": [{"id": 3, "name": null, "price": 2}]}')
    assert partner.load()[0]["rows"] == 1
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"id": [4], "name": ["p"], "price": [2.5]}), out)
    partner.declare({"format": {"kind": "parquet"}})
    partner.put("sales_2019-11-18.parquet", out.getvalue())
    assert partner.load()[0]["rows"] == 1
    import openpyxl

    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active
    book.active.append(["id", "name", "price"])
    book.active.append([5, "e", 3.25])
    book.save(out)
    partner.declare({"format": {"kind": "excel"}})
    partner.put("sales_2019-11-25.xlsx", out.getvalue())
    assert partner.load()[0]["rows"] == 1
    rows = [(number, name, str(price)) for number, name, price in partner.stack.table(SALES)]
    assert rows == [(1, "x", "1.50"), (2, None, "None"), (3, None, "2.00"), (4, "p", "2.50"), (5, "e", "3.25")]


def test_a_web_server(partner: Partner):
    with web.serving() as server:
        partner.at("http", "/out", conn_type="http", host=server.url)
        partner.declare({"files": "sales_{period}.csv"})
        server.files[f"/out/{name_of(1)}"] = web.File(csv_of(1))
        server.files[f"/out/{name_of(2)}"] = web.File(csv_of(2))
        server.files[f"/out/{name_of(3)}"] = web.File(csv_of(3), modified_at=datetime.now(UTC))  # not settled
        assert len(partner.load(scheduled=week(4))) == 2
        assert partner.extract(scheduled=week(4)) == []
        server.files[f"/out/{name_of(1)}"] = web.File(csv_of(7), modified_at=datetime(2019, 11, 12, tzinfo=UTC))
        partner.declare({"files": "sales_{period}.csv", "look_back": "P7D"})
        assert partner.extract(scheduled=week(4)) == []  # week 1 is too far back
        assert len(partner.load(scheduled=week(2))) == 1
        assert partner.ids() == [2, 7]
        asked = {path for _, path in server.asked}
        assert f"/out/{name_of(4)}" in asked


def test_an_sftp_server(partner: Partner, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("drop")
    with ssh.serving(folder) as server:
        login = {"conn_type": "sftp", "host": "127.0.0.1", "port": server.port, "login": ssh.USER}
        partner.at("sftp", "/", **login, password=ssh.PASSWORD)
        partner.declare()
        with pytest.raises(connections.BadConnectionError, match="its extra names no host_key"):
            partner.extract()
        partner.at("sftp", "/", **login, password=ssh.PASSWORD, extra={"host_key": server.host_key})
        file = folder / name_of(1)
        file.write_bytes(csv_of(1))
        assert partner.extract() == []  # it may be growing
        os.utime(file, (1573000000, 1573000000))
        assert partner.load()[0]["rows"] == 1
        assert partner.extract() == []
        file.write_bytes(csv_of(1, 2))
        os.utime(file, (1573000001, 1573000001))
        assert partner.load()[0]["rows"] == 2
        assert partner.ids() == [1, 2]


def test_a_store_that_is_not_there(partner: Partner):
    partner.at(
        "s3", "nowhere/in", conn_type="aws", login="x", password="y", extra={"endpoint_url": "http://127.0.0.1:1"}
    )
    partner.declare()
    with pytest.raises(SourceError, match=r"partner.sales .*listing s3://nowhere/in/sales_ failed") as refused:
        partner.extract()
    assert "Nothing was loaded" in str(refused.value)


@pytest.mark.parametrize(("change", "field", "says"), [
    ({"wait": "P2D", "period": None}, "streams.sales", "wait needs a period"),
    ({"period": {"pattern": "x", "length": "P7D"}}, "streams.sales.period.pattern", "has 0 groups"),
    ({"period": {"pattern": "(x", "length": "P7D"}}, "streams.sales.period.pattern", "no regular expression"),
    ({"period": {"pattern": "(x)", "format": "%Q", "length": "P7D"}}, "period.format", "no format of a date"),
    ({"format": {"kind": "csw"}}, "streams.sales.format", "csw"),
    ({"format": {"kind": "csv", "delimter": ";"}}, "streams.sales.format.delimter", "spelling"),
    ({"deletes": {"by": "key"}, "write": "merge", "cursor": "id"}, "streams.sales", "a file has not all"),
    ({"files": "sales_{period}.csv"}, "", "are for web servers"),
    ({"done": "x.done"}, "streams.sales.done", "key"),
])  # fmt: skip
def test_wrong_declarations(partner: Partner, change: dict[str, Any], field: str, says: str):
    partner.declare(change)
    with pytest.raises(DeclarationError, match=says) as refused:
        load_source("partner")
    assert field in str(refused.value)


def test_a_web_server_has_no_lists(partner: Partner):
    partner.at("http", "/out", conn_type="http", host="http://127.0.0.1:1")
    for change in ({}, {"files": "sales_{period}*"}, {"files": "sales_{period}", "period": None}):
        partner.declare(change)
        with pytest.raises(DeclarationError, match="web servers have no lists"):
            load_source("partner")


def test_lineage(partner: Partner):
    from datastack.operators.extract_files import ExtractFilesOperator

    partner.put(name_of(1), csv_of(1))
    operator = ExtractFilesOperator(task_id="extract", source="partner", stream="sales")
    operator.execute(context(None, None))
    [read], [written] = operator.lineage()
    assert (read.namespace, read.name) == ("s3://partner", "in")
    assert (written.namespace, written.name) == ("s3://landing", "landing/partner/sales/v1")
    assert written.outputFacets["outputStatistics"].size == len(csv_of(1))


def test_versions_that_come_within_a_second_are_told_apart(partner: Partner, monkeypatch: pytest.MonkeyPatch):
    """S3 tells times by the second: the version that comes back has the time that it had before."""
    real = S3Store.list
    moment = datetime(2019, 11, 12, tzinfo=UTC)

    def listed(self: Any, wanted: Any) -> Any:
        return [found.model_copy(update={"modified_at": moment}) for found in real(self, wanted)]

    monkeypatch.setattr(S3Store, "list", listed)
    for ids in ((1,), (2,), (1,)):
        partner.put(name_of(1), csv_of(*ids))
        assert partner.load()[0]["status"] == "loaded"
        assert partner.ids() == list(ids)
